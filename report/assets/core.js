"use strict";
// What every chart needs: the facts of the page, elements, scales, ticks, a tip and announcements.
const report = JSON.parse(document.getElementById("facts").textContent);
const parts = report.parts;

function svg(tag, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return filled(element, attributes, parent, text);
}

function html(tag, attributes, parent, text) {
  return filled(document.createElement(tag), attributes, parent, text);
}

function filled(element, attributes, parent, text) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

// A number with three digits that count, or so many; thousands apart.
function fmt(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value < 0) return "−" + fmt(-value, digits);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("fr-FR");
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) {
    return Number(value.toPrecision(digits)).toExponential().replace("e+", "e");
  }
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString("fr-FR", {
    minimumFractionDigits: places, maximumFractionDigits: places,
  }).replace(",", ".");
}

const percent = (part, places = 1) => (100 * part).toFixed(places).replace("-", "−") + " %";

function joules(value) {
  for (const [size, unit] of [[1, "J"], [1e-3, "mJ"], [1e-6, "µJ"]]) {
    if (value >= size) return fmt(value / size) + " " + unit;
  }
  return fmt(value / 1e-9) + " nJ";
}

function linear(d0, d1, r0, r1) {
  const span = d1 - d0 || 1;
  const scale = (value) => r0 + ((value - d0) / span) * (r1 - r0);
  scale.invert = (place) => d0 + ((place - r0) / (r1 - r0 || 1)) * span;
  return scale;
}

function logarithmic(d0, d1, r0, r1) {
  const inner = linear(Math.log10(d0), Math.log10(d1), r0, r1);
  return (value) => inner(Math.log10(value));
}

// Round numbers between two, about so many.
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
    found.push(Math.abs(at) < step * 1e-9 ? 0 : Number(at.toPrecision(12)));
  }
  return found;
}

function decades(low, high) {
  const found = [], steps = high / low < 300 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    found.push(...steps.map((one) => one * 10 ** power));
  }
  return found.filter((one) => one >= low && one <= high).map((one) => Number(one.toPrecision(6)));
}

const extent = (values) => [Math.min(...values), Math.max(...values)];

// Draw into a box now, and again whenever its width changes.
function drawn(box, draw) {
  let width = 0;
  const again = () => {
    const now = Math.round(box.getBoundingClientRect().width);
    if (now > 0 && now !== width) {
      width = now;
      box.querySelectorAll(":scope > svg").forEach((one) => one.remove());
      draw(width);
    }
  };
  again();
  new ResizeObserver(again).observe(box);
  box.redraw = () => { width = 0; again(); };
}

function canvas(box, width, height) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, box);
}

const tip = html("div", { class: "tip", hidden: "" }, document.body);
const live = html("div", { class: "sr", "aria-live": "polite" }, document.body);

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const own = tip.getBoundingClientRect();
  tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - own.width - 8)) + "px";
  tip.style.top = Math.max(6, y - own.height - 12) + "px";
}

function hideTip() { tip.hidden = true; }

function announce(text) { live.textContent = text; }

// A legend above a plot: what each look stands for.
function legend(box, items) {
  const list = html("ul", { class: "legend", "aria-hidden": "true" });
  for (const [name, look, kind] of items) {
    const row = html("li", {}, list);
    const sample = svg("svg", { viewBox: "0 0 22 10" }, row);
    if (kind === "line") svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, class: `line ${look}` }, sample);
    else if (kind === "hatch") {
      svg("rect", { width: 22, height: 10, class: "wait", fill: "url(#hatch)" }, sample);
    } else if (kind === "dot") svg("circle", { cx: 11, cy: 5, r: 4.5, class: look }, sample);
    else svg("rect", { width: 22, height: 10, rx: 2, class: look }, sample);
    html("span", {}, row, name);
  }
  box.before(list);
  return list;
}

const figure = (name) => document.querySelector(`[data-chart="${name}"] .plot`);

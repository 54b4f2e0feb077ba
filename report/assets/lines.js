"use strict";
// Lines over steps, hours, epochs or periods. A chart is told by its series: name, look, x, y.
let clips = 0;

function lineChart(box, options) {
  drawn(box, (width) => {
    const { series, band, x: xs, y: ys } = options();
    const height = Math.max(210, Math.min(300, width * 0.5));
    const root = canvas(box, width, height);
    const every = series.flatMap((one) => one.y.filter((v) => v !== null));
    const limits = band ? every.concat(band.low, band.high) : every;
    let [low, high] = extent(limits);
    if (ys.zero) low = Math.min(0, low);
    const room = (high - low || 1) * 0.06;
    high += room;
    if (!ys.zero) low -= room;
    if (ys.log) [low, high] = [extent(limits)[0] * 0.8, extent(limits)[1] * 1.25];
    if (ys.cap) high = Math.min(high, roof(series));
    const [first, last] = extent(series.flatMap((one) => one.x));
    const marks = ys.log ? decades(low, high) : ticks(low, high, height / 52);
    const names = marks.map((value) => fmt(value));
    const left = 16 + 7.2 * Math.max(...names.map((one) => one.length), 2);
    const right = width - 14, bottom = height - 42, top = 26;
    const px = (xs.log ? logarithmic : linear)(first, last, left, right);
    const py = (ys.log ? logarithmic : linear)(low, high, bottom, top);
    svg("text", { x: 0, y: 12, class: "title" }, root, ys.label);
    marks.forEach((value, number) => {
      svg("line", { x1: left, x2: right, y1: py(value), y2: py(value), class: "gridline" }, root);
      svg("text", { x: left - 8, y: py(value) + 4, "text-anchor": "end" }, root, names[number]);
    });
    svg("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" }, root);
    const places = xs.ticks || ticks(first, last, width / 80).filter(Number.isInteger);
    for (const place of places) {
      svg("line", { x1: px(place), x2: px(place), y1: bottom, y2: bottom + 5, class: "axis" }, root);
      const text = xs.name ? xs.name(place) : fmt(place);
      svg("text", { x: px(place), y: bottom + 19, "text-anchor": "middle" }, root, text);
    }
    svg("text", { x: right, y: height - 6, "text-anchor": "end", class: "title" }, root, xs.label);
    if (band) {
      const there = band.x.map((at, n) => `${px(at)},${py(band.high[n])}`);
      const back = band.x.map((at, n) => `${px(at)},${py(band.low[n])}`).reverse();
      const area = svg("polygon", { points: there.concat(back).join(" "), class: "band" }, root);
      area.dataset.low = JSON.stringify(band.low);
      area.dataset.high = JSON.stringify(band.high);
    }
    if (xs.now !== undefined) {
      svg("line", { x1: px(xs.now), x2: px(xs.now), y1: top, y2: bottom, class: "cursor" }, root);
      svg("text", { x: px(xs.now) - 5, y: top + 8, "text-anchor": "end", class: "title" }, root, "last row known");
    }
    const clip = `clip-${++clips}`, shape = svg("clipPath", { id: clip }, svg("defs", {}, root));
    svg("rect", { x: left - 4, y: top - 4, width: right - left + 8, height: bottom - top + 8 }, shape);
    const inside = svg("g", { "clip-path": `url(#${clip})` }, root);
    const order = ["muted", "past", "second", "truth", "accent"];
    const sorted = [...series].sort((a, b) => order.indexOf(a.look) - order.indexOf(b.look));
    for (const one of sorted) {
      const points = one.x.map((at, n) => [at, one.y[n]]).filter(([, v]) => v !== null);
      const path = points.map(([a, b], n) => `${n ? "L" : "M"}${px(a)} ${py(b)}`).join("");
      svg("path", { d: path, class: `line ${one.look}` }, inside);
      for (const [a, b] of points) {
        const quiet = one.look === "muted" || points.length > 40 ? " hidden" : "";
        svg("circle", {
          cx: px(a), cy: py(b), r: one.x.length === 1 ? 5 : width < 500 ? 1.8 : 2.6, class: `dot ${one.look}${quiet}`,
          "data-series": one.name, "data-x": a, "data-y": b,
        }, inside);
      }
    }
    cursor(box, root, { series: sorted.reverse(), px, xs, ys, left, right, top, bottom });
  });
}

// A cursor that a pointer or the arrow keys move: what every line has there.
function cursor(box, root, chart) {
  const { series, px, xs, ys, left, right, top, bottom } = chart;
  const all = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
  const line = svg("line", { y1: top, y2: bottom, class: "cursor", visibility: "hidden" }, root);
  let at = -1;
  const show = (number, x, y) => {
    at = Math.max(0, Math.min(all.length - 1, number));
    const place = all[at];
    line.setAttribute("x1", px(place));
    line.setAttribute("x2", px(place));
    line.setAttribute("visibility", "visible");
    const rows = series.map((one) => [one.name, one.y[one.x.indexOf(place)]])
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => `${name}: ${fmt(value, 4)}${ys.unit ? " " + ys.unit : ""}`);
    const text = `${xs.label} ${xs.name ? xs.name(place) : fmt(place)}\n${rows.join("\n")}`;
    const own = root.getBoundingClientRect();
    const scaled = own.width / root.viewBox.baseVal.width;
    showTip(text, x === undefined ? own.left + px(place) * scaled : x, y === undefined ? own.top + 40 : y);
    return text;
  };
  const hide = () => { line.setAttribute("visibility", "hidden"); hideTip(); };
  root.addEventListener("pointermove", (event) => {
    const own = root.getBoundingClientRect();
    const place = ((event.clientX - own.left) / own.width) * root.viewBox.baseVal.width;
    if (place < left - 12 || place > right + 12) return hide();
    const near = all.reduce((best, one, n) =>
      Math.abs(px(one) - place) < Math.abs(px(all[best]) - place) ? n : best, 0);
    show(near, event.clientX, event.clientY);
  });
  root.addEventListener("pointerleave", hide);
  box.onkeydown = (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length };
    if (event.key === "Escape") return hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    announce(show(at + moves[event.key]));
  };
  box.onblur = hide;
}

const lookOf = (name, best) => (name === "model" ? "accent" : name === best ? "second" : "muted");

// Far worse lines would press those that matter together: they leave the chart at the top.
function roof(series) {
  return 1.7 * Math.max(...series.filter((one) => one.look !== "muted").flatMap((one) => one.y));
}

// Lines of errors: the model's, the best baseline's, and the others', with a legend.
function errorLines(box, x, errors, best, labels) {
  const series = Object.entries(errors).map(([name, y]) =>
    ({ name, x, y, look: lookOf(name, best) }));
  const items = [["this model", "accent", "line"]];
  if (best) items.push([`${best} (best baseline)`, "second", "line"]);
  const others = series.filter((one) => one.look === "muted");
  const worst = Math.max(...others.flatMap((one) => one.y));
  const beyond = worst > roof(series) ? `, beyond the top up to ${fmt(worst)}` : "";
  if (others.length) items.push([`other baselines${beyond}`, "muted", "line"]);
  legend(box, items);
  lineChart(box, () => ({ series, ...labels }));
}

// Windows of the data, one at a time: past, truth, forecast with its interval, best baseline.
function windowChart(box, one, number) {
  const shown = one.shown, base = one.steps[0] - 1;
  const bar = html("div", { class: "controls" });
  const select = html("select", { "aria-label": "Window" }, bar);
  shown.windows.forEach((window, n) => {
    const when = window.last ? ` after ${window.last}` : "";
    html("option", { value: n }, select, `Window ${window.window + 1}${when}`);
  });
  const before = html("button", { type: "button" }, bar, "Previous");
  const next = html("button", { type: "button" }, bar, "Next");
  const said = html("span", { class: "push", role: "status" }, bar);
  box.before(bar);
  const items = [["past", "past", "line"], ["truth", "truth", "line"],
    ["forecast", "accent", "line"]];
  if (shown.percent) items.push([`${shown.percent} % interval`, "band", "box"]);
  if (shown.baseline) items.push([shown.baseline, "second", "line"]);
  legend(box, items);
  const window = () => shown.windows[Number(select.value)];
  const data = () => {
    const now = window(), ahead = one.steps;
    const past = now.past.map((_, n) => base - (now.past.length - 1) + n);
    const series = [
      { name: "past", look: "past", x: past, y: now.past },
      { name: "truth", look: "truth", x: ahead, y: now.truth },
      { name: "forecast", look: "accent", x: ahead, y: now.forecast },
    ];
    if (now.baseline) series.push({ name: shown.baseline, look: "second", x: ahead, y: now.baseline });
    const band = now.low ? { x: ahead, low: now.low, high: now.high } : null;
    return { series, band, x: { label: "steps from the last row known", now: base }, y: { label: one.target } };
  };
  const change = (step) => {
    select.value = Math.max(0, Math.min(shown.windows.length - 1, Number(select.value) + step));
    before.disabled = Number(select.value) === 0;
    next.disabled = Number(select.value) === shown.windows.length - 1;
    said.textContent = `RMSE ${fmt(window().rmse, 4)}: ${window().why}`;
    if (box.redraw) box.redraw();
  };
  before.onclick = () => change(-1);
  next.onclick = () => change(1);
  select.onchange = () => change(0);
  lineChart(box, data);
  change(0);
}

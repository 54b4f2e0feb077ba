"use strict";
// Draws every chart that the page has a place for, and minds the theme, the contents and the printer.
// A split store is several memories, others are one.
const partsOf = (row) => row.parts ?? [row];
const places = {
  "shown": (box, n) => windowChart(box, parts.forecasts[n], n),
  "by-step": (box, n) => {
    const one = parts.forecasts[n];
    errorLines(box, one.steps, one.by_step, one.best, {
      x: { label: "step ahead" }, y: { label: `RMSE of “${one.target}”`, zero: true, cap: true },
    });
  },
  "by-hour": (box, n) => {
    const one = parts.forecasts[n];
    errorLines(box, one.by_hour.hours, one.by_hour.errors, one.best, {
      x: { label: "hour of the day", ticks: [0, 6, 12, 18, 23].filter((h) => one.by_hour.hours.includes(h)) },
      y: { label: `RMSE of “${one.target}”`, zero: true, cap: true },
    });
  },
  "against": (box, n) => forest(box, parts.forecasts[n].errors),
  "class-against": (box) => forest(box, parts.classes.baselines),
  "flags": (box) => flagStrip(box, parts.detections.series, parts.detections.target),
  "history": (box) => {
    const rows = parts.history, stages = [...new Set(rows.map((row) => row.stage))];
  
    const lines = [["val", "accent", "validation error"], ["loss", "past", "training loss"]];
    const series = lines.filter(([name]) => rows.some((row) => typeof row[name] === "number")).map(([name, look, said]) =>
      ({ name: said, look, x: rows.map((_, n) => n + 1), y: rows.map((row) => row[name]) }));
    legend(box, series.map((one) => [one.name, one.look, "line"]));
    lineChart(box, () => ({ series, x: { label: `epoch (${stages.join(", then ")})` }, y: { label: "standardised", log: true } }));
  },
  "bits": (box) => stackedBars(box, parts.bits.rows.map((row) => ({
    name: row.name,
    parts: parts.bits.kinds.filter((kind) => row.bits[kind]).map((kind) => ({ kind, value: row.bits[kind] })),
    said: row.weights.length ? `weights of ${row.weights.join(", ")} bits` : "",
  })), parts.bits.kinds, "bits"),
  "noise": (box) => waterfall(box, parts.noise.tensors),
  "gantt": (box) => gantt(box, parts.timetable, parts.speed.clock_hz),
  "resources": (box) => budgetBars(box, parts.resources.uses),
  "components": (box) => {
    const rows = parts.resources.components.filter((row) => row.name !== "total" && row.luts > 0);
    stackedBars(box, rows.map((row) => ({ name: row.name, parts: [
      { kind: "LUT as logic", value: Math.max(0, row.luts - row.lutram) },
      { kind: "LUT as memory", value: Math.max(0, row.lutram) },
    ] })), ["LUT as logic", "LUT as memory"], "LUTs");
  },
  "units": (box) => stackedBars(box, parts.resources.units.map((row) => ({ name: row.name, parts: [
    { kind: "LUT", value: row.luts }, { kind: "FF", value: row.ffs },
  ] })), ["LUT", "FF"], "cells"),
  "stores": (box) => stackedBars(box, parts.resources.stores.map((row) => ({
    name: row.name, parts: partsOf(row).map((one) => ({ kind: one.placement, value: one.bits })),
    said: `${row.depth} words of ${row.width} bits`,
  })), [...new Set(parts.resources.stores.flatMap(partsOf).map((one) => one.placement))], "bits"),
  "build-uses": (box, n) => budgetBars(box, parts.builds[n].reports.uses),
  "pareto": (box) => paretoChart(box, parts.search),
};

for (const place of document.querySelectorAll("[data-chart]")) {
  const draw = places[place.dataset.chart];
  if (draw) draw(place.querySelector(".plot"), Number(place.dataset.number || 0));
}
const panel = document.querySelector("[data-energy]");
if (panel) energyPanel(panel, parts.energy);

const theme = document.getElementById("theme");
const dark = () => (document.documentElement.dataset.theme
  ? document.documentElement.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches);
const named = () => { theme.textContent = dark() ? "Light" : "Dark"; };
theme.onclick = () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  named();
};
named();
document.getElementById("print").onclick = () => print();
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details.keep:not([open])")];
  opened.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));

const links = new Map([...document.querySelectorAll("nav a")].map((one) => [one.hash.slice(1), one]));
const watch = new IntersectionObserver((seen) => {
  for (const one of seen) {
    if (one.isIntersecting) {
      links.forEach((link) => link.removeAttribute("aria-current"));
      const link = links.get(one.target.id);
      if (link) link.setAttribute("aria-current", "true");
    }
  }
}, { rootMargin: "-20% 0px -70% 0px" });
document.querySelectorAll("section[id]").forEach((one) => watch.observe(one));
document.documentElement.dataset.ready = "true";

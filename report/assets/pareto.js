"use strict";
// A search: error against latency, energy or LUTs; a point and its row of the table are one.
const COSTS = {
  latency: ["latency, µs", (one, clock) => (one.latency / clock) * 1e6],
  energy_j: ["energy of an inference, µJ", (one) => one.energy_j * 1e6],
  luts: ["LUTs", (one) => one.luts],
};

function paretoChart(box, search) {
  const bar = html("div", { class: "controls" });
  html("label", { for: "cost" }, bar, "Error against");
  const select = html("select", { id: "cost" }, bar);
  for (const [name, [label]] of Object.entries(COSTS)) html("option", { value: name }, select, label);
  box.before(bar);
  legend(box, [["candidate", "point", "dot"], ["uniform bits", "point uniform", "dot"],
    ["predicted", "point ring candidate", "dot"], ["too large, or not exact", "point unfit", "dot"],
    ["front", "front", "line"]]);
  let on = null;
  const rows = search.rows.filter((row) => row.val !== null && row.came_out);
  const light = (id) => {
    on = id;
    document.querySelectorAll("[data-candidate]").forEach((one) =>
      one.classList.toggle("on", one.dataset.candidate === id));
  };
  drawn(box, (width) => {
    const [label, cost] = COSTS[select.value], clock = search.clock_hz;
    const height = Math.max(260, Math.min(420, width * 0.6)), root = canvas(box, width, height);
    const points = rows.map((row) => ({ row, x: cost(row.came_out, clock), y: row.val }));
    const guesses = select.value === "luts" ? [] : search.predicted_front.map((one) =>
      ({ x: cost(one, clock), y: one.val }));
    const everyY = points.map((one) => one.y).concat(search.float_val);
    let [low, high] = extent(everyY);
    const spread = high - low || high * 0.1 || 1;
    [low, high] = [low - spread * 0.25, high + spread * 0.6];
    const ring = (row) => ({ x: cost(row.predicted, clock), y: search.float_val + row.loss });
    const seen = guesses.filter((one) => one.y <= high && one.y >= low);
    const everyX = points.map((one) => one.x).concat(seen.map((one) => one.x));
    let [first, last] = extent(everyX);
    const room = (last - first) * 0.08 || last * 0.1 || 1;
    [first, last] = [Math.max(0, first - room), last + room];
    const marks = ticks(low, high, 5), names = marks.map((value) => fmt(value));
    const left = 16 + 7.2 * Math.max(...names.map((one) => one.length));
    const px = linear(first, last, left, width - 16), py = linear(low, high, height - 42, 24);
    svg("text", { x: 0, y: 12, class: "title" }, root, `validation error (${search.error_name})`);
    marks.forEach((value, n) => {
      if (value > high || value < low) return;
      svg("line", { x1: left, x2: width - 16, y1: py(value), y2: py(value), class: "gridline" }, root);
      svg("text", { x: left - 8, y: py(value) + 4, "text-anchor": "end" }, root, names[n]);
    });
    svg("line", { x1: left, x2: width - 16, y1: height - 42, y2: height - 42, class: "axis" }, root);
    for (const value of ticks(first, last, width / 110)) {
      if (value > last) continue;
      svg("text", { x: px(value), y: height - 24, "text-anchor": "middle" }, root, fmt(value));
    }
    svg("text", { x: width - 16, y: height - 6, "text-anchor": "end", class: "title" }, root, label);
    svg("line", { x1: left, x2: width - 16, y1: py(search.float_val), y2: py(search.float_val), class: "line second" }, root);
    svg("text", { x: width - 18, y: py(search.float_val) - 5, "text-anchor": "end", class: "title" }, root, "float model");
    for (const one of seen) {
      svg("path", { d: `M${px(one.x) - 3} ${py(one.y) - 3}l6 6m0 -6l-6 6`, class: "guess" }, root);
    }
    const sorted = [...points].filter((one) => one.row.fits).sort((a, b) => a.x - b.x || a.y - b.y);
    let best = Infinity;
    const front = sorted.filter((one) => one.y < best && ((best = one.y), true));
    const path = front.map((one, n) => (n ? `H${px(one.x)}V${py(one.y)}` : `M${px(one.x)} ${py(one.y)}`));
    svg("path", { d: path.join(""), class: "front" }, root);
    for (const one of points) {
      const kind = one.row.kind, guess = one.row.predicted ? ring(one.row) : null;
      if (guess && guess.y <= high && guess.x >= first && guess.x <= last) {
        svg("line", { x1: px(guess.x), y1: py(guess.y), x2: px(one.x), y2: py(one.y), class: "tie" }, root);
        svg("circle", { cx: px(guess.x), cy: py(guess.y), r: 4, class: `point ring ${kind}` }, root);
      }
    }
    for (const one of points) {
      const { row } = one, bad = row.fits && row.bit_exact ? "" : " unfit";
      const dot = svg("circle", {
        cx: px(one.x), cy: py(one.y), r: row.chosen ? 8 : 6, class: `point ${row.kind}${bad}`,
        "data-candidate": row.id, "data-x": one.x, "data-y": one.y,
      }, root);
      svg("text", { x: px(one.x) + 10, y: py(one.y) - 6, class: "label" }, root,
        row.id.replace("uniform ", "") + (row.chosen ? " chosen" : ""));
      const text = `${row.kind === "candidate" ? "Candidate " : ""}${row.id}: ${row.bits}\n`
        + `error ${fmt(row.val, 4)}, ${fmt(row.came_out.latency)} cycles, ${fmt(row.came_out.luts)} LUTs`;
      hover(dot, text);
      dot.addEventListener("pointerenter", () => light(row.id));
      dot.addEventListener("click", () => {
        light(row.id);
        document.querySelector(`tr[data-candidate="${CSS.escape(row.id)}"] button`).focus();
      });
    }
    light(on);
  });
  select.onchange = () => box.redraw();
  document.querySelectorAll("tr[data-candidate]").forEach((row) => {
    const id = row.dataset.candidate;
    row.addEventListener("pointerenter", () => light(id));
    row.querySelector("button").onfocus = () => light(id);
    row.querySelector("button").onclick = () => {
      light(id);
      box.closest("figure").scrollIntoView({ block: "center" });
    };
  });
}

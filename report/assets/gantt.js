"use strict";
// The timetable: a lane for each layer, its rows on the engine above those on the post-processor.
function gantt(box, table, clockHz) {
  const bar = html("div", { class: "controls" });
  const button = (text, label, act) => {
    const one = html("button", { type: "button", "aria-label": label, title: label }, bar, text);
    one.onclick = act;
  };
  const full = [0, table.latency];
  let [from, to] = full, chosen = -1;
  const move = (low, high) => {
    const least = Math.min(20, table.latency);
    const span = Math.max(least, Math.min(high - low, table.latency));
    from = Math.max(0, Math.min(low, table.latency - span));
    to = from + span;
    box.redraw();
  };
  const zoom = (factor, at = (from + to) / 2) =>
    move(at - (at - from) * factor, at + (to - at) * factor);
  const pan = (part) => move(from + (to - from) * part, to + (to - from) * part);
  button("+", "Zoom in", () => zoom(0.5));
  button("−", "Zoom out", () => zoom(2));
  button("←", "Earlier", () => pan(-0.4));
  button("→", "Later", () => pan(0.4));
  button("Whole inference", "Show the whole inference", () => move(...full));
  const said = html("span", { class: "push", role: "status" }, bar);
  box.before(bar);
  legend(box, [["engine", "engine bar", "box"], ["post-processor", "bar second", "box"],
    ["engine waits", "", "hatch"]]);
  const tell = (number) => {
    const [layer, unit, start, end, row, rows, waited, reason] = table.spans[number];
    const which = rows > 1 ? `rows ${row} on, ${rows} side by side` : `row ${row}`;
    const wait = waited ? `\nwaited ${waited} cycles for ${table.reasons[reason]}` : "";
    return `${table.layers[layer]}, ${which}, ${table.units[unit]}: cycles ${start} to ${end}${wait}`;
  };
  drawn(box, (width) => {
    const tall = 30, top = 22;
    const left = labelRoom(table.layers, width) * (width < 500 ? 0.8 : 1);
    const height = table.layers.length * tall + top + 4;
    const root = canvas(box, width, height);
    const px = linear(from, to, left, width - 4);
    const hatch = svg("pattern", {
      id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
      class: "hatch",
    }, svg("defs", {}, root));
    svg("line", { x1: 0, x2: 0, y1: 0, y2: 5 }, hatch);
    for (const cycle of ticks(from, to, (width - left) / 90)) {
      if (cycle > to) continue;
      svg("line", { x1: px(cycle), x2: px(cycle), y1: top - 4, y2: height - 4, class: "gridline" }, root);
      svg("text", { x: px(cycle), y: 12, "text-anchor": "middle" }, root, fmt(Math.round(cycle)));
    }
    table.layers.forEach((name, n) => {
      const y = top + n * tall;
      svg("text", { x: left - 8, y: y + 17, "text-anchor": "end", class: "label" }, root, clipped(name, left - 8));
      svg("line", { x1: left, x2: width - 4, y1: y + tall - 2, y2: y + tall - 2, class: "gridline" }, root);
    });
    const lane = ([layer, unit]) => top + layer * tall + (unit === 0 ? 3 : 17);
    const place = (low, high) => [Math.max(left, px(low)), Math.min(width - 4, px(high))];
    const merged = {};
    table.spans.forEach((span, n) => {
      const [layer, unit, start, end, , , waited] = span;
      if (end < from || start - waited > to) return;
      if (waited) {
        const [a, b] = place(start - waited, start);
        if (b - a > 0.4) {
          svg("rect", { x: a, y: lane(span), width: b - a, height: 12, class: "wait", "data-wait": n, "data-cycles": waited }, root);
        }
      }
      if (end < from || start > to) return;
      const [a, b] = place(start, end), key = `${layer} ${unit}`, before = merged[key];
      // rows too short to be told apart are one bar, which names them all
      if (before && b - a < 2 && a - before.end < 0.6) {
        before.end = Math.max(before.end, b);
        before.rect.setAttribute("width", Math.max(0.6, before.end - before.x));
        before.rect.dataset.spans += ` ${n}`;
        return;
      }
      const rect = svg("rect", {
        x: a, y: lane(span), width: Math.max(0.6, b - a - (b - a > 4 ? 0.7 : 0)), height: unit === 0 ? 12 : 8,
        class: (unit === 0 ? "engine" : "post") + (n === chosen ? " chosen" : ""),
        "data-spans": n, "data-start": start, "data-end": end,
      }, root);
      merged[key] = { rect, x: a, end: b };
    });
    const time = clockHz ? `, ${fmt(((to - from) / clockHz) * 1e6)} µs` : "";
    said.textContent = `cycles ${Math.round(from)} to ${Math.round(to)} of ${table.latency}${time}`;
    pointer(root, px, left, width);
  });
  // hovering tells a row, dragging zooms to what is between
  function pointer(root, px, left, width) {
    const cycle = (event) => {
      const own = root.getBoundingClientRect();
      return px.invert(((event.clientX - own.left) / own.width) * width);
    };
    let begun = null, brush = null;
    root.onpointerdown = (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      begun = cycle(event);
      brush = svg("rect", { y: 16, height: root.viewBox.baseVal.height - 20, class: "brush" }, root);
      root.setPointerCapture(event.pointerId);
    };
    root.onpointermove = (event) => {
      if (brush) {
        const [a, b] = [begun, cycle(event)].sort((x, y) => x - y).map(px);
        brush.setAttribute("x", Math.max(left, a));
        brush.setAttribute("width", Math.max(0, b - Math.max(left, a)));
        return;
      }
      const target = event.target.dataset || {};
      if (target.spans) showTip(tell(Number(target.spans.split(" ")[0])), event.clientX, event.clientY);
      else if (target.wait) showTip(tell(Number(target.wait)), event.clientX, event.clientY);
      else hideTip();
    };
    root.onpointerup = (event) => {
      if (!brush) return;
      const [a, b] = [begun, cycle(event)].sort((x, y) => x - y);
      brush.remove();
      brush = null;
      if (b - a > (to - from) * 0.01) move(a, b);
    };
    root.onpointerleave = hideTip;
    root.ondblclick = () => move(...full);
    root.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, cycle(event));
    }, { passive: false });
  }
  box.onkeydown = (event) => {
    const acts = {
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => move(...full),
      ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25),
      ArrowDown: () => select(1), ArrowUp: () => select(-1),
    };
    if (event.ctrlKey || event.metaKey || !(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  };
  const select = (step) => {
    chosen = Math.max(0, Math.min(table.spans.length - 1, chosen + step));
    const [, , start, end] = table.spans[chosen];
    if (start < from || end > to) move(start - (to - from) / 3, start + (2 * (to - from)) / 3);
    else box.redraw();
    announce(tell(chosen));
    const own = box.getBoundingClientRect();
    showTip(tell(chosen), own.left + own.width / 2, Math.max(60, own.top));
  };
  box.onblur = hideTip;
}

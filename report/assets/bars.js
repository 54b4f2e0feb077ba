"use strict";
// Bars along a line: parts of a whole, shares of a budget, differences with their interval, waterfalls.
const ROW = 30;

const labelRoom = (names, width) =>
  Math.min(width * 0.42, 14 + 6.7 * Math.max(...names.map((one) => one.length), 3));

function clipped(text, room) {
  const most = Math.max(4, Math.floor(room / 6.6));
  if (text.length <= most) return text;
  // of a tensor's name the end tells it from others
  return text.includes(".") ? "…" + text.slice(1 - most) : text.slice(0, most - 1) + "…";
}

function hover(element, text) {
  element.addEventListener("pointermove", (event) => showTip(text, event.clientX, event.clientY));
  element.addEventListener("pointerleave", hideTip);
}

// Rows of {name, parts: [{kind, value}], said}, the bars of kinds one behind the other.
function stackedBars(box, rows, kinds, unit) {
  if (kinds.length > 1) legend(box, kinds.map((kind, n) => [kind, `bar k${n}`, "box"]));
  drawn(box, (width) => {
    const height = rows.length * ROW + 34;
    const root = canvas(box, width, height);
    const left = labelRoom(rows.map((row) => row.name), width);
    const totals = rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0));
    const scale = linear(0, Math.max(...totals) || 1, left, width - 74);
    rows.forEach((row, n) => {
      const y = n * ROW + 4;
      svg("text", { x: left - 10, y: y + 15, "text-anchor": "end", class: "label" }, root,
        clipped(row.name, left - 10));
      let at = 0;
      for (const part of row.parts) {
        const one = svg("rect", {
          x: scale(at), y, width: Math.max(0, scale(at + part.value) - scale(at)), height: 20,
          class: `bar k${kinds.indexOf(part.kind)}`,
          "data-row": row.name, "data-kind": part.kind, "data-value": part.value,
        }, root);
        hover(one, `${row.name}, ${part.kind}: ${fmt(part.value)} ${unit}\n${row.said || ""}`);
        at += part.value;
      }
      svg("text", { x: scale(totals[n]) + 7, y: y + 15 }, root, fmt(totals[n]));
    });
    axisBelow(root, scale, 0, Math.max(...totals), rows.length * ROW + 4, width, unit);
  });
}

function axisBelow(root, scale, low, high, y, width, unit, name) {
  svg("line", { x1: scale(low), x2: scale(high), y1: y, y2: y, class: "axis" }, root);
  const places = ticks(low, high, width / 150);
  places.forEach((value, n) => {
    svg("line", { x1: scale(value), x2: scale(value), y1: y, y2: y + 4, class: "axis" }, root);
    const text = (name ? name(value) : fmt(value)) + (n === places.length - 1 ? ` ${unit}` : "");
    svg("text", { x: scale(value), y: y + 18, "text-anchor": "middle", class: "title" }, root, text);
  });
}

// What is used of a budget: rows of {resource, used, available, low, high, over}.
function budgetBars(box, uses) {
  drawn(box, (width) => {
    const tall = 44;
    const root = canvas(box, width, uses.length * tall + 4);
    uses.forEach((use, n) => {
      const y = n * tall, most = Math.max(use.used, use.available, use.high || 0) || 1;
      const scale = linear(0, most, 0, width);
      const share = use.available ? `, ${percent(use.used / use.available, 0)}` : "";
      svg("text", { x: 0, y: y + 14, class: "label" }, root, use.resource);
      svg("text", { x: width, y: y + 14, "text-anchor": "end" }, root,
        `${fmt(use.used)} of ${fmt(use.available)}${share}`);
      svg("rect", { x: 0, y: y + 21, width: scale(use.available), height: 12, rx: 2, class: "track" }, root);
      const one = svg("rect", {
        x: 0, y: y + 21, width: Math.max(1, scale(use.used)), height: 12, rx: 2,
        class: use.over ? "bar over" : "bar",
        "data-row": use.resource, "data-value": use.used, "data-of": use.available,
      }, root);
      let text = `${use.resource}: ${fmt(use.used)} of ${fmt(use.available)}`;
      if (use.low !== undefined && use.low < use.high) {
        for (const [from, to, up] of [[use.low, use.high, 0], [use.low, use.low, 4], [use.high, use.high, 4]]) {
          svg("line", { x1: scale(from), x2: scale(to), y1: y + 27 - up, y2: y + 27 + up, class: "whisker" }, root);
        }
        text += `\n95 of 100 designs: ${fmt(use.low)} to ${fmt(use.high)}`;
      }
      hover(one, text);
    });
  });
}

// Differences with their interval, in percent: rows of {name, relative, interval}.
function forest(box, rows) {
  const there = rows.filter((row) => row.relative !== null && row.relative !== undefined);
  drawn(box, (width) => {
    // where there is little room, names stand above their lines
    const above = width < 560, tall = above ? 44 : ROW;
    const root = canvas(box, width, there.length * tall + 56);
    const left = above ? 8 : labelRoom(there.map((row) => row.name), width);
    const ends = there.flatMap((row) => [row.relative, ...(row.interval || [])]).concat(0);
    let [low, high] = extent(ends);
    const room = (high - low) * 0.05 || 0.05;
    [low, high] = [low - room, high + room];
    const scale = linear(low, high, left + 6, width - 12);
    const bottom = there.length * tall + 8;
    svg("line", { x1: scale(0), x2: scale(0), y1: 0, y2: bottom, class: "zero" }, root);
    there.forEach((row, n) => {
      const y = n * tall + (above ? 32 : 18);
      if (above) svg("text", { x: 0, y: y - 12, class: "label" }, root, clipped(row.name, width));
      else svg("text", { x: left - 6, y: y + 4, "text-anchor": "end", class: "label" }, root,
        clipped(row.name, left - 6));
      if (row.interval) {
        svg("line", { x1: scale(row.interval[0]), x2: scale(row.interval[1]), y1: y, y2: y, class: "whisker" }, root);
      }
      const point = svg("circle", {
        cx: scale(row.relative), cy: y, r: 5, class: "dot accent", "data-row": row.name,
        "data-value": row.relative, "data-low": row.interval ? row.interval[0] : null,
        "data-high": row.interval ? row.interval[1] : null,
      }, root);
      const between = row.interval
        ? ` (${percent(row.interval[0])} to ${percent(row.interval[1])} with 95 % certainty)` : "";
      hover(point, `The model's error is ${percent(row.relative)} against ${row.name}${between}`);
    });
    axisBelow(root, scale, low, high, bottom, width, "", (value) => percent(value, 0));
    svg("text", { x: scale(0) - 6, y: bottom + 38, "text-anchor": "end", class: "title" }, root, "← model is better");
    if (high > room) svg("text", { x: scale(0) + 6, y: bottom + 38, class: "title" }, root, "worse →");
  });
}

// Shares that add up to a whole, each where the one before ends.
function waterfall(box, rows) {
  drawn(box, (width) => {
    const tall = 22, root = canvas(box, width, rows.length * tall + 34);
    const left = labelRoom(rows.map((row) => row.name), width);
    const scale = linear(0, 1, left, width - 56);
    const most = Math.max(...rows.map((row) => row.share));
    let at = 0;
    rows.forEach((row, n) => {
      const y = n * tall + 3;
      svg("text", { x: left - 10, y: y + 12, "text-anchor": "end", class: "label" }, root,
        clipped(row.name, left - 10));
      svg("line", { x1: scale(at), x2: scale(at), y1: y - 4, y2: y + 15, class: "gridline" }, root);
      const one = svg("rect", {
        x: scale(at), y, width: Math.max(1, scale(at + row.share) - scale(at)), height: 15,
        class: row.share === most ? "bar" : "bar second",
        "data-row": row.name, "data-value": row.share,
      }, root);
      const own = row.own === null ? "exact" : `${row.own.toFixed(1)} dB`;
      hover(one, `${row.name}, ${row.bits} bits: ${percent(row.share)} of what rounding changes\n`
        + `signal to noise alone ${own}`);
      at += row.share;
      svg("text", { x: scale(at) + 6, y: y + 12, class: "title" }, root, percent(row.share, 0));
    });
    axisBelow(root, scale, 0, 1, rows.length * tall + 4, width, "", (value) => percent(value, 0));
  });
}

// A long series, thinned, with the flags that are up and the anomalies that are known.
function flagStrip(box, series, unit) {
  const items = [["series", "past", "line"], ["flag up", "bar", "box"]];
  if (series.anomaly) items.push(["labelled anomaly", "bar over", "box"]);
  legend(box, items);
  drawn(box, (width) => {
    const height = 230, root = canvas(box, width, height), count = series.low.length;
    const [low, high] = [Math.min(...series.low), Math.max(...series.high)];
    const marks = ticks(low, high, 4), names = marks.map((value) => fmt(value));
    const left = 16 + 7.2 * Math.max(...names.map((one) => one.length));
    const px = linear(0, count, left, width - 8), py = linear(low, high, height - 70, 26);
    svg("text", { x: 0, y: 12, class: "title" }, root, unit);
    marks.forEach((value, n) => {
      svg("line", { x1: left, x2: width - 8, y1: py(value), y2: py(value), class: "gridline" }, root);
      svg("text", { x: left - 8, y: py(value) + 4, "text-anchor": "end" }, root, names[n]);
    });
    const middle = series.low.map((one, n) => `${n ? "L" : "M"}${px(n + 0.5)} ${py((one + series.high[n]) / 2)}`);
    svg("path", { d: middle.join(""), class: "line past" }, root);
    for (let n = 0; n < count; n++) {
      svg("line", {
        x1: px(n + 0.5), x2: px(n + 0.5), y1: py(series.low[n]) + 0.6, y2: py(series.high[n]) - 0.6,
        class: "line past", "data-n": n, "data-low": series.low[n], "data-high": series.high[n],
        "data-flag": series.flag[n],
      }, root);
      const step = px(1) - px(0) + 0.4;
      if (series.flag[n]) svg("rect", { x: px(n), y: height - 58, width: step, height: 10, class: "bar" }, root);
      if (series.anomaly && series.anomaly[n]) {
        svg("rect", { x: px(n), y: height - 44, width: step, height: 10, class: "bar over" }, root);
      }
    }
    svg("line", { x1: left, x2: width - 8, y1: height - 28, y2: height - 28, class: "axis" }, root);
    for (const at of ticks(series.first[0], series.first[count - 1], width / 110)) {
      const place = series.first.findIndex((first) => first >= at);
      if (place >= 0) svg("text", { x: px(place), y: height - 10, "text-anchor": "middle" }, root, fmt(at));
    }
  });
}

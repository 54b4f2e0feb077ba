"use strict";
// Energy of a day, and how long a battery lasts: the same sums as boards/reports/energy.py.
const DAY_S = 86400;

// Joules of a day of inferences, one each period: idle in between, and off in between.
function dayOf(part, periodMs, configurationJ) {
  const count = Math.floor((DAY_S * 1000) / periodMs);
  const busy = count * part.seconds;
  if (count < 1 || busy > DAY_S) return { count, idle: null, off: null };
  const idle = count * part.inference_j + part.idle_w * (DAY_S - busy);
  // a stream whose power was cut is fed again what it had kept
  const steps = 1 + part.refill;
  const time = count * (steps * part.seconds + part.configuration_s) <= DAY_S;
  return { count, idle, off: time ? count * (steps * part.inference_j + configurationJ) : null };
}

// Days of a battery: an mAh is 3.6 coulombs.
const batteryDays = (dayJ, mah, volts) => (mah * 3.6 * volts) / dayJ;

function spoken(ms) {
  for (const [size, unit] of [[86400000, "day"], [3600000, "hour"], [60000, "minute"], [1000, "second"]]) {
    if (ms >= size) {
      const count = ms / size;
      return count === 1 ? (unit === "hour" ? "an hour" : `a ${unit}`) : `${fmt(count)} ${unit}s`;
    }
  }
  return `${ms} ms`;
}

function lasting(days) {
  if (days === null) return "–";
  if (days >= 730) return `${fmt(days / 365.25)} years`;
  if (days >= 2) return `${fmt(days)} days`;
  return `${fmt(days * 24)} hours`;
}

function energyPanel(root, energy) {
  const get = (name) => root.querySelector(`[name="${name}"]`);
  const out = (name) => root.querySelector(`[data-out="${name}"]`);
  const write = (name, text, value) => {
    out(name).textContent = text;
    if (value !== undefined) out(name).dataset.value = value === null ? "" : String(value);
  };
  const box = root.querySelector(".plot");
  const state = () => {
    const part = energy.parts[Number(get("part").value)];
    const periodMs = energy.periods_ms[Number(get("period").value)];
    const configurationJ = part.configuration_j * 2 ** (Number(get("configuration").value) / 4);
    const mah = Number(get("mah").value), volts = Number(get("volts").value);
    const mode = root.querySelector('[name="mode"]:checked').value;
    const chosen = (day) => {
      if (mode === "idle") return day.idle;
      if (mode === "off") return day.off;
      return day.off === null || day.idle <= day.off ? day.idle : day.off;
    };
    return { part, periodMs, configurationJ, mah, volts, mode, chosen };
  };
  const update = () => {
    const { part, periodMs, configurationJ, mah, volts, mode, chosen } = state();
    const day = dayOf(part, periodMs, configurationJ), joulesOfDay = chosen(day);
    const days = joulesOfDay === null ? null : batteryDays(joulesOfDay, mah, volts);
    write("period", `every ${spoken(periodMs).replace(/^an? /, "")}`, periodMs);
    get("period").setAttribute("aria-valuetext", `an inference every ${spoken(periodMs)}`);
    write("mah", `${fmt(mah)} mAh`, mah);
    write("volts", `${fmt(volts, 2)} V`, volts);
    write("configuration", joules(configurationJ), configurationJ);
    get("configuration").setAttribute("aria-valuetext", joules(configurationJ));
    write("battery", days === null ? "No time for that" : lasting(days), days);
    const between = part.factor > 1 && days !== null
      ? `between ${lasting(days / part.factor)} and ${lasting(days * part.factor)}: the model of power is within a factor of ${part.factor}`
      : days === null ? "an inference, or loading the bitstream, takes longer than the period"
        : "by the power that a tool reported";
    const shelf = days > 3652 ? "; a battery discharges itself sooner" : "";
    write("range", between + shelf);
    write("inference", joules(part.inference_j), part.inference_j);
    write("count", `${fmt(day.count)} inferences`, day.count);
    write("day", joulesOfDay === null ? "–" : joules(joulesOfDay), joulesOfDay);
    write("mean", joulesOfDay === null ? "–" : `${fmt((joulesOfDay / DAY_S) * 1e3)} mW`, joulesOfDay === null ? null : joulesOfDay / DAY_S);
    write("idle", day.idle === null ? "no time" : joules(day.idle), day.idle);
    write("off", day.off === null ? "no time" : joules(day.off), day.off);
    const even = part.seconds + (configurationJ + part.refill * part.inference_j) / part.idle_w;
    write("even", `more than ${fmt(even)} s apart`, even);
    write("constants", `${part.name} at ${fmt(part.clock_hz / 1e6)} MHz, ${fmt(part.cycles)} cycles`);
    out("source").textContent = part.source;
    const list = root.querySelector("[data-constants]");
    list.textContent = "";
    for (const [name, value] of Object.entries(part.constants)) {
      html("dt", {}, list, name);
      html("dd", { "data-constant": name, "data-value": value }, list, fmt(value));
    }
    root.dataset.mode = mode;
    if (box.redraw) box.redraw();
  };
  legend(box, [["idle between", "past", "line"], ["off between", "accent", "line"],
    ["chosen", "dot accent", "dot"]]);
  lineChart(box, () => {
    const { part, periodMs, configurationJ, mah, volts, chosen } = state();
    const days = energy.periods_ms.map((ms) => dayOf(part, ms, configurationJ));
    const line = (name, look, pick) => ({
      name, look, x: energy.periods_ms.map((ms) => ms / 1000),
      y: days.map((day) => (pick(day) === null ? null : batteryDays(pick(day), mah, volts))),
    });
    const now = chosen(dayOf(part, periodMs, configurationJ));
    const series = [line("idle between", "past", (day) => day.idle), line("off between", "accent", (day) => day.off)];
    if (now !== null) {
      series.push({ name: "chosen", look: "truth", x: [periodMs / 1000], y: [batteryDays(now, mah, volts)] });
    }
    const places = [0.01, 1, 60, 3600, 86400];
    return {
      series: series.filter((one) => one.y.some((value) => value !== null)),
      x: { label: "time from one inference to the next", log: true, ticks: places,
        name: (s) => (s < 1 ? `${s * 1000} ms` : spoken(s * 1000).replace(/^an? /, "1 ")) },
      y: { label: "battery life, days", log: true, unit: "days" },
    };
  });
  root.addEventListener("input", update);
  update();
}

// Figures with their lineage, shares as bars, and bars by day: what the pages about nodes count with.

import { fill, h, icon, svg, t } from "mingwu-console/dom.js";
import { age, count, plain } from "mingwu-console/format.js";
import { live } from "mingwu-console/net.js";

/** Seconds since a moment of the server's clock. */
const since = (ms) => Math.max(0, (live.now() - ms) / 1000);

/** How long ago, as a phrase; nothing for never. */
export function ago(ms) {
  if (!ms) return "—";
  return since(ms) < 1.5 ? t("age.now") : t("ago", { age: age(since(ms)) });
}

/** For how long already. */
export const lasting = (ms) => age(since(ms));

/** A share as percent, with digits enough to tell a small one from none. */
export function percent(share) {
  if (share === null || share === undefined) return "—";
  const value = 100 * share;
  return `${plain(value, value === 0 || value >= 10 ? 0 : value >= 1 ? 1 : 2)} %`;
}

/** Microseconds as people read them. */
export function micros(us) {
  if (!us) return "—";
  return us < 1000 ? `${count(us)} µs` : us < 1e6 ? `${plain(us / 1000, us < 1e4 ? 2 : 1)} ms` : `${plain(us / 1e6, 1)} s`;
}

/** A figure of a strip. `lineage`: [label, text] rows that say how it was counted; `onclick` makes it a button. */
export function figure(label, value, sub, { s, onclick, lineage, key } = {}) {
  const inner = [h("span", null, label), h("b", null, value), h("small", null, sub || " ")];
  const element = onclick ? h("button.mw-kpi.mw-kpi-button", { type: "button", onclick }, inner) : h("div.mw-kpi", null, inner);
  if (s) element.dataset.s = s;
  if (key) element.dataset.figure = key;
  if (lineage) element.append(lineageOf(label, lineage));
  return element;
}

/** How a figure came about: formula, window, sample, sources. Opens by click or key. */
export function lineageOf(label, rows) {
  return h("details.mw-lineage", null, h("summary", { "aria-label": t("lineage.of", { label }) }, icon("document"), t("lineage")),
    h("dl", null, rows.filter(([, text]) => text).map(([name, text]) => [h("dt", null, name), h("dd", null, text)])));
}

/** A share of a whole as a bar; `s` colours it. */
export function meter(share, { s, label } = {}) {
  const part = Math.max(0, Math.min(1, share ?? 0));
  return h("div.mw-meter", { dataset: { s: s ?? "" }, role: "img", "aria-label": label ?? percent(share) },
    h("i", { hidden: !part, style: `width:${(100 * part).toFixed(2)}%` }));
}

/**
 * Stacked bars, one per day. `keys`: [{key, label, cls}] from the bottom up; `rows`: [{day, …key: number}];
 * `show(value)` words a value. Redrawn at the width it gets; a table for screen readers says the same.
 */
export function dayBars({ rows, keys, show = count, label, height = 180 }) {
  const plot = h("div.mw-bars-plot", { style: `height:${height}px` });
  const legend = keys.length > 1 ? h("div.mw-bars-legend", { "aria-hidden": "true" }, keys.map((one) => h("span", null, h("i", { class: one.cls }), one.label))) : null;
  const table = h("table", null, h("caption", null, label), h("thead", null, h("tr", null, h("th", null, t("day")), keys.map((one) => h("th", null, one.label)))),
    h("tbody", null, rows.map((row) => h("tr", null, h("th", null, row.day), keys.map((one) => h("td", null, show(row[one.key] ?? 0)))))));
  const element = h("div.mw-bars", null, legend, plot, h("div.mw-sr", null, table)); // a table itself does not shrink to nothing
  new ResizeObserver(draw).observe(plot);
  return element;

  function draw() {
    const width = plot.clientWidth;
    if (!width) return;
    const left = 46;
    const bottom = 20;
    const inner = height - bottom - 8;
    const total = (row) => keys.reduce((sum, one) => sum + (row[one.key] ?? 0), 0);
    const top = nice(Math.max(1, ...rows.map(total)));
    const step = Math.max(1, (width - left - 14) / rows.length); // while the page is still laid out
    const y = (value) => 8 + inner * (1 - value / top);
    const marks = (show(top / 2) === show(top) ? [0, top] : [0, top / 2, top]).map((value) => [
      svg("line", { class: "grid", x1: left, x2: width - 4, y1: y(value), y2: y(value) }),
      word({ x: left - 8, y: y(value) + 4, "text-anchor": "end" }, show(value))]);
    const every = Math.max(1, Math.ceil(46 / step));
    const bars = rows.map((row, i) => {
      const x = left + i * step;
      let sum = 0;
      const parts = keys.map((one) => {
        const value = row[one.key] ?? 0;
        sum += value;
        return value ? svg("rect", { class: one.cls, x: (x + step * 0.16).toFixed(1), width: Math.max(1, step * 0.68).toFixed(1), y: y(sum).toFixed(1), height: Math.max(0.5, y(sum - value) - y(sum)).toFixed(1) }) : "";
      });
      const hover = svg("rect", { class: "hover", x, y: 8, width: step, height: inner });
      const title = svg("title");
      title.textContent = `${row.day}\n` + keys.map((one) => `${one.label}: ${show(row[one.key] ?? 0)}`).join("\n");
      const name = (rows.length - 1 - i) % every === 0 ? word({ x: x + step / 2, y: height - 5, "text-anchor": "middle" }, row.day.slice(5)) : "";
      return svg("g", {}, hover, ...parts.filter(Boolean), title, name);
    });
    fill(plot, svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...marks.flat(), ...bars));
  }
}

function word(attributes, text) {
  const element = svg("text", attributes);
  element.textContent = text;
  return element;
}

/** The next round number at or above `value`. */
function nice(value) {
  const base = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].find((one) => one * base >= value) * base;
}

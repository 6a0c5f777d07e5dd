// The trend: several tags over any window. The server thins to the width there is; zooming asks
// again. While it follows the present, live points are appended and the window slides.

import { echarts } from "nicegui-echart";
import { debounce, empty, fill, h, iconButton, named, segments, t } from "mingwu-console/dom.js";
import { count, moment, shown, SIMULATED, status } from "mingwu-console/format.js";
import { api, live, watchTags } from "mingwu-console/net.js";

export const WINDOWS = [["10m", 600e3], ["1h", 3600e3], ["8h", 28800e3], ["24h", 86400e3], ["7d", 604800e3]];
const MIN_SPAN = 5000;
const MAX_SPAN = 366 * 86400e3;
const SLIDE_MS = 1000;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const swatch = (at) => `var(--c${(at % 8) + 1})`;

export class Trend {
  /** `tags` drawn now; `onwindow(start, end, follow)` after each change of the window. */
  constructor({ tags = [], span = 3600e3, start, end, method = "minmax", onwindow } = {}) {
    this.tags = tags;
    this.method = method;
    this.onwindow = onwindow ?? (() => {});
    this.follow = end === undefined;
    this.end = end ?? live.now();
    this.start = start ?? this.end - span;
    this.data = new Map(); // tag number -> series of the API, live points appended
    this.box = h("div.mw-chart", { role: "img", "aria-label": t("trend") });
    this.over = h("div.mw-chart-over", { hidden: true });
    this.foot = h("div.mw-chart-foot");
    this.windows = segments(t("trend"), WINDOWS.map(([key]) => [key, t("window." + key)]), this.#preset(), (key) =>
      this.show(WINDOWS.find(([one]) => one === key)[1]));
    this.liveButton = h("button.mw-btn.mw-btn-small", { type: "button", onclick: () => this.#toLive() }, t("trend.live"));
    this.tools = h("div.mw-row", null, this.windows, this.liveButton,
      iconButton("left", t("trend.back"), () => this.#move(-0.5), "mw-btn-bare mw-btn-small mw-wide"),
      iconButton("right", t("trend.forward"), () => this.#move(0.5), "mw-btn-bare mw-btn-small mw-wide"),
      iconButton("plus", t("trend.in"), () => this.#zoom(0.5)),
      iconButton("minus", t("trend.out"), () => this.#zoom(2)));
    this.element = h("div", null, h("div", { style: "position:relative" }, this.box, this.over), this.foot);
    this.loadSoon = debounce(() => this.load(), 180);
    this.slideAt = 0;
  }

  /** Call once the element is in the page. */
  mount() {
    this.chart = echarts.init(this.box, null, { renderer: "canvas" });
    this.observer = new ResizeObserver(() => { this.chart.resize(); this.loadSoon(); });
    this.observer.observe(this.box);
    this.onTheme = () => this.#draw();
    window.addEventListener("mw-theme", this.onTheme);
    this.#gestures();
    return this.load();
  }

  destroy() {
    this.stopLive?.();
    this.observer?.disconnect();
    window.removeEventListener("mw-theme", this.onTheme);
    this.chart?.dispose();
  }

  setTags(tags) {
    this.tags = tags;
    return this.load();
  }

  setMethod(method) {
    this.method = method;
    return this.load();
  }

  /** The last `span` ms, following. */
  show(span) {
    this.follow = true;
    this.end = live.now();
    this.start = this.end - span;
    this.#moved(true);
  }

  setWindow(start, end) {
    this.follow = false;
    [this.start, this.end] = [start, end];
    this.#moved(true);
  }

  #preset() {
    const span = this.end - this.start;
    return this.follow ? WINDOWS.find(([, ms]) => Math.abs(ms - span) < 1000)?.[0] : undefined;
  }

  #toLive() {
    this.show(this.end - this.start);
  }

  #move(share) {
    const by = (this.end - this.start) * share;
    this.start += by;
    this.end += by;
    this.follow = this.end >= live.now();
    if (this.follow) {
      this.start -= this.end - live.now();
      this.end = live.now();
    }
    this.#moved();
  }

  #zoom(factor, around = 1) {
    const span = Math.min(MAX_SPAN, Math.max(MIN_SPAN, (this.end - this.start) * factor));
    const pivot = this.start + (this.end - this.start) * around;
    if (this.follow && around > 0.85) {
      this.start = this.end - span;
    } else {
      this.start = pivot - span * around;
      this.end = Math.min(this.start + span, live.now());
      this.follow = this.follow && this.end >= live.now() - span * 0.01;
    }
    this.#moved();
  }

  #moved(now = false) {
    this.#axis();
    this.windows.set(this.#preset());
    this.liveButton.setAttribute("aria-pressed", String(this.follow));
    this.onwindow(this.start, this.end, this.follow);
    if (now) this.load();
    else this.loadSoon();
  }

  async load() {
    const mine = (this.turn = (this.turn ?? 0) + 1);
    this.stopLive?.();
    this.stopLive = null;
    if (!this.tags.length) {
      this.data.clear();
      this.#say(empty("trend", t("trend.pick"), ""));
      fill(this.foot);
      return;
    }
    const width = Math.max(50, Math.round(this.box.clientWidth));
    const window_ = `start=${Math.round(this.start)}&end=${Math.round(this.end)}`;
    let reply;
    try {
      reply = await api(`/series?tags=${this.tags.map((tag) => tag.number)}&${window_}&width=${width}&method=${this.method}`);
    } catch (error) {
      if (mine === this.turn) this.#say(empty("bad", error.message, error.next ?? ""));
      return;
    }
    if (mine !== this.turn) return;
    this.data = new Map(reply.series.map((series) => [series.tag, series]));
    this.reply = reply;
    this.#draw();
    if (this.follow) this.#followLive();
  }

  #followLive() {
    const numbers = this.tags.filter((tag) => tag.type !== "text").map((tag) => tag.number);
    this.stopLive = watchTags(numbers, (number, value) => {
      const series = this.data.get(number);
      if (!series || typeof value.v === "string" || value.ms <= (series.ms.at(-1) ?? 0)) return;
      series.ms.push(value.ms);
      series.v.push(status(value.q) === "bad" ? null : value.v);
      series.q.push(value.q);
      if (series.low.length) {
        series.low.push(series.v.at(-1));
        series.high.push(series.v.at(-1));
      }
    }, () => {
      const now = performance.now();
      if (now - this.slideAt < Math.max(100, Math.min(SLIDE_MS, (this.end - this.start) / 2000))) return;
      this.slideAt = now;
      const span = this.end - this.start;
      this.end = live.now();
      this.start = this.end - span;
      for (const series of this.data.values()) {
        let drop = 0;
        while (drop < series.ms.length - 2 && series.ms[drop + 1] < this.start) drop++;
        if (drop > 200) for (const key of ["ms", "v", "q", "low", "high"]) series[key].splice(0, drop);
      }
      if (this.#grown() > 3 * this.box.clientWidth) this.load(); // thin again
      else this.#draw(true);
    });
  }

  #grown() {
    return Math.max(0, ...[...this.data.values()].map((series) => series.ms.length));
  }

  #say(element) {
    fill(this.over, element);
    this.over.hidden = false;
  }

  #axis() {
    this.chart?.setOption({ xAxis: { min: this.start, max: this.end } }, { lazyUpdate: false });
  }

  #draw(quick = false) {
    const points = [...this.data.values()].reduce((sum, series) => sum + series.ms.length, 0);
    if (!points) this.#say(empty("trend", t("trend.empty"), t("trend.empty.why")));
    else this.over.hidden = true;
    this.chart.setOption(this.#option(), quick ? { lazyUpdate: false } : { notMerge: true });
    this.liveButton.setAttribute("aria-pressed", String(this.follow));
    if (!quick) this.#lineage();
  }

  #lineage() {
    const all = [...this.data.values()];
    const sources = [...new Set(all.map((series) => series.source))];
    const source = sources.length > 1 ? t("trend.mixed") : sources[0] === "minute" ? t("trend.minute") : t("trend.raw");
    fill(this.foot,
      h("span", null, t("trend.lineage", {
        count: count(all.reduce((sum, series) => sum + series.count, 0)),
        kept: count(all.reduce((sum, series) => sum + series.ms.length, 0)),
        method: t("method." + this.method), source,
      })),
      h("span", null, `${moment(this.start)} – ${moment(this.end)}`),
      h("span.mw-grow"), h("span", null, t("trend.hint")));
    this.box.dataset.points = String(all.reduce((sum, series) => sum + series.ms.length, 0));
    this.box.dataset.start = String(Math.round(this.start));
    this.box.dataset.end = String(Math.round(this.end));
  }

  #option() {
    const [ink, ink3, line, panelColour] = ["--ink", "--ink-3", "--line", "--panel"].map(css);
    const colours = Array.from({ length: 8 }, (_, i) => css(`--c${i + 1}`));
    const units = [...new Set(this.tags.map((tag) => tag.unit_shown))];
    const narrow = this.box.clientWidth < 520;
    const pixel = (this.end - this.start) / Math.max(1, this.box.clientWidth);
    const series = [];
    this.tags.forEach((tag, at) => {
      const columns = this.data.get(tag.number);
      const colour = colours[(tag.colour ?? at) % 8];
      const axis = Math.min(units.indexOf(tag.unit_shown), 3);
      const step = tag.type === "bool" || tag.type === "int" ? "end" : false;
      series.push({
        id: `v${tag.number}`, name: named(tag) || tag.name, type: "line", yAxisIndex: axis, showSymbol: false, step,
        lineStyle: { width: 1.5, color: colour }, itemStyle: { color: colour }, connectNulls: false, animation: false,
        data: columns ? held(columns, tag, pixel, this.follow ? this.end : null) : [], z: 3, emphasis: { disabled: true },
      });
      if (!columns?.low.length) return;
      const { low, high } = columns;
      series.push(band(`l${tag.number}`, axis, colour, broken(columns, tag, pixel, (i) => low[i]), 0));
      series.push(band(`h${tag.number}`, axis, colour, broken(columns, tag, pixel, (i) => (low[i] === null ? null : high[i] - low[i])), 0.16));
    });
    return {
      backgroundColor: "transparent", animation: false, useUTC: false,
      grid: { left: 12, right: units.length > 2 ? 60 : 16, top: 30, bottom: 8, containLabel: true },
      textStyle: { fontFamily: css("--sans"), color: ink3 },
      tooltip: {
        trigger: "axis", backgroundColor: panelColour, borderColor: line, textStyle: { color: ink, fontSize: 12 }, confine: true,
        axisPointer: { type: "line", lineStyle: { color: ink3 } },
        formatter: (rows) => this.#tip(rows),
      },
      xAxis: {
        type: "time", min: this.start, max: this.end, axisLine: { lineStyle: { color: line } }, axisTick: { show: false },
        axisLabel: { color: ink3, hideOverlap: true }, splitLine: { show: false }, splitNumber: narrow ? 3 : 8,
      },
      yAxis: (units.length ? units : [""]).slice(0, 4).map((unit, i) => ({
        type: "value", name: unit, nameTextStyle: { color: ink3, align: i ? "right" : "left", padding: 0 }, scale: true,
        position: i ? "right" : "left", offset: i > 1 ? 52 * (i - 1) : 0,
        axisLabel: { color: ink3 }, splitLine: { show: i === 0, lineStyle: { color: line } },
      })),
      series,
    };
  }

  #tip(rows) {
    const lines = rows.filter((row) => row.seriesId.startsWith("v"));
    if (!lines.length) return "";
    const box = h("div", null, h("div.mw-faint", null, moment(lines[0].value[0])));
    for (const row of lines) {
      const tag = this.tags.find((one) => `v${one.number}` === row.seriesId);
      const simulated = row.value[2] & SIMULATED ? " · " + t("simulated") : "";
      box.append(h("div", null, h("i", { style: `display:inline-block;width:8px;height:8px;border-radius:2px;margin-right:6px;background:${row.color}` }),
        `${row.seriesName} `, h("b", null, `${shown(tag, row.value[1])} ${tag.unit_shown}`), h("span.mw-faint", null, simulated)));
    }
    return box;
  }

  #gestures() {
    const share = (event) => {
      const box = this.box.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left - 40) / (box.width - 56)));
    };
    this.box.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(event.deltaY > 0 ? 1.25 : 0.8, share(event));
    }, { passive: false });
    this.box.addEventListener("dblclick", () => this.#toLive());
    const fingers = new Map();
    this.box.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, event.clientX);
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = [...fingers.values()];
      const last = fingers.get(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 1 && event.clientX !== last) this.#move((last - event.clientX) / this.box.clientWidth);
      if (fingers.size === 2) {
        const after = [...fingers.values()];
        const [was, is] = [Math.abs(before[0] - before[1]), Math.abs(after[0] - after[1])];
        if (was > 10 && is > 10) this.#zoom(was / is, share(event));
      }
    });
    for (const kind of ["pointerup", "pointercancel"]) this.box.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  }
}

/** Points to draw. A tag that reports by exception holds its value until it says another, so
 * between points further apart than its schedule the line runs level and then jumps. */
function held(columns, tag, pixel, now) {
  const { ms, v, q } = columns;
  const rows = [];
  const usual = longest(columns, tag, pixel);
  for (let i = 0; i < ms.length; i++) {
    if (i && ms[i] - ms[i - 1] > usual && v[i - 1] !== null) rows.push([ms[i] - Math.max(pixel, tag.period_ms), v[i - 1], q[i - 1]]);
    rows.push([ms[i], v[i], q[i]]);
  }
  if (now && rows.length && rows.at(-1)[1] !== null && now > rows.at(-1)[0]) rows.push([now, rows.at(-1)[1], rows.at(-1)[2]]);
  return rows;
}

/** The longest step between points that is still one line, ms. */
const longest = (columns, tag, pixel) => 3 * Math.max(tag.period_ms, pixel, columns.source === "minute" ? 60000 : 0);

/** Points of a band, with a break where the line runs level. */
function broken(columns, tag, pixel, value) {
  const { ms } = columns;
  const rows = [];
  const usual = longest(columns, tag, pixel);
  for (let i = 0; i < ms.length; i++) {
    if (i && ms[i] - ms[i - 1] > usual) rows.push([ms[i] - 1, null]);
    rows.push([ms[i], value(i)]);
  }
  return rows;
}

function band(id, yAxisIndex, color, data, opacity) {
  return {
    id, type: "line", yAxisIndex, stack: id.slice(1), stackStrategy: "all", data, showSymbol: false, silent: true, animation: false,
    lineStyle: { width: 0 }, areaStyle: opacity ? { color, opacity } : undefined, itemStyle: { color }, emphasis: { disabled: true },
    tooltip: { show: false }, z: 1,
  };
}

/** Chips that switch tags of a trend on and off. */
export function legend(tags, chosen, onchange) {
  const element = h("div.mw-legend", { role: "group", "aria-label": t("tags.tag") });
  const draw = () => fill(element, tags.map((tag, at) => {
    const on = chosen.has(tag.number);
    return h("button.mw-leg", { type: "button", "aria-pressed": String(on), style: `--swatch:${swatch(tag.colour ?? at)}`, onclick: () => {
      if (on) chosen.delete(tag.number);
      else chosen.add(tag.number);
      draw();
      onchange();
    } }, h("i"), named(tag) || tag.name);
  }));
  draw();
  return element;
}

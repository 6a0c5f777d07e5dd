// The history explorer: several tags, any window, how complete it is, and all of it as CSV.

import { empty, fill, h, icon, iconButton, named, panel, problem, segments, simBadge, t, thingHref, thingName } from "mingwu-console/dom.js";
import { swatch, Trend } from "mingwu-console/chart.js";
import { age, count, plain } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { tagPicker } from "mingwu-console/picker.js";

const MOST = 8;
const pad = (n) => String(n).padStart(2, "0");
const local = (ms) => {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
};

export async function mount(root, { query }) {
  const tags = [];
  let method = ["minmax", "avg", "lttb"].includes(query.method) ? query.method : "minmax";
  const start = Number(query.start) || undefined;
  const end = Number(query.end) || undefined;
  const trend = new Trend({ tags, start, end: start ? end : undefined, method, onwindow });
  const from = h("input.mw-input", { type: "datetime-local", step: 1, id: "from" });
  const to = h("input.mw-input", { type: "datetime-local", step: 1, id: "to" });
  const picker = tagPicker(add);
  const chips = h("div.mw-legend");
  const complete = h("div");
  const csv = h("a.mw-btn", { download: true }, icon("download"), t("history.export"));
  const chart = panel(t("trend"), chips, trend.element);
  chart.head.append(trend.tools);
  const none = h("section.mw-panel", null, empty("trend", t("history.empty"), t("history.empty.why")));
  const methods = segments(t("history.method"), ["minmax", "avg", "lttb"].map((one) => [one, t("method." + one)]), method, (chosen) => {
    method = chosen;
    remember();
    trend.setMethod(chosen);
  });
  const full = h("div.mw-stack", null, chart, complete);
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("history.title")), h("p", null, t("history.lead"))), h("span.mw-grow"), csv),
    h("section.mw-panel", { style: "margin-bottom:16px" }, h("form.mw-form", { onsubmit: apply }, picker.element,
      h("label.mw-field", { for: "from" }, t("history.from"), from), h("label.mw-field", { for: "to" }, t("history.to"), to),
      h("button.mw-btn", { type: "submit" }, t("history.apply")),
      h("div.mw-field", null, t("history.method"), methods))), none, full);
  let mounted = false;
  onwindow(trend.start, trend.end, trend.follow);
  const wanted = (query.tags ?? "").split(",").filter(Boolean).slice(0, MOST);
  if (wanted.length) {
    try {
      (await api("/values?tags=" + wanted)).values.forEach((tag) => tags.push(tag));
    } catch (error) {
      root.prepend(problem(error));
    }
  }
  await draw();
  return { destroy: () => trend.destroy() };

  function add(tag) {
    if (tags.length >= MOST || tags.some((one) => one.number === tag.number)) return;
    tags.push(tag);
    draw();
  }

  async function draw() {
    tags.forEach((tag, at) => { tag.colour = at; });
    none.hidden = tags.length > 0;
    full.hidden = csv.hidden = !tags.length;
    fill(chips, tags.some((tag) => tag.simulated) ? simBadge() : null, tags.map((tag) => h("span.mw-leg", { "aria-pressed": "true", style: `--swatch:${swatch(tag.colour)};padding-right:2px` }, h("i"),
      h("a", { href: thingHref(tag.thing) }, `${thingName(tag)} · ${named(tag) || tag.name}`),
      iconButton("close", `${t("history.remove")} ${named(tag)}`, () => { tags.splice(tags.indexOf(tag), 1); draw(); }))));
    remember();
    if (!tags.length) return;
    if (mounted) await trend.setTags(tags);
    else {
      mounted = true;
      await trend.mount();
    }
    check();
  }

  function apply(event) {
    event.preventDefault();
    const [a, b] = [new Date(from.value).getTime(), new Date(to.value).getTime()];
    if (!(b > a)) return;
    trend.setWindow(a, b);
    check();
  }

  function onwindow(a, b, follow) {
    from.value = local(a);
    to.value = local(b);
    remember(follow ? {} : { start: Math.round(a), end: Math.round(b) });
    clearTimeout(onwindow.timer);
    onwindow.timer = setTimeout(check, 500);
  }

  function remember(window_ = trend.follow ? {} : { start: Math.round(trend.start), end: Math.round(trend.end) }) {
    const search = new URLSearchParams({ ...(tags.length ? { tags: tags.map((tag) => tag.number) } : {}), ...window_, ...(method === "minmax" ? {} : { method }) });
    window.history.replaceState(null, "", "/history" + (String(search) ? "?" + search : ""));
    csv.hidden = !tags.length;
    csv.href = `/api/export.csv?tags=${tags.map((tag) => tag.number)}&start=${Math.round(trend.start)}&end=${Math.round(trend.end)}`;
  }

  async function check() {
    if (!tags.length) return;
    let reply;
    try {
      reply = await api(`/completeness?tags=${tags.map((tag) => tag.number)}&start=${Math.round(trend.start)}&end=${Math.round(trend.end)}`);
    } catch (error) {
      fill(complete, problem(error, check));
      return;
    }
    const rows = reply.rows.map(({ row, ratio }) => {
      const tag = tags.find((one) => one.number === row.tag);
      return tag && h("tr", null, h("td.mw-lead", null, h("div.mw-two", null, h("span", null, named(tag) || tag.name), h("small", null, thingName(tag)))),
        h("td.num", null, h("b", null, `${plain(ratio * 100, 1)} %`)),
        h("td.mw-hide", null, h("div.mw-depth", { style: "width:140px;margin:0", dataset: { s: ratio < 0.9 ? "bad" : ratio < 0.98 ? "warn" : "" } }, h("i", { style: `width:${ratio * 100}%` }))),
        h("td.num.mw-hide", null, count(row.received)), h("td.num.mw-hide", null, count(row.expected)), h("td.num", null, age(row.longest_gap_s)));
    });
    const box = panel(t("history.completeness"), h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null,
      h("thead", null, h("tr", null, h("th", null, t("tags.tag")), h("th.num", null, t("history.completeness")), h("th"), h("th.num", null, t("history.received")), h("th.num", null, t("history.expected")), h("th.num", null, t("history.gap")))),
      h("tbody", null, rows.filter(Boolean)))));
    box.head.append(h("small.mw-faint", null, t("history.completeness.why")));
    fill(complete, box);
  }
}

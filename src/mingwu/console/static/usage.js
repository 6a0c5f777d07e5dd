// Statistics of resolution: who asked what, how much of it counts, and from which signed log.

import { button, copyButton, fill, h, icon, lang, panel, problem, role, segments, skeleton, state, t } from "mingwu-console/dom.js";
import { trouble } from "mingwu-console/absent.js";
import { dayBars, figure, meter, micros, percent } from "mingwu-console/figures.js";
import { count, moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const BASE = "/identity/usage";
const WINDOW = 30;
const COUNTED = [["client", "c1"], ["owner", "c4"]];
const APART = [["health", "c8"], ["own", "c6"], ["console", "c3"]];
const isEngineer = ["engineer", "admin"].includes(role);
const ask = (path) => api(`${BASE}${path}${path.includes("?") ? "&" : "?"}lang=${lang}`);

export async function mount(root, { query }) {
  let days = [7, 14, 30].includes(Number(query.days)) ? Number(query.days) : 14;
  const body = h("div.mw-stack");
  const range = segments(t("usage.range"), [7, 14, 30].map((n) => [n, t("usage.days", { n })]), days, (n) => { days = n; load(); });
  fill(root, h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("usage.title")), h("p", null, t("usage.lead"))), range), body);
  fill(body, skeleton(10));
  await load();
  return {};

  async function load() {
    try {
      const [span, window, log] = await Promise.all([ask(`/span?days=${days}`), ask(`?days=${WINDOW}`), ask("/log")]);
      const clients = isEngineer ? await ask(`/clients?days=${days}&limit=10`) : null;
      draw(span, window, log, clients);
    } catch (error) {
      fill(body, trouble(error, "usage", load));
    }
  }

  function draw(span, window, log, clients) {
    const rows = everyDay(span);
    fill(body, figures(span, window, rows),
      h("div.mw-two-cols", null,
        panel(t("usage.bars.counted"), dayBars({ rows, label: t("usage.bars.counted"), keys: COUNTED.map(([key, cls]) => ({ key, cls, label: t("cause." + key) })) })),
        panel(t("usage.bars.apart"), dayBars({ rows, label: t("usage.bars.apart"), keys: APART.map(([key, cls]) => ({ key, cls, label: t("cause." + key) })) }),
          h("p.mw-hint.mw-bars-note", null, t("usage.apart.why")))),
      prefixTable(window, query),
      h("div.mw-two-cols", null, clientPanel(clients), failurePanel(span.total)), logPanel(span, log));
  }
}

/** A row per day of the span, also of those without a question. */
function everyDay(span) {
  const known = new Map(span.days.map((one) => [one.day, one.figures]));
  const rows = [];
  for (let at = Date.parse(span.first + "T00:00:00Z"); at <= Date.parse(span.last + "T00:00:00Z"); at += 864e5) {
    const day = new Date(at).toISOString().slice(0, 10);
    rows.push({ day, figures: known.get(day) ?? null, ...(known.get(day)?.by_cause ?? {}) });
  }
  return rows;
}

function figures(span, window, rows) {
  const { total } = span;
  const source = t("usage.source", { first: span.first_segment, last: span.last_segment, key: span.key_id.slice(0, 12) }) + (span.unsealed ? t("usage.source.open") : "");
  const over = t("usage.window", { first: span.first, last: span.last });
  const lineage = (formula, sample, where = over) => [[t("lineage.formula"), formula], [t("lineage.window"), where], [t("lineage.sample"), sample], [t("lineage.source"), source]];
  const entries = t("usage.sample", { n: count(span.entries), lost: count(span.lost) });
  const counted = t("usage.sample.counted", { n: count(total.resolutions), all: count(span.entries) });
  const out = APART.reduce((sum, [key]) => sum + (total.by_cause[key] ?? 0), 0);
  return h("section.mw-panel.mw-kpis", null,
    figure(t("usage.daily"), count(total.resolutions / rows.length), t("usage.daily.sub", { n: count(total.resolutions), out: count(out) }),
      { key: "daily", lineage: lineage(t("usage.daily.formula", { n: count(total.resolutions), days: rows.length }), entries) }),
    figure(t("usage.share"), percent(window.share), t("usage.share.sub", { n: count(window.resolved_by_others), all: count(window.registered) }),
      { key: "share", lineage: lineage(t("usage.share.formula", { n: count(window.resolved_by_others), all: count(window.registered) }), t("usage.share.sample", { n: count(window.prefixes.length) }), t("usage.window.until", { days: window.days, until: moment(Date.parse(window.until)) })) }),
    figure(t("usage.clients"), count(total.clients), t("usage.clients.sub", { n: count(total.identifiers) }), { key: "clients", lineage: lineage(t("usage.clients.formula"), counted) }),
    figure(t("usage.latency"), `${micros(total.latency_us.p50)}`, t("usage.latency.sub", { p99: micros(total.latency_us.p99), max: micros(total.latency_us.max) }),
      { key: "latency", lineage: lineage(t("usage.latency.formula"), counted) }),
    figure(t("usage.peak"), count(total.peak_qps), total.peak_at ? moment(Date.parse(total.peak_at)) : "", { key: "peak", lineage: lineage(t("usage.peak.formula"), counted) }));
}

function prefixTable(window, query) {
  const rank = { share: (row) => row.share, registered: (row) => row.registered, resolutions: (row) => row.resolutions, clients: (row) => row.clients, prefix: (row) => row.prefix };
  const list = paged({
    at: "/usage", query: { ...query, q: query.prefix ?? query.q }, part: "usage", size: 15, search: t("usage.search"), sorted: ["resolutions", "desc"],
    load: (want) => {
      const q = (want.get("q") ?? "").toLowerCase();
      const by = rank[want.get("sort")] ?? rank.resolutions;
      const sign = want.get("order") === "desc" ? -1 : 1;
      const rows = window.prefixes.filter((row) => row.prefix.toLowerCase().includes(q));
      rows.sort((a, b) => (by(a) === null) - (by(b) === null) || (by(a) < by(b) ? -sign : by(a) > by(b) ? sign : 0));
      const from = Number(want.get("offset")) || 0;
      return Promise.resolve({ rows: rows.slice(from, from + 15), total: rows.length });
    },
    columns: [
      { label: t("usage.prefix"), sort: "prefix", cls: ".mw-lead.mw-mono", cell: (row) => row.prefix },
      { label: t("usage.registered"), sort: "registered", first: "desc", cls: ".num", cell: (row) => (row.registered ? count(row.registered) : "—") },
      { label: t("usage.byothers"), sort: "share", first: "desc", cls: ".mw-share-col", cell: (row) => (row.share === null ? h("span.mw-faint", null, t("usage.unregistered"))
        : h("div.mw-share", null, meter(row.share), h("span", null, `${percent(row.share)} · ${count(row.resolved_by_others)}`))) },
      { label: t("usage.resolutions"), sort: "resolutions", first: "desc", cls: ".num", cell: (row) => count(row.resolutions) },
      { label: t("usage.distinct"), sort: "clients", first: "desc", cls: ".num.mw-hide", cell: (row) => count(row.clients) },
    ],
    none: () => ["bars", t("usage.empty"), t("usage.empty.why")],
  });
  list.reload();
  const head = h("header", null, h("h2", null, t("usage.prefixes", { days: window.days })));
  list.element.prepend(head);
  return list.element;
}

function clientPanel(clients) {
  if (!clients) return panel(t("usage.top"), h("p.mw-dim.mw-pad", null, t("usage.top.role")));
  if (!clients.length) return panel(t("usage.top"), h("p.mw-dim.mw-pad", null, t("usage.empty")));
  const most = clients[0].resolutions;
  return panel(t("usage.top"), h("ul.mw-lines.mw-pad", null, clients.map((one) => h("li", null,
    h("div.mw-two", null, h("span.mw-mono", null, one.network), h("small.mw-mono", null, one.client)),
    h("span.mw-chip", null, t("cause." + one.cause)), h("div", { style: "width:88px" }, meter(one.resolutions / most)), h("span.mw-num", null, count(one.resolutions))))));
}

function failurePanel(total) {
  const rows = Object.entries(total.failures).sort((a, b) => b[1] - a[1]);
  return panel(t("usage.failures"), rows.length ? h("ul.mw-lines.mw-pad", null, rows.map(([kind, n]) => h("li", null, h("span", null, t("failure." + kind)),
    h("div", { style: "width:88px" }, meter(n / total.resolutions, { s: "warn" })), h("span.mw-num", null, `${count(n)} · ${percent(n / total.resolutions)}`))))
    : h("p.mw-dim.mw-pad", null, t("usage.failures.none")));
}

/** The log itself: what anybody outside can take and count again. */
function logPanel(span, log) {
  const command = "mingwu usage verify 00000001.mwu --key public-key.pem";
  const said = h("div", { "aria-live": "polite" });
  const check = button(t("usage.check"), async () => {
    check.disabled = true;
    fill(said, h("p.mw-dim", null, t("loading")));
    try {
      fill(said, verdict(await ask("/log/check")));
    } catch (error) {
      fill(said, problem(error));
    }
    check.disabled = false;
  }, "mw-btn-small", "shield");
  const sealed = log.filter((one) => one.sealed);
  const entries = log.reduce((sum, one) => sum + one.entries, 0);
  const box = panel(t("usage.log"), h("div.mw-pad.mw-stack", { style: "gap:10px" },
    h("p.mw-dim", null, t("usage.log.why", { n: count(entries), sealed: count(sealed.length) })), said,
    h("div.mw-code", null, h("code", null, command), copyButton(command)),
    h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null, h("thead", null, h("tr", null, h("th", null, t("usage.segment")), h("th", null, t("usage.begun")), h("th.num", null, t("usage.entries")), h("th", null, t("usage.sealed")), h("th", null, "SHA-256"))),
      h("tbody", null, log.slice(-8).reverse().map((one) => h("tr", null, h("td.mw-lead.mw-mono", null, String(one.number).padStart(8, "0")), h("td", null, moment(one.start_ms)), h("td.num", null, count(one.entries)),
        h("td.mw-hide", null, one.sealed ? state("good", t("usage.seal.good")) : state("running", t("usage.seal.open"))),
        h("td.mw-mono.mw-faint.mw-hide", null, one.sha256 ? one.sha256.slice(0, 24) + "…" : "—"))))))));
  if (isEngineer) box.head.append(check, h("a.mw-btn.mw-btn-small", { href: "/api/identity/usage/log/export", download: "usage-log.zip" }, icon("download"), t("usage.export")));
  return box;
}

function verdict(found) {
  if (!found.sound) return h("div.mw-problem", { role: "alert" }, icon("bad"), h("div", null, h("b", null, t("usage.unsound")), found.findings.map((one) => h("span", { style: "display:block" }, h("span.mw-mono", null, one.file), " ", one.fault))));
  return h("div.mw-ok", { role: "status" }, icon("good"), h("div", null, h("b", null, t("usage.sound", { n: count(found.segments) })),
    h("span", null, t("usage.sound.sub", { n: count(found.entries ?? 0), resolutions: count(found.resolutions ?? 0) })), h("small.mw-mono", null, found.head)));
}

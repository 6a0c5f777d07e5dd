// Enterprises of the second-level node: what each registered against what others resolve, and its node.

import { button, fill, h, icon, lang, problem, role, skeleton, state, t, toast } from "mingwu-console/dom.js";
import { pageBadge } from "mingwu-console/absent.js";
import { confirmed, drawer, field, input, select } from "mingwu-console/dialog.js";
import { ago, dayBars, figure, lasting, meter, micros, percent } from "mingwu-console/figures.js";
import { age, count, moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { eventLines, eventsPanel } from "mingwu-console/nodeevents.js";
import { paged } from "mingwu-console/paged.js";
import { keysOf } from "mingwu-console/tenantkeys.js";

const DESK = "/secondlevel/desk";
const UPSTREAM = { registered: "good", pending: "connecting", refused: "bad" };
const nameOf = (row) => (lang === "en" && row.name_en ? row.name_en : row.name);

export async function mount(root, { query }) {
  const strip = h("div");
  const badge = h("span");
  const events = h("div");
  let node = null;
  let rules = null;
  const list = paged({
    at: "/secondlevel/enterprises", query, part: "secondlevel", size: 25, sorted: ["identifiers", "desc"], search: t("enterprises.search"),
    load: (want) => api(`${DESK}/enterprises?${want}`), key: (row) => row.uscc,
    onload: (reply) => { rules = reply; drawStrip(reply.figures); },
    choices: [{ key: "only", label: t("enterprises.show"), initial: "", options: ({ figures }) => [["", t("all"), figures.enterprises],
      ["unused", t("enterprises.only.unused"), figures.unused], ["own", t("enterprises.only.own"), figures.own_nodes], ["down", t("enterprises.only.down"), figures.nodes_down]] }],
    columns: [
      { label: t("enterprises.name"), sort: "prefix", cls: ".mw-lead.mw-wide-col", cell: (row) => h("button.mw-row-link", { type: "button", onclick: () => show(row) },
        h("span.mw-two", null, h("span", null, nameOf(row)), h("small.mw-mono", null, row.prefixes.map((one) => one.prefix).join(" ")))) },
      { label: t("enterprises.served"), cls: ".mw-nowrap", cell: served },
      { label: t("enterprises.identifiers"), sort: "identifiers", first: "desc", cls: ".num", cell: (row) => h("div.mw-two", null, h("span", null, row.has_own_node && !row.identifiers ? "—" : count(row.identifiers)),
        h("small.mw-hide-narrow", null, t("enterprises.of", { limit: count(row.quota.identifiers) }))) },
      { label: t("enterprises.foreign"), sort: "foreign_share", cls: ".mw-share-col", cell: foreign },
      { label: t("enterprises.today"), sort: "requests_today", first: "desc", cls: ".num.mw-hide", cell: (row) => count(row.requests_today) },
      { label: t("enterprises.group"), cls: ".mw-hide", cell: (row) => h("span.mw-chip", null, groupName(row.group)) },
    ],
    none: (want) => want.q || want.only ? ["search", t("enterprises.nomatch"), t("enterprises.nomatch.why")] : ["enterprise", t("enterprises.empty"), t("enterprises.empty.why")],
  });
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("enterprises.title"), " ", badge), h("p", null, t("enterprises.lead")))),
    h("div.mw-stack", null, strip, list.element, events));
  node = await api(DESK + "/about").catch(() => null);
  if (node?.simulated) fill(badge, pageBadge());
  const reply = await list.reload();
  if (!reply) return {};
  fill(events, eventsPanel());
  const asked = query.id && (await api(`${DESK}/enterprises?q=${encodeURIComponent(query.id)}`)).rows[0];
  if (asked) show(asked);
  return { destroy: () => document.querySelector("dialog.mw-drawer")?.close() };

  function groupName(name) {
    const group = node?.groups.find((one) => one.name === name);
    return group ? group[lang] : name;
  }

  function drawStrip(one) {
    fill(strip, h("section.mw-panel.mw-kpis", null,
      figure(t("enterprises.count"), count(one.enterprises), t("enterprises.count.sub", { own: count(one.own_nodes) })),
      figure(t("enterprises.identifiers"), count(one.identifiers), t("enterprises.hosted")),
      figure(t("enterprises.resolved"), percent(one.foreign_share), t("enterprises.resolved.sub", { n: count(one.foreign_30d), days: rules.window_days }), { key: "foreign",
        lineage: [[t("lineage.formula"), t("usage.share.formula", { n: count(one.foreign_30d), all: count(one.identifiers) })], [t("lineage.window"), t("enterprises.window", { days: rules.window_days })],
          [t("lineage.source"), rules.source === "log" ? t("enterprises.source.log") : t("enterprises.source.counters")]] }),
      figure(t("enterprises.unused"), count(one.unused), one.unused ? t("enterprises.unused.sub", { n: count(one.unused_identifiers) }) : t("enterprises.unused.none"),
        { s: one.unused ? "bad" : "", key: "unused", onclick: () => list.change({ only: "unused", q: "" }) }),
      figure(t("enterprises.down"), count(one.nodes_down), t("enterprises.down.sub", { own: count(one.own_nodes) }), { s: one.nodes_down ? "bad" : "", onclick: () => list.change({ only: "down", q: "" }) })));
  }

  function served(row) {
    if (!row.has_own_node) return h("span.mw-dim", null, row.state === "left" ? t("enterprises.left") : t("mode.hosted"));
    const one = row.nodes[0];
    if (!one) return h("div.mw-two", null, h("span", null, t("mode.own")), h("small", null, t("enterprises.unprobed")));
    return h("div.mw-two", null, nodeState(one), h("small", null, one.state === "down" ? t("enterprises.since", { age: lasting(one.since_ms) }) : micros(one.latency_us)));
  }

  function foreign(row) {
    if (row.foreign_share === null) return h("span.mw-faint", null, row.has_own_node ? t("enterprises.elsewhere") : "—");
    const words = `${percent(row.foreign_share)} · ${count(row.foreign_30d)}`;
    return h("div.mw-share", { dataset: { s: row.is_unused ? "bad" : "" } }, meter(row.foreign_share, { s: row.is_unused ? "bad" : "", label: words }),
      h("span", null, row.is_unused ? icon("uncertain", t("enterprises.hardly")) : null, words));
  }

  // ------------------------------------------------------------ one enterprise
  function show(row) {
    list.mark(row.uscc);
    const monitoring = h("div");
    const box = drawer(nameOf(row), [
      row.is_unused ? h("div.mw-reasons", { dataset: { state: "rejected" }, role: "note" }, h("b", null, t("enterprises.hardly")),
        h("p", null, t("enterprises.hardly.why", { n: count(row.identifiers), m: count(row.foreign_30d), days: rules.window_days, many: count(rules.many), share: percent(rules.little_share) }))) : null,
      h("div.mw-detail-block", null, h("dl.mw-pairs", null, [[t("appfield.organisation.uscc"), row.uscc], [t("appfield.organisation.industry"), row.industry], [t("enterprises.group"), groupName(row.group)], [t("enterprises.networks"), row.networks.join(" ")]]
        .filter(([, value]) => value).map(([label, value]) => [h("dt", null, label), h("dd", null, value)]))),
      h("div.mw-detail-block", null, h("h3", null, t("enterprises.prefixes")), prefixes(row)),
      h("div.mw-detail-block", null, h("h3", null, t("enterprises.quota")), quota(row),
        role === "admin" ? h("div.mw-row", { style: "margin:8px 0 12px" }, button(t("enterprises.quota.change"), () => changing(row, box), "mw-btn-small", "setup")) : null),
      role === "admin" ? keysOf(row.uscc) : null,
      monitoring,
      h("div.mw-detail-block.mw-row", null, row.prefix ? h("a", { href: "/usage?prefix=" + encodeURIComponent(row.prefix) }, t("enterprises.usage")) : null,
        h("a", { href: "/secondlevel/applications?state=all&q=" + encodeURIComponent(row.uscc) }, t("enterprises.applications")))], () => list.mark(""));
    const own = row.prefixes.find((one) => one.mode === "own" && one.state === "active");
    if (own) watch(own, monitoring);
  }

  function prefixes(row) {
    return h("ul.mw-lines", null, row.prefixes.map((one) => h("li", null,
      h("div.mw-two", null, h("span.mw-mono", null, one.prefix), h("small", null, one.state === "left" ? t("enterprises.left") : `${t("mode." + one.mode)} · ${moment(one.since_ms)}`)),
      one.site ? h("span.mw-mono.mw-faint", null, one.site.service || `${one.site.host}:${one.site.port}`) : null,
      state(UPSTREAM[one.upstream] ?? "unknown", t("upstream." + one.upstream)))));
  }

  function quota(row) {
    const held = row.prefixes.filter((one) => one.state === "active").length;
    const lines = [[t("enterprises.quota.prefixes"), held, row.quota.prefixes], [t("enterprises.identifiers"), row.identifiers, row.quota.identifiers], [t("enterprises.today"), row.requests_today, row.quota.daily_requests]];
    return h("div.mw-quota", null, lines.map(([label, used, limit]) => {
      const share = limit ? used / limit : 1;
      return [h("span", null, label), meter(share, { s: share >= 1 ? "bad" : share > 0.8 ? "warn" : "", label: `${label}: ${count(used)} / ${count(limit)}` }), h("span", null, `${count(used)} / ${count(limit)}`)];
    }));
  }

  async function changing(row, box) {
    const number = (label, value) => field(label, input(value, { type: "number", min: "0", step: "1", required: true }));
    const fields = { prefixes: number(t("enterprises.quota.prefixes"), row.quota.prefixes), identifiers: number(t("enterprises.quota.identifiers"), row.quota.identifiers), daily_requests: number(t("enterprises.quota.daily"), row.quota.daily_requests) };
    const group = field(t("enterprises.group"), select((node?.groups ?? []).map((one) => [one.name, one[lang]]), row.group), t("enterprises.group.hint"));
    const networks = field(t("enterprises.networks"), input(row.networks.join(" "), { placeholder: "203.0.113.0/24", spellcheck: false, autocapitalize: "none" }), t("enterprises.networks.hint"), true);
    const done = await confirmed(t("enterprises.quota.change"), [h("div.mw-fields", null, Object.values(fields), group, networks)], t("save"), () => api("/secondlevel/tenants/" + encodeURIComponent(row.uscc), {
      method: "PATCH", body: { quota: Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, Number(one.control.value)])), group: group.control.value,
        networks: networks.control.value.split(/[\s,;，；]+/).filter(Boolean) } }));
    if (done === undefined) return;
    toast(t("saved"));
    box.close();
    const fresh = (await list.reload())?.rows.find((one) => one.uscc === row.uscc);
    if (fresh) show(fresh);
  }

  /** Probes of an enterprise's own node: state, latency by day, events. */
  async function watch(own, slot) {
    fill(slot, skeleton(3));
    try {
      const one = await api(`${DESK}/nodes/${encodeURIComponent(own.prefix)}`);
      const days = one.days.filter((day) => day.what === "resolve");
      fill(slot, h("div.mw-detail-block", null, h("h3", null, t("enterprises.monitoring")),
        one.state ? h("div.mw-row.mw-node-now", null, nodeState(one.state), h("span.mw-dim", null, t("enterprises.lastprobe", { when: ago(one.state.probed_at_ms) })), h("span", null, micros(one.state.latency_us)),
          one.state.detail && one.state.state !== "down" ? h("small.mw-faint", null, one.state.detail) : null) : h("p.mw-dim", null, t("enterprises.unprobed")),
        days.some((day) => day.count) ? dayBars({ label: t("enterprises.latency"), height: 120, show: micros, keys: [{ key: "mean_us", label: t("enterprises.latency"), cls: "c1" }], rows: days }) : null,
        h("p.mw-hint", null, t("enterprises.probes", { n: count(days.reduce((sum, day) => sum + day.count + day.failures, 0)), failed: count(days.reduce((sum, day) => sum + day.failures, 0)), every: age(one.interval_s), limit: one.failures_to_down })),
        eventLines(one.events)));
    } catch (error) {
      fill(slot, problem(error, () => watch(own, slot)));
    }
  }
}

const nodeState = (one) => state(one.state === "down" ? "lost" : one.failures ? "uncertain" : "online", one.state === "down" ? t("nodestate.down") : one.failures ? t("nodestate.failing", { n: one.failures }) : t("nodestate.up"));

// Who asked for a name in the last 30 days, from the signed log of the resolver.

import { empty, fill, h, panel, skeleton, t } from "mingwu-console/dom.js";
import { trouble } from "mingwu-console/absent.js";
import { ago, dayBars, figure } from "mingwu-console/figures.js";
import { count } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const DAYS = 30;
const CAUSES = [["client", "c1"], ["owner", "c4"], ["health", "c8"], ["own", "c6"], ["console", "c3"]];

export async function whoAsked(slot, name) {
  const draw = (...body) => fill(slot, panel(t("asked.title", { days: DAYS }), body));
  draw(skeleton(3));
  let use;
  try {
    use = await api(`/identity/usage/name?days=${DAYS}&name=${encodeURIComponent(name)}`);
  } catch (error) {
    draw(h("div.mw-pad", null, trouble(error, "usage", () => whoAsked(slot, name))));
    return;
  }
  const causes = CAUSES.filter(([key]) => use.total.by_cause[key]);
  if (!causes.length) {
    draw(empty("bars", t("asked.none"), use.since ? t("asked.none.why", { since: use.since }) : t("asked.nolog.why")));
    return;
  }
  draw(h("div.mw-kpis.mw-kpis-inner", null,
    figure(t("asked.counted"), count(use.total.resolutions), t("asked.counted.sub", { n: count(use.total.succeeded) }), { key: "counted" }),
    figure(t("asked.clients"), count(use.total.clients), t("asked.clients.sub")),
    figure(t("asked.last"), ago(use.last_ms), t("asked.since", { since: use.since }))),
  // the bars name their causes when there are several
  causes.length === 1 ? h("div.mw-chain-facts", null, h("span.mw-chip", null, `${t("cause." + causes[0][0])} ${count(use.total.by_cause[causes[0][0]])}`)) : null,
  dayBars({ rows: everyDay(use), label: t("asked.bars"), height: 120, keys: causes.map(([key, cls]) => ({ key, cls, label: `${t("cause." + key)} ${count(use.total.by_cause[key])}` })) }),
  clients(use), h("p.mw-hint.mw-pad", null, t("asked.note")));
}

function clients(use) {
  if (use.clients === null) return h("p.mw-dim.mw-pad", null, t("usage.top.role"));
  if (!use.clients.length) return null;
  const heads = h("tr", null, h("th", { scope: "col" }, t("asked.client")), h("th", { scope: "col" }, t("asked.cause")), h("th.num", { scope: "col" }, t("asked.times")));
  return h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null, h("thead", null, heads), h("tbody", null, use.clients.map((one) => h("tr", null,
    h("td.mw-lead.mw-mono", null, one.network, " ", h("small.mw-faint", { title: one.client }, one.client.slice(0, 8))), h("td", null, t("cause." + one.cause)), h("td.num", null, count(one.resolutions)))))));
}

/** A row for each of the last days, also of those nobody asked on. */
function everyDay({ days, last }) {
  const known = new Map(days.map((one) => [one.day, one.figures.by_cause]));
  const end = Date.parse(last + "T00:00:00Z");
  return Array.from({ length: DAYS }, (_, i) => new Date(end - (DAYS - 1 - i) * 864e5).toISOString().slice(0, 10)).map((day) => ({ day, ...(known.get(day) ?? {}) }));
}

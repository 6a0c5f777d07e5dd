// One name of the filing queue beside the list: what is to be filed, and what is new since it was filed last.

import { button, doer, h, icon, named, nameHref, t } from "mingwu-console/dom.js";
import { decide } from "mingwu-console/filingdecide.js";
import { ago } from "mingwu-console/figures.js";
import { moment } from "mingwu-console/format.js";
import { lifeState } from "mingwu-console/name.js";
import { returnedFor } from "mingwu-console/nameversions.js";
import { api } from "mingwu-console/net.js";

/** `back()` to the list, `decided(words)` after a decision. */
export async function filingDetail(name, { back, mayDecide, decided }) {
  const ask = "?name=" + encodeURIComponent(name);
  const [detail, { versions }] = await Promise.all([api("/identity/names/detail" + ask), api("/identity/names/history" + ask)]);
  const latest = versions[0];
  const filed = versions.find((one, at) => at > 0 && one.state === "filed");
  const acts = mayDecide ? ["return", "file"].filter((what) => detail.actions.includes(what)) : [];
  return h("section.mw-panel.mw-filing", { dataset: { name } },
    h("header", null, h("button.mw-btn.mw-btn-bare.mw-btn-small.mw-back", { type: "button", onclick: back, "aria-label": t("applications.back") }, icon("left")),
      h("h2.mw-mono.mw-break", { tabindex: -1 }, detail.name), lifeState(detail.state)),
    returnedFor(detail, versions),
    h("div.mw-detail-block.mw-detail-first", null, h("dl.mw-pairs", null, facts(detail, latest).map(([label, value]) => [h("dt", null, label), h("dd", null, value)]))),
    h("div.mw-detail-block", null, h("h3", null, t("name.values")), h("p.mw-faint.mw-filing-since", null, filed
      ? t("filing.sincefiled", { version: filed.version, when: moment(filed.at_ms) }) : t("filing.firsttime")), values(detail, filed)),
    h("div.mw-row.mw-actions", null, h("a.mw-btn", { href: nameHref(detail.name) }, icon("document"), t("filing.open")), h("span.mw-grow"), acts.map((what) =>
      button(t("act." + what), async () => {
        const said = await decide(what, { items: [{ name: detail.name, version: detail.version }], total: 1 });
        if (said) decided(said);
      }, what === "file" ? "mw-btn-main" : "", what === "file" ? "filing" : "left"))));
}

function facts(detail, latest) {
  const kind = `${named(detail.template) || detail.template.version} · ${t("kind." + detail.kind)}`;
  return [
    [t("name.template"), kind], [t("name.account"), doer(detail.owner)],
    [t("name.registered"), moment(detail.registered_at_ms)],
    [t("filing.since"), `${ago(detail.changed_at_ms)} · ${t("life.did." + latest.action)}, ${doer(latest.actor)}`],
    ...(latest.note && detail.state !== "returned" ? [[t("act.note"), latest.note]] : []),
  ];
}

/** All values; those that differ from what was filed show both. */
function values(detail, filed) {
  const old = filed ? new Map(filed.values.map((value) => [value.type, value.value])) : null;
  const now = new Map(detail.values.map((value) => [value.type, value]));
  const gone = old ? [...old].filter(([type]) => !now.has(type)) : [];
  return h("dl.mw-pairs.mw-filing-values", null,
    detail.values.map((value) => [h("dt", null, named(value) || value.type), h("dd.mw-break", null, shown(value, old))]),
    gone.map(([type, text]) => [h("dt", null, type), h("dd.mw-break", null, h("del", null, text))]));
}

function shown(value, old) {
  const lock = value.restricted ? [icon("lock", t("value.restricted")), " "] : null;
  if (value.value === null) return h("span.mw-restricted", null, icon("lock"), t("value.restricted.hidden"));
  const unit = value.unit ? h("small.mw-faint", null, " ", value.unit) : null;
  const before = old?.get(value.type);
  if (!old || before === value.value) return [lock, value.value, unit];
  return [lock, before === undefined ? null : [h("del", null, before), " → "], h("ins", null, value.value), unit];
}

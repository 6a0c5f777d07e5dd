// The versions of a name: who made them, when, and what became different.

import { button, empty, fill, h, panel, t } from "mingwu-console/dom.js";
import { moment } from "mingwu-console/format.js";

const SHOWN = 5;

/** What differs between two lists of values: [type, before, after]; null where there was none. */
function differences(before, after) {
  const old = new Map(before.map((value) => [value.type, value.value]));
  const now = new Map(after.map((value) => [value.type, value.value]));
  const types = [...new Set([...old.keys(), ...now.keys()])];
  return types.map((type) => [type, old.get(type) ?? null, now.get(type) ?? null]).filter(([, a, b]) => a !== b);
}

function diffLines(rows) {
  return h("dl.mw-diff", null, rows.map(([type, before, after]) => [h("dt.mw-mono", null, type),
    h("dd", null, before !== null ? h("del", null, before) : null, before !== null && after !== null ? h("span.mw-faint", null, " → ") : null, after !== null ? h("ins", null, after) : null)]));
}

/** Why a returned name was returned, or nothing. */
export function returnedFor(detail, versions) {
  if (detail?.state !== "returned" || !versions?.length) return null;
  const latest = versions.reduce((one, other) => (other.version > one.version ? other : one));
  return h("div.mw-reasons.mw-returned", null, h("b", null, t("filing.returned.for")), h("p.mw-break", null, latest.note || "—"),
    h("small.mw-dim", null, `${latest.actor} · ${moment(latest.at_ms)}`));
}

export function versions(history) {
  const rows = [...(history?.versions ?? [])].sort((a, b) => b.version - a.version);
  if (!rows.length) return panel(t("versions.title"), empty("document", t("versions.none"), t("versions.none.why")));
  const list = h("ol.mw-versions");
  const draw = (shown) => fill(list, rows.slice(0, shown).map((row, at) => version(row, rows[at + 1])),
    rows.length > shown ? h("li", null, button(t("versions.more", { n: rows.length - shown }), () => draw(rows.length), "mw-btn-small")) : null);
  draw(SHOWN);
  return panel(`${t("versions.title")} · ${rows.length}`, list);
}

function version(row, before) {
  const changes = differences(before?.values ?? [], row.values);
  return h("li", { dataset: { version: row.version } },
    h("div.mw-version-head", null, h("b", null, t("versions.n", { n: row.version })), h("span.mw-chip", null, t("life.did." + row.action)), h("span", null, row.actor), h("time.mw-faint", null, moment(row.at_ms))),
    before && before.template !== row.template ? h("small.mw-faint", null, t("versions.template")) : null,
    row.note ? h("p.mw-dim", null, row.note) : null,
    changes.length ? diffLines(changes) : h("small.mw-faint", null, t("versions.same")));
}

// The versions of a name: who made them, when, and what became different.

import { button, doer, empty, fill, h, named, panel, t } from "mingwu-console/dom.js";
import { moment } from "mingwu-console/format.js";

const SHOWN = 5;

/** What differs between two lists of values: [type, before, after]; null where there was none. */
function differences(before, after) {
  const old = new Map(before.map((value) => [value.type, value.value]));
  const now = new Map(after.map((value) => [value.type, value.value]));
  const types = [...new Set([...old.keys(), ...now.keys()])];
  return types.map((type) => [type, old.get(type) ?? null, now.get(type) ?? null]).filter(([, a, b]) => a !== b);
}

function diffLines(rows, words) {
  return h("dl.mw-diff", null, rows.map(([type, before, after]) => [words.has(type) ? h("dt", { title: type }, words.get(type)) : h("dt.mw-mono", null, type),
    h("dd", null, before !== null ? h("del", null, before) : null, before !== null && after !== null ? h("span.mw-faint", null, " → ") : null, after !== null ? h("ins", null, after) : null)]));
}

/** Why a returned name was returned, or nothing. */
export function returnedFor(detail, versions) {
  if (detail?.state !== "returned" || !versions?.length) return null;
  const latest = versions.reduce((one, other) => (other.version > one.version ? other : one));
  return h("div.mw-reasons.mw-returned", null, h("b", null, t("filing.returned.for")), h("p.mw-break", null, latest.note || "—"),
    h("small.mw-dim", null, `${doer(latest.actor)} · ${moment(latest.at_ms)}`));
}

/** `detail` knows what the values are called now. */
export function versions(history, detail) {
  const words = new Map((detail?.values ?? []).map((value) => [value.type, named(value) || value.type]));
  const rows = [...(history?.versions ?? [])].sort((a, b) => b.version - a.version);
  if (!rows.length) return panel(t("versions.title"), empty("document", t("versions.none"), t("versions.none.why")));
  const list = h("ol.mw-versions");
  const draw = (shown) => fill(list, rows.slice(0, shown).map((row, at) => version(row, rows[at + 1], words)),
    rows.length > shown ? h("li", null, button(t("versions.more", { n: rows.length - shown }), () => draw(rows.length), "mw-btn-small")) : null);
  draw(SHOWN);
  return panel(`${t("versions.title")} · ${rows.length}`, list);
}

function version(row, before, words) {
  const changes = differences(before?.values ?? [], row.values);
  return h("li", { dataset: { version: row.version } },
    h("div.mw-version-head", null, h("b", null, t("versions.n", { n: row.version })), h("span.mw-chip", null, t("life.did." + row.action)), h("span", null, doer(row.actor)), h("time.mw-faint", null, moment(row.at_ms))),
    before && before.template !== row.template ? h("small.mw-faint", null, t("versions.template")) : null,
    row.note ? h("p.mw-dim", null, row.note) : null,
    changes.length ? diffLines(changes, words) : h("small.mw-faint", null, t("versions.same")));
}

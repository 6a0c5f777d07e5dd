// A name's values with the state of their signatures, and the verdict about all of them.

import { empty, h, icon, named, panel, state, t } from "mingwu-console/dom.js";
import { age, moment } from "mingwu-console/format.js";

const LONG = 160;
const VERDICTS = { trusted: "good", unsigned: "uncertain", expired: "uncertain", "unknown-anchor": "uncertain" };
const RIGHTS = ["admin.read", "admin.write", "public.read", "public.write"];
const COLUMNS = ["index", "type", "data", "ttl", "permissions", "signature"];
const NARROWED = new Set(["index", "ttl", "permissions"]);

/** All values: those everybody reads, and the registered ones that are restricted. */
export function valueTable({ record, detail, trust }) {
  const registered = new Map((detail?.values ?? []).map((value) => [value.index, value]));
  const rows = (record?.values ?? []).filter((entry) => !entry.type.startsWith("MW.LIVE")).map((entry) => ({ ...entry, item: registered.get(entry.index) }));
  const here = new Set(rows.map((row) => row.index));
  for (const value of registered.values()) {
    if (!here.has(value.index)) rows.push({ index: value.index, type: value.type, data: { format: "string", value: value.value ?? "" }, item: value });
  }
  rows.sort((a, b) => a.index - b.index);
  const marks = signatureMarks(trust);
  const heads = COLUMNS.map((key) => h("th" + (["index", "ttl"].includes(key) ? ".num" : "") + (NARROWED.has(key) ? ".mw-hide" : ""), { scope: "col" }, t("value." + key)));
  const lines = rows.map((row) => h("tr", { dataset: { index: row.index } },
    h("td.num.mw-faint.mw-hide", null, row.index), h("td.mw-lead", null, typeCell(row)), h("td.mw-datum", null, h("div.mw-data", null, datum(row))),
    h("td.num.mw-faint.mw-hide.mw-nowrap", null, row.ttl === undefined ? "—" : typeof row.ttl === "number" ? age(row.ttl) : row.ttl),
    h("td.mw-hide", null, permissions(row)), h("td.mw-nowrap", null, row.ttl === undefined ? "—" : marks(row))));
  return panel(`${t("name.values")} · ${rows.length}`, h("div.mw-table-wrap", null,
    h("table.mw-table.mw-fold.mw-values", null, h("thead", null, h("tr", null, heads)), h("tbody", null, lines))));
}

function typeCell(row) {
  const index = h("span.mw-narrow.mw-faint", null, row.index, " ");
  const words = row.item && named(row.item);
  return words && words !== row.type ? h("div.mw-two", null, h("span", null, words), h("small.mw-mono", null, index, row.type)) : h("span.mw-mono.mw-break", null, index, row.type);
}

function datum(row) {
  if (row.item?.restricted && row.item.value === null) return h("span.mw-restricted", null, icon("lock"), t("value.restricted.hidden"));
  const value = row.data?.value;
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null);
  const unit = row.item?.unit ? h("small.mw-faint", null, " ", row.item.unit) : null;
  const body = text.length > LONG
    ? h("details.mw-long", null, h("summary.mw-mono", null, `${text.slice(0, 48)}…`, h("small.mw-faint", null, ` ${t("value.chars", { n: text.length })}`)), h("div.mw-mono.mw-break", null, text))
    : typeof value === "string" && /^https?:\/\//.test(value) ? h("a", { href: value, rel: "noreferrer noopener" }, value)
      : typeof value === "string" ? value : h("span.mw-mono", null, text);
  return row.item?.restricted ? [h("span.mw-restricted", { title: t("value.restricted.shown") }, icon("lock", t("value.restricted"))), " ", body, unit] : [body, unit];
}

/** Who may read and write a value: the four bits of its permissions, with words. */
function permissions(row) {
  if (row.item?.restricted) return h("span.mw-chip", { title: t("value.restricted.why") }, icon("lock"), t("value.restricted"));
  if (row.ttl === undefined) return h("span.mw-faint", null, "—");
  const bits = row.permissions ?? "1110";
  const words = RIGHTS.filter((_, i) => bits[i] === "1").map((name) => t("right." + name)).join(" · ");
  return h("span.mw-mono.mw-dim", { title: words }, bits, h("span.mw-sr", null, ` ${words}`));
}

function signatureMarks(trust) {
  if (!trust) return () => h("span.mw-faint", null, "—");
  const kinds = [["covered", "good"], ["uncovered", "uncertain"], ["changed", "bad"]]; // the worst comes last and stays
  const found = new Map(kinds.flatMap(([kind, mark]) => trust[kind].map((index) => [index, [mark, t("signature." + kind)]])));
  return (row) => {
    if (row.type === "HS_SIGNATURE") return h("span.mw-dim", null, t("signature.self"));
    const [mark, words] = found.get(row.index) ?? ["never", t("signature.none")];
    return state(mark, words);
  };
}

/** The verdict, its reason, and the chain up to the anchor. */
export function trustBox(trust, { record, asked }, isFresh = false) {
  if (!trust) {
    const foreign = record?.site;
    return marked(panel(t("trust.title"), empty("shield", t(foreign ? "trust.foreign" : "trust.none"), t(foreign ? "trust.foreign.why" : "trust.none.why", { name: asked }))));
  }
  const mark = VERDICTS[trust.verdict] ?? "bad";
  const verdict = h("div.mw-verdict", { dataset: { s: mark, verdict: trust.verdict } }, icon(mark === "good" ? "shield" : mark),
    h("div", null, h("b", null, trust.verdict_text), h("p", null, trust.reason_text), isFresh ? h("small", null, t("trust.fresh")) : null, trust.detail ? h("small.mw-mono.mw-break", null, trust.detail) : null));
  const chain = trust.chain.length ? h("ol.mw-trust-chain", { "aria-label": t("trust.chain") }, steps(trust).map(([name, what, more]) =>
    h("li", null, h("span.mw-mono.mw-break", null, name), h("small", null, what, more ? [h("br"), more] : null)))) : null;
  const lists = [["covered", trust.covered], ["uncovered", trust.uncovered], ["changed", trust.changed], ["missing", trust.absent], ["live", trust.live]].filter(([, indexes]) => indexes.length);
  return marked(panel(t("trust.title"), verdict, chain, h("dl.mw-facts", null,
    lists.map(([kind, indexes]) => [h("dt", null, t("trust." + kind)), h("dd.mw-mono", null, indexes.length > 8 ? `${indexes.slice(0, 8).join(", ")}, … (${indexes.length})` : indexes.join(", "))]),
    h("dt", null, t("trust.checked")), h("dd", null, moment(trust.checked_at * 1000)),
    trust.valid_until ? [h("dt", null, t("trust.until")), h("dd", null, moment(trust.valid_until * 1000))] : null)));
}

function marked(element) {
  element.dataset.part = "trust";
  return element;
}

/** The record, then each key with what it vouched for; only a trusted chain ends at an anchor. */
function steps(trust) {
  const lines = [[trust.handle, t("trust.record"), ""]];
  trust.chain.forEach((link, i) => {
    const until = link.valid_until ? t("trust.step.until", { when: moment(link.valid_until * 1000).split(/[ ,]/)[0] }) : "";
    if (link.subject !== link.issuer) lines.push([link.issuer, t(i === 0 ? "trust.signer" : "trust.voucher", { algorithm: link.algorithm }), until]);
  });
  if (trust.verdict === "trusted") lines.at(-1)[1] = `${t("trust.anchor")} · ${lines.at(-1)[1]}`;
  return lines;
}

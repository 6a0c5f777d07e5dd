// What differs between two definitions of a template, and what it means for the names that exist.

import { fill, h, nameHref, skeleton, problem, state, t } from "mingwu-console/dom.js";
import { count } from "mingwu-console/format.js";

const MARKS = { added: "mw-chip-good", removed: "mw-chip-bad", disabled: "mw-chip-bad", changed: "" };

/** A value of a field as people read it. */
export function fieldWords(name, value) {
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) return t("diff.empty");
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (name === "data_type") return t("datatype." + value);
  if (name === "kind") return t("kind." + value);
  if (name === "industry") return value.class || value.group || value.division || value.category;
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function fieldLines(fields) {
  return h("dl.mw-diff", null, fields.map((one) => [h("dt", null, t("tplfield." + one.field)),
    h("dd", null, h("del", null, fieldWords(one.field, one.before)), h("span.mw-faint", null, " → "), h("ins", null, fieldWords(one.field, one.after)))]));
}

function itemLines(item) {
  const isOff = item.what === "changed" && item.fields.some((one) => one.field === "enabled" && !one.after);
  const what = isOff ? "disabled" : item.what;
  return h("li", { dataset: { item: item.type, what } },
    h("div.mw-row", null, h("b.mw-mono", null, item.type), h("span.mw-chip" + (MARKS[what] ? "." + MARKS[what] : ""), null, t("tplwhat." + what)), item.binding ? h("small.mw-warn", null, t("diff.binding")) : null),
    item.fields.length ? fieldLines(item.fields) : null);
}

/** A reply of the routes: {difference, effect}; the effect is null for those who may not see all values. */
export function differenceView({ difference, effect }) {
  const { fields, items } = difference;
  return h("div.mw-difference", null,
    fields.length ? h("div", null, h("h3", null, t("diff.template")), fieldLines(fields)) : null,
    items.length ? h("ul.mw-diff-items", null, items.map(itemLines)) : fields.length ? null : h("p.mw-dim", null, t("diff.none")),
    effect ? effectView(effect, items.some((one) => one.binding)) : null);
}

function effectView(effect, isBinding) {
  const { names, judged, invalid, newly, first } = effect;
  const body = !names ? h("p.mw-dim", null, t("effect.nonames"))
    : !isBinding ? h("p", null, state("good", t("effect.loose", { n: count(names) })))
    : !invalid ? h("p", null, state("good", t("effect.good", { n: count(judged) })))
    : [h("p", null, state("uncertain", t("effect.bad", { n: count(invalid), all: count(judged), newly: count(newly) }))), h("p.mw-hint", null, t("effect.stay")),
      h("details.mw-affected", { open: invalid <= 5 }, h("summary", null, `${t("effect.first")} (${first.length})`), h("ul", null, first.map((one) => h("li", null,
        h("a.mw-mono.mw-break", { href: nameHref(one.name), target: "_blank" }, one.name), one.faults.map((fault) => h("small", null, fault.message))))))];
  return h("div.mw-effect", { dataset: { invalid } }, h("h3", null, t("effect.title")), body,
    judged && judged < names ? h("p.mw-hint", null, t("effect.part", { n: count(judged), all: count(names) })) : null);
}

/** Ask for a difference and show it in `slot`. */
export async function showDifference(slot, asked) {
  fill(slot, skeleton(2));
  try {
    fill(slot, differenceView(await asked));
  } catch (error) {
    fill(slot, problem(error));
  }
}

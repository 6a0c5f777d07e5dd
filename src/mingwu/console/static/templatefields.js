// The definition of a template as a form: its own fields, and one foldable card for each item.

import { button, fill, h, named, t } from "mingwu-console/dom.js";
import { field, input, select } from "mingwu-console/dialog.js";
import { industryField } from "mingwu-console/industrypicker.js";

const TYPES = ["string", "number", "date", "identifier", "url"];
const KINDS = ["machine", "product", "part", "process", "algorithm", "data", "order", "lot", "permit", "document", "slice"];
const FLAGS = ["required", "unique", "restricted", "enabled"];
const BLANK = { type: "", index: 0, name_zh: "", name_en: "", code: "", data_type: "string", required: false, unique: false, restricted: false, enabled: true,
  min_length: 0, max_length: 255, low: null, high: null, decimals: null, date_format: "YYYY-MM-DD", choices: [], default: "", unit: "", comment: "" };
// Which limits count for which type of data.
const LIMITS = { string: ["min_length", "max_length", "choices"], number: ["low", "high", "decimals", "choices"], date: ["date_format"], identifier: [], url: ["max_length"] };
const WHOLE = new Set(["min_length", "max_length", "decimals"]);

const label = (name) => t("tplfield." + name);

/** `stored`: types that stand in the stored template and stay. `onchange()` after every change. */
export function templateFields(definition, stored, onchange) {
  const text = (name, more = {}) => field(label(name), input(definition[name], { maxlength: 200, ...more }));
  const own = {
    name_zh: text("name_zh"), name_en: text("name_en"),
    kind: field(label("kind"), select(KINDS.map((kind) => [kind, t("kind." + kind)]), definition.kind)),
    type: field(t("template.type"), select([["2", t("template.type.other")], ["1", t("template.type.carrier")]], String(definition.type))),
    standard: text("standard"), classify: text("classify", { maxlength: 100 }),
    description: field(label("description"), h("textarea.mw-input", { rows: 2, maxlength: 1000 }, definition.description), "", true),
  };
  const industry = industryField(label("industry"), definition.industry, onchange);
  const cards = [];
  const list = h("div.mw-item-cards");
  for (const item of definition.items) add(item, false);
  const element = h("div.mw-stack", { oninput: onchange, onchange },
    h("section.mw-panel", null, h("header", null, h("h2", null, t("edit.general"))), h("div.mw-fields.mw-pad", null, Object.values(own).slice(0, 4), industry, Object.values(own).slice(4))),
    h("section.mw-panel", null, h("header", null, h("h2", null, t("edit.items"))), h("p.mw-hint.mw-pad", null, t("edit.kept")), list,
      h("div.mw-actions", null, button(t("edit.add"), () => { add({ ...BLANK }, true).focus(); onchange(); }, "", "plus"))));

  return { element, value, wrong };

  function add(item, isOpen) {
    const card = itemCard(item, { isStored: stored.has(item.type), isOpen, remove: () => {
      cards.splice(cards.indexOf(card), 1);
      card.element.remove();
      onchange();
    } });
    cards.push(card);
    list.append(card.element);
    return card;
  }

  function value() {
    const found = { ...definition, industry: industry.value(), items: cards.map((card) => card.value()) };
    for (const [name, one] of Object.entries(own)) found[name] = one.control.value.trim();
    found.type = Number(found.type);
    return found;
  }

  /** Show faults ({item, message}) at their items; gives those that belong to none, and opens the first. */
  function wrong(faults) {
    for (const card of cards) card.wrong("");
    const loose = [];
    let first;
    for (const fault of faults) {
      const card = cards.find((one) => one.type() === fault.item && fault.item);
      if (!card) { loose.push(fault); continue; }
      card.wrong(fault.message);
      first ??= card;
    }
    first?.focus();
    return loose;
  }
}

/** One item. What its type of data has no use for is left as it was. */
function itemCard(item, { isStored, isOpen, remove }) {
  const hint = (name) => t("tplhint." + name);
  const text = (name, more = {}, said = "") => field(label(name), input(item[name] ?? "", more), said);
  const fields = {
    type: text("type", { required: true, maxlength: 128, readonly: isStored, autocapitalize: "none" }, isStored ? "" : hint("type")),
    name_zh: text("name_zh", { maxlength: 200 }), name_en: text("name_en", { maxlength: 200 }),
    data_type: field(label("data_type"), select(TYPES.map((one) => [one, t("datatype." + one)]), item.data_type, { onchange: () => limits() })),
    unit: text("unit", { maxlength: 40 }),
    min_length: text("min_length", { inputmode: "numeric" }), max_length: text("max_length", { inputmode: "numeric" }),
    low: text("low", { inputmode: "decimal" }), high: text("high", { inputmode: "decimal" }), decimals: text("decimals", { inputmode: "numeric" }),
    date_format: text("date_format", { maxlength: 40 }, hint("date_format")),
    choices: field(label("choices"), h("textarea.mw-input", { rows: Math.min(6, Math.max(2, item.choices.length)) }, item.choices.join("\n")), hint("choices"), true),
    default: text("default", { maxlength: 4000 }, hint("default")),
    comment: text("comment", { maxlength: 1000 }),
  };
  for (const [name, one] of Object.entries(fields)) one.dataset.field = name;
  const flags = Object.fromEntries(FLAGS.map((name) => [name, h("input", { type: "checkbox", checked: item[name], "aria-label": label(name), dataset: { flag: name } })]));
  const said = h("p.mw-said", { "aria-live": "polite", hidden: true });
  const head = h("span.mw-item-head");
  const element = h("details.mw-item-card", { open: isOpen, oninput: () => title(), onchange: () => title() }, h("summary", null, head),
    said, h("div.mw-fields.mw-pad", null, fields.type, fields.name_zh, fields.name_en, fields.data_type, fields.unit),
    h("div.mw-flags.mw-pad", null, FLAGS.filter((name) => isStored || name !== "enabled").map((name) => h("label.mw-check", null, flags[name], h("span", null, label(name), h("small.mw-faint", null, hint(name)))))),
    h("div.mw-fields.mw-pad", null, ["min_length", "max_length", "low", "high", "decimals", "date_format", "choices", "default", "comment"].map((name) => fields[name])),
    isStored ? null : h("div.mw-actions", null, button(t("edit.remove"), remove, "mw-btn-warn mw-btn-small", "minus")));
  limits();
  title();
  return {
    element, value, type: () => fields.type.control.value.trim(),
    focus: () => { element.open = true; element.scrollIntoView({ block: "nearest" }); (said.hidden && !isStored ? fields.type.control : element.querySelector("summary")).focus(); },
    wrong: (message) => { said.textContent = message; said.hidden = !message; element.toggleAttribute("data-wrong", Boolean(message)); if (message) element.open = true; },
  };

  function limits() {
    const wanted = new Set(LIMITS[fields.data_type.control.value]);
    for (const name of new Set(Object.values(LIMITS).flat())) fields[name].hidden = !wanted.has(name);
    fields.unit.hidden = fields.data_type.control.value !== "number" && !fields.unit.control.value;
  }

  function title() {
    const now = value();
    fill(head, h("b", null, named(now) || now.type || t("edit.add"), now.required ? h("span.mw-required", null, " *") : null), h("small.mw-mono.mw-faint.mw-break", null, now.type),
      h("span.mw-chip", null, t("datatype." + now.data_type)), ["unique", "restricted"].filter((name) => now[name]).map((name) => h("span.mw-chip", null, label(name))),
      now.enabled ? null : h("span.mw-chip.mw-chip-bad", null, t("tplwhat.disabled")));
  }

  function value() {
    const found = { ...item };
    for (const name of ["type", "name_zh", "name_en", "data_type", "unit", "date_format", "default", "comment"]) found[name] = fields[name].control.value.trim();
    for (const name of FLAGS) found[name] = flags[name].checked;
    found.choices = fields.choices.control.value.split("\n").map((one) => one.trim()).filter(Boolean);
    for (const name of ["min_length", "max_length", "low", "high", "decimals"]) found[name] = number(name);
    return found;
  }

  /** The number in a field; what is no number stays as it was and is said. */
  function number(name) {
    const written = fields[name].control.value.trim();
    const isEmpty = written === "" && item[name] === null || written === "" && !["min_length", "max_length"].includes(name);
    const found = Number(written);
    const isGood = isEmpty || (written !== "" && Number.isFinite(found) && (!WHOLE.has(name) || Number.isInteger(found)));
    fields[name].wrong(isGood ? "" : t("tplhint.number"));
    return isEmpty ? null : isGood ? found : item[name];
  }
}

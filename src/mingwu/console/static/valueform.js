// The values of a name as a form made from its data template; the server has the last word.

import { debounce, fill, h, icon, named, t } from "mingwu-console/dom.js";
import { field, input, select } from "mingwu-console/dialog.js";
import { api } from "mingwu-console/net.js";

const LONG_TEXT = 300;

/**
 * Fields for the enabled items of `template`; `values` by item type. `hidden`: types this person may not see.
 * `isNew`: what has no value begins with the default of its item.
 */
export function valueForm(template, values = {}, { hidden = new Set(), isNew = false } = {}) {
  const items = template.definition.items.filter((item) => item.enabled && !hidden.has(item.type));
  const fields = new Map(items.map((item) => [item.type, fieldOf(item, values[item.type] ?? (isNew ? item.default : ""))]));
  return {
    element: h("div.mw-fields", null, [...fields.values()]),
    /** What stands in the fields; empty ones are left out unless `all`. */
    values: (all = false) => Object.fromEntries([...fields].map(([type, one]) => [type, one.control.value.trim()]).filter(([, text]) => all || text)),
    /** Show faults ({item, message}) at their fields; gives those that have no field here. */
    wrong(faults) {
      for (const one of fields.values()) one.wrong("");
      const placed = faults.filter((fault) => fields.has(fault.item));
      for (const fault of placed) fields.get(fault.item).wrong(fault.message);
      fields.get(placed[0]?.item)?.control.focus();
      return faults.filter((fault) => !fields.has(fault.item));
    },
  };
}

function fieldOf(item, value) {
  const label = h("span", null, named(item) || item.type, item.required ? h("b.mw-required", { title: t("form.required") }, " *") : null,
    item.unit ? h("span.mw-faint", null, ` ${item.unit}`) : null, item.restricted ? [" ", icon("lock", t("value.restricted"))] : null);
  const one = field(label, controlOf(item, value), hintOf(item), item.max_length > LONG_TEXT && item.data_type === "string");
  one.dataset.item = item.type;
  if (item.data_type === "identifier") one.append(suggestions(one.control));
  return one;
}

function controlOf(item, value) {
  const more = { name: item.type, required: item.required, maxlength: item.max_length };
  if (item.choices.length) return select([["", "—"], ...item.choices.map((choice) => [choice, choice])], value, { name: item.type, required: item.required });
  if (item.data_type === "number") return input(value, { ...more, inputmode: "decimal" });
  if (item.data_type === "date" && item.date_format === "YYYY-MM-DD") return input(value, { ...more, type: "date" });
  if (item.data_type === "date") return input(value, { ...more, placeholder: item.date_format });
  if (item.data_type === "url") return input(value, { ...more, type: "url", placeholder: "https://" });
  if (item.data_type === "identifier") return input(value, { ...more, placeholder: "88.888.101/…" });
  return item.max_length > LONG_TEXT ? h("textarea.mw-input", { ...more, rows: 3 }, value) : input(value, more);
}

/** What a value must be, in words; `isBare`: the limits only. */
export function hintOf(item, { isBare = false } = {}) {
  const range = item.low !== null && item.high !== null ? `${item.low} – ${item.high}` : item.low !== null ? `≥ ${item.low}` : item.high !== null ? `≤ ${item.high}` : "";
  const kind = {
    number: [t("form.number"), range, item.decimals !== null ? t("form.decimals", { n: item.decimals }) : ""].filter(Boolean).join(" "),
    date: item.date_format, identifier: t("form.identifier"), url: "",
    string: item.choices.length ? "" : item.min_length > 0 ? t("form.length", { low: item.min_length, high: item.max_length }) : item.max_length < 255 ? t("form.most", { n: item.max_length }) : "",
  }[item.data_type];
  if (isBare) return item.data_type === "number" ? [range, item.decimals !== null ? t("form.decimals", { n: item.decimals }) : ""].filter(Boolean).join(" · ") : item.data_type === "identifier" ? "" : kind;
  return [kind, item.unique ? t("form.unique") : "", item.restricted ? t("value.restricted") : "", item.comment].filter(Boolean).join(" · ");
}

/** Names that contain what is typed, offered by the browser. */
export function suggestions(control) {
  const list = h("datalist", { id: control.id + "-names" });
  control.setAttribute("list", list.id);
  control.addEventListener("input", debounce(async () => {
    const text = control.value.trim();
    if (text.length < 2) return;
    const found = await api(`/identity/names?limit=12&text=${encodeURIComponent(text)}`).catch(() => ({ names: [] }));
    fill(list, found.names.map((row) => h("option", { value: row.name })));
  }, 200));
  return list;
}

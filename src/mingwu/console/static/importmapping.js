// The look at a table and the mapping made for it: proposed, changed, saved, tried.

import { button, empty, fill, h, named, panel, problem, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input, select } from "mingwu-console/dialog.js";
import { bytes, count } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const SEPARATORS = { ",": "import.sep.comma", ";": "import.sep.semicolon", "\t": "import.sep.tab" };
const EXISTING = ["skip", "change", "fault"];
const COLUMN = /^\{([^{}]*)\}$/;

/** `want`: upload or source, template, sheet, head, mapping — as they stand in the address. */
export async function mappingView(want, { go }) {
  const [{ templates }, { mappings: kept }] = await Promise.all([api("/identity/templates?limit=500"), api("/identity/mappings")]);
  const published = templates.filter((one) => one.state === "published").sort((a, b) => b.names - a.names);
  const look = await api("/identity/imports/preview?" + new URLSearchParams(Object.entries(want).filter(([key]) => ["upload", "source", "template", "sheet", "head"].includes(key))));
  const again = (what) => go({ ...want, ...what });
  const element = h("div.mw-stack", null, tablePanel(look, again));
  if (!published.length) {
    element.append(h("section.mw-panel", null, empty("register", t("names.notemplate"), t("names.notemplate.why"))));
  } else if (look.columns.length) {
    element.append(mappingPanel({ want, look, published, mappings: kept.map((one) => one.mapping), again, go }));
  }
  return element;
}

function tablePanel(look, again) {
  const { form } = look;
  const how = form.kind === "sql" ? ["SQL", look.source] : form.kind === "xlsx" ? [".xlsx"] : ["CSV", form.encoding.replace("-sig", " (BOM)").toUpperCase(), t(SEPARATORS[form.separator])];
  const rows = !look.rows ? (look.first.length ? t("import.look.unknown") : "") : look.rows < 200 ? t("import.look.rows", { n: count(look.rows) }) : t("import.look.some", { n: count(look.rows) });
  const facts = [...how, look.upload ? bytes(look.upload.size) : "", rows].filter(Boolean).join(" · ");
  const sheet = form.sheets.length > 1 ? field(t("import.sheet"), select(form.sheets.map((name) => [name, name]), look.sheet, { onchange: (event) => again({ sheet: event.target.value, head: "" }) })) : null;
  const head = form.kind === "sql" ? null : field(t("import.headrow"), input(look.head, { type: "number", min: "1", max: "1000", onchange: (event) => event.target.value && again({ head: event.target.value }) }));
  const element = panel(look.upload?.name ?? look.source, h("p.mw-pad.mw-dim", null, facts),
    sheet || head ? h("div.mw-fields.mw-import-form", null, sheet, head) : null,
    look.first.length ? preview(look) : empty("search", t("import.look.empty"), t("import.look.empty.why")));
  element.dataset.part = "table";
  return element;
}

function preview(look) {
  return h("div.mw-table-wrap.mw-import-look", { tabindex: 0, role: "region", "aria-label": t("import.look.first") },
    h("table.mw-table", null, h("thead", null, h("tr", null, h("th.num", { scope: "col" }, t("import.row")), look.columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, look.first.map((one) => h("tr", null, h("td.num.mw-faint", null, String(one.row)), one.cells.map((cell) => h("td", { title: cell }, cell)))))));
}

function mappingPanel({ want, look, published, mappings, again, go }) {
  const number = want.template ?? "";
  const template = published.find((one) => String(one.number) === number);
  const chosen = field(t("name.template"), select([["", t("import.template.choose")], ...published.map((one) => [String(one.number), `${named(one.definition)} · ${one.definition.version}`])], number,
    { onchange: (event) => again({ template: event.target.value, mapping: "" }) }));
  if (!template) return panelOf(h("div.mw-fields.mw-import-form", null, chosen), actions(go, null));

  const mine = mappings.filter((one) => one.version === template.definition.version && one.prefix === template.definition.prefix);
  const loaded = mine.find((one) => one.name === want.mapping && look.fitting.includes(one.name));
  const base = loaded ?? look.proposal;
  const saved = field(t("import.saved"), select([["", t("import.saved.none")], ...mine.map((one) => [one.name, look.fitting.includes(one.name) ? one.name : t("import.saved.unfit", { name: one.name })])], loaded?.name ?? "",
    { onchange: (event) => again({ mapping: event.target.value }) }));
  for (const option of saved.control.options) option.disabled = option.value !== "" && !look.fitting.includes(option.value);
  const said = h("div", { "aria-live": "polite" });
  const sample = Object.fromEntries(look.columns.map((name, at) => [name, look.first[0]?.cells[at] ?? ""]));
  const fitted = (pattern) => pattern.replace(/\{([^{}]*)\}/g, (whole, name) => sample[name] ?? whole);

  const identifier = field(t("names.identifier"), input(base.identifier, { required: true, maxlength: 255, class: "mw-input mw-mono", oninput: draw }), t("import.identifier.hint", { serial: "{serial}" }));
  const insert = field(t("import.insert"), select([["", "—"], ...look.columns.map((name) => [name, name])], "", { onchange: (event) => {
    const { control } = identifier;
    const at = control.selectionStart ?? control.value.length;
    control.value = control.value.slice(0, at) + `{${event.target.value}}` + control.value.slice(control.selectionEnd ?? at);
    event.target.value = "";
    draw();
  } }));
  const result = h("p.mw-import-name", null, h("span.mw-faint", null, t("import.sample")), " ", h("b.mw-mono.mw-break", null, ""));
  const items = template.definition.items.filter((item) => item.enabled).map((item) => itemRow(item, base.values[item.type] ?? "", look.columns, fitted, draw));
  const policy = h("fieldset.mw-import-policy", null, h("legend", null, t("import.existing")), EXISTING.map((name) => h("label", null,
    h("input", { type: "radio", name: "existing", value: name, checked: base.existing === name }), t("existing." + name))), h("small.mw-hint", null, t("import.existing.why")));
  const name = field(t("import.mapname"), input(base.name, { required: true, maxlength: 64, pattern: "[A-Za-z0-9_.\\-]+" }), t("import.mapname.hint"));
  const ends = actions(go, attempt);
  draw();
  return panelOf(h("div.mw-fields.mw-import-form", null, chosen, saved),
    h("div.mw-import-id", null, identifier, insert), result,
    h("div.mw-import-items", { role: "table", "aria-label": t("import.mapping") },
      h("div.mw-import-item.mw-import-itemhead", { role: "row" }, [t("import.item"), t("import.from"), t("import.sample")].map((word) => h("span", { role: "columnheader" }, word))),
      items.map((one) => one.element)),
    policy, h("div.mw-import-save", null, name, h("div.mw-row", null, button(t("import.save"), save, "", "good"), loaded ? button(t("import.delete"), () => remove(loaded.name), "mw-btn-warn") : null)),
    said, ends);

  function draw() {
    const isSame = look.rows !== 1 && !look.columns.some((one) => identifier.control.value.includes(`{${one}}`));
    identifier.wrong(isSame ? t("import.identifier.same") : "");
    ends.next.disabled = isSame;
    result.lastChild.textContent = fitted(identifier.control.value);
    for (const one of items ?? []) one.draw();
  }

  function mapping() {
    return { ...base, name: name.control.value.trim() || base.name, identifier: identifier.control.value.trim(), sheet: look.form.kind === "xlsx" ? look.sheet : "", head: look.head,
      existing: policy.querySelector("input:checked").value, values: Object.fromEntries(items.map((one) => [one.type, one.pattern()]).filter(([, pattern]) => pattern)) };
  }

  async function attempt(event) {
    const go_on = event.currentTarget;
    go_on.disabled = true;
    try {
      const job = await api("/identity/imports", { method: "POST", body: { mapping: mapping(), upload: want.upload ?? "", source: want.source ?? "", dry: true } });
      await go({ job: job.id });
    } catch (error) {
      fill(said, problem(error));
      go_on.disabled = false;
    }
  }

  async function save() {
    try {
      const made = await api("/identity/mappings", { method: "PUT", body: mapping() });
      toast(t("import.saved.done", { name: made.name }));
      await again({ mapping: made.name });
    } catch (error) {
      fill(said, problem(error));
    }
  }

  async function remove(which) {
    const done = await confirmed(t("import.delete.title", { name: which }), h("p", null, t("import.delete.why")), t("import.delete"),
      () => api("/identity/mappings?name=" + encodeURIComponent(which), { method: "DELETE" }), { grave: true });
    if (done === undefined) return;
    toast(t("import.deleted", { name: which }));
    await again({ mapping: "" });
  }
}

function panelOf(...body) {
  const element = panel(t("import.mapping"), ...body);
  element.dataset.part = "mapping";
  return element;
}

function actions(go, attempt) {
  const next = button(t("import.try"), attempt, "mw-btn-main", "right");
  next.disabled = !attempt;
  const row = h("div.mw-row.mw-actions", null, button(t("import.back"), () => go({})), h("span.mw-grow"), next);
  return Object.assign(row, { next });
}

/** One item: the column it comes from, or a text with columns; what the first row gives. */
function itemRow(item, pattern, columns, fitted, changed) {
  const column = COLUMN.exec(pattern)?.[1];
  const kind = !pattern ? "" : columns.includes(column) ? "c:" + column : "p";
  const label = named(item) || item.type;
  const id = "item-" + item.index;
  const from = select([["", t("import.notfilled")], ...columns.map((name) => ["c:" + name, name]), ["p", t("import.pattern")]], kind, { id, onchange: () => { shape(); changed(); if (from.value === "p") text.focus(); } });
  const text = input(kind === "p" ? pattern : "", { "aria-label": t("import.pattern.of", { item: label }), maxlength: 1000, oninput: changed });
  const shown = h("span.mw-import-sample", { role: "cell" });
  const element = h("div.mw-import-item", { role: "row", dataset: { item: item.type } },
    h("label", { for: id, role: "cell" }, label, item.required ? h("b.mw-required", { title: t("form.required") }, " *") : null, h("small.mw-faint.mw-mono", null, item.type)),
    h("span.mw-import-from", { role: "cell" }, from, text), shown);
  shape();
  return { element, type: item.type, pattern: value, draw };

  function shape() {
    if (from.value === "p" && !text.value && column) text.value = pattern;
    text.hidden = from.value !== "p";
  }

  function value() {
    return from.value === "p" ? text.value : from.value ? `{${from.value.slice(2)}}` : "";
  }

  function draw() {
    const isLacking = item.required && !value();
    element.toggleAttribute("data-lacking", isLacking);
    shown.textContent = isLacking ? t("import.lacking") : fitted(value());
  }
}

// A new data template: from a ready-made one, a copy, or a file. It begins as a draft and opens in its editor.

import { button, debounce, empty, fill, h, named, problem, t } from "mingwu-console/dom.js";
import { confirmed, drawer, field, input, select } from "mingwu-console/dialog.js";
import { industryField } from "mingwu-console/industrypicker.js";
import { api } from "mingwu-console/net.js";
import { differenceView } from "mingwu-console/templatediff.js";

const NOWHERE = { category: "", division: "", group: "", class: "" };
const editor = (number) => location.assign(`/names/templates/${number}?edit=1`);

/** A drawer that makes a draft; `copied`: the number of a template to begin with. */
export async function newTemplate(copied = 0) {
  const box = drawer(t("templates.new"), h("div"));
  let made;
  let original;
  try {
    [made, original] = await Promise.all([api("/identity/templates/readymade"), copied ? api("/identity/templates/" + copied) : null]);
  } catch (error) {
    box.show(h("div.mw-pad", null, problem(error, () => newTemplate(copied))));
    return;
  }
  const starts = [...(original ? [["copy", t("templates.start.copy", { name: named(original.definition) || original.definition.version })]] : []),
    ...made.templates.map((one) => [one.kind, t("templates.start.n", { kind: t("kind." + one.kind), n: one.items.length })]), ["", t("templates.start.name")]];
  const start = field(t("templates.start"), select(starts, starts[0][0], { onchange: suggest }), t("templates.start.why"));
  const prefix = field(t("templates.prefix"), select(made.prefixes.map((one) => [one, one]), original?.definition.prefix ?? made.prefixes[0]));
  const version = field(t("templates.version"), input("", { required: true, maxlength: 128, autocapitalize: "none", oninput: () => { isOwn = true; } }), t("templates.version.hint"));
  const zh = field(t("tplfield.name_zh"), input(original?.definition.name_zh ?? "", { maxlength: 200 }));
  const en = field(t("tplfield.name_en"), input(original?.definition.name_en ?? "", { maxlength: 200 }));
  const industry = industryField(t("template.industry"), original?.definition.industry ?? NOWHERE);
  const said = h("div", { "aria-live": "polite" });
  const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("templates.make"));
  const form = h("form.mw-registering", { onsubmit: submit }, h("div.mw-fields", null, start, prefix, version, zh, en, industry), said, h("div.mw-row.mw-end", null, go));
  form.noValidate = true;
  let isOwn = false;
  suggest();
  box.show(form);
  start.control.focus();

  function suggest() {
    if (isOwn) return;
    const what = start.control.value;
    version.control.value = what === "copy" ? original.definition.version + "-2" : (what || "TEMPLATE").toUpperCase() + "-1.0";
  }

  function definition() {
    const what = start.control.value;
    const common = { prefix: prefix.control.value, version: version.control.value.trim(), name_zh: zh.control.value.trim(), name_en: en.control.value.trim(), industry: industry.value() };
    if (what === "copy") return { ...original.definition, handle: "", ...Object.fromEntries(Object.entries(common).filter(([, value]) => value)) };
    const ready = made.templates.find((one) => one.kind === what);
    return { ...common, kind: what || "product", items: ready?.items ?? made.templates[0].items.slice(0, 1) };
  }

  async function submit(event) {
    event.preventDefault();
    fill(said);
    version.wrong(version.control.value.trim() ? "" : t("names.missing"));
    industry.wrong(industry.value().division ? "" : t("templates.industry.need"));
    const wrong = form.querySelector("[data-wrong]");
    if (wrong) return wrong.control.focus();
    go.disabled = true;
    try {
      editor((await api("/identity/templates", { method: "POST", body: definition() })).number);
    } catch (error) {
      if (error.code === "enterprise.template-taken") version.wrong(error.message);
      fill(said, problem(error));
      go.disabled = false;
    }
  }
}

/** A drawer that reads a file, says what is in it, and makes a draft or the next revision of it. */
export function importTemplate() {
  const seen = h("div", { "aria-live": "polite" });
  const file = field(t("templates.file"), h("input.mw-input", { type: "file", accept: ".json,application/json", onchange: () => look(true) }), t("templates.file.hint"), true);
  const element = h("form.mw-registering", { onsubmit: (event) => event.preventDefault() }, h("div.mw-fields", null, file), seen);
  drawer(t("templates.import"), element);
  file.control.focus();
  let chosen;

  /** `isNew`: another file, whose own prefix and version are taken. */
  async function look(isNew) {
    const blob = file.control.files[0];
    if (!blob) return;
    const query = new URLSearchParams();
    if (!isNew && chosen) for (const key of ["prefix", "version"]) if (chosen[key].control.value.trim()) query.set(key, chosen[key].control.value.trim());
    try {
      const [reply, made] = await Promise.all([api("/identity/templates/read?" + query, { method: "POST", body: blob }), api("/identity/templates/readymade")]);
      draw(reply, made.prefixes, blob);
    } catch (error) {
      chosen = undefined;
      fill(seen, problem(error));
    }
  }

  function draw({ definition, faults, existing }, prefixes, blob) {
    const known = prefixes.includes(definition.prefix) ? prefixes : [definition.prefix, ...prefixes];
    const focused = document.activeElement?.id;
    chosen = {
      prefix: field(t("templates.prefix"), select(known.map((one) => [one, one]), definition.prefix, { id: "import-prefix", onchange: () => look(false) })),
      version: field(t("templates.version"), input(definition.version, { id: "import-version", maxlength: 128, oninput: debounce(() => look(false), 400) }), t("templates.version.hint")),
    };
    const send = async (more) => {
      const query = new URLSearchParams({ prefix: chosen.prefix.control.value, version: chosen.version.control.value.trim(), ...more });
      editor((await api("/identity/templates/import?" + query, { method: "POST", body: blob })).number);
    };
    // what a revision means for the names that exist is asked before it is made
    const revise = async () => {
      const at = "/identity/templates/" + existing.number;
      try {
        const means = await api(at + "/check", { method: "POST", body: definition });
        const isGrave = means.effect.invalid > 0;
        await confirmed(t("edit.save.title", { n: existing.revision + 1 }), differenceView(means), t(isGrave ? "edit.save.anyway" : "edit.save.do"), () => send({ revise: "1", base: String(existing.revision) }), { grave: isGrave });
      } catch (error) {
        fill(said, problem(error));
      }
    };
    const said = h("div");
    const isBad = faults.length > 0;
    fill(seen, h("p", null, h("b", null, t("templates.file.holds", { name: named(definition) || definition.version, n: definition.items.length }))),
      h("div.mw-fields", null, chosen.prefix, chosen.version),
      isBad ? [empty("bad", t("templates.file.faults"), ""), h("ul.mw-faults", null, faults.map((fault) => h("li", null, fault.message)))] : null,
      existing ? h("p.mw-hint", null, t("templates.file.exists", { version: existing.definition.version, revision: existing.revision })) : null, said,
      isBad ? null : h("div.mw-row.mw-end", null, existing ? button(t("templates.file.revise"), revise, "mw-btn-main") : button(t("templates.file.make"), () => send({}).catch((error) => fill(said, problem(error))), "mw-btn-main")));
    if (focused) {
      const again = document.getElementById(focused);
      again?.focus();
      if (focused === "import-version") again?.setSelectionRange(again.value.length, again.value.length);
    }
  }
}

// Registration: the names of this node, found by text, template, state; and one more registered.

import { button, doer, empty, fill, h, icon, named, nameHref, role, state, t, toastNext } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { drawer, field, input, select } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { moment } from "mingwu-console/format.js";
import { lifeState } from "mingwu-console/name.js";
import { callFor } from "mingwu-console/nameactions.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";
import { valueForm } from "mingwu-console/valueform.js";

const STATES = ["draft", "registered", "filed", "changed", "returned", "deregistered"];
const mayRegister = ["engineer", "admin"].includes(role);

export async function mount(root, { query }) {
  let templates;
  try {
    templates = (await api("/identity/templates?limit=1000")).templates;
  } catch (error) {
    fill(root, head(), trouble(error, "enterprise", () => location.reload()));
    return {};
  }
  const published = templates.filter((one) => one.state === "published").sort((a, b) => b.names - a.names);
  const list = table(query, templates);
  fill(root, head(mayRegister ? [h("a.mw-btn", { href: "/names/import" }, icon("import"), t("import.title")), button(t("names.new"), () => register(published), "mw-btn-main", "plus")] : null), list.element);
  await list.reload();
  if (query.new && mayRegister) register(published, query.new, query.with);
  return { destroy: () => document.querySelector("dialog.mw-drawer")?.close() };
}

function head(action) {
  return h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("nav.registrations"), " ", pageBadge()), h("p", null, t("names.lead"))), action);
}

function table(query, templates) {
  const words = new Map(templates.map((one) => [one.number, named(one.definition) || one.definition.version]));
  const prefixes = [...new Set(templates.map((one) => one.definition.prefix))].sort();
  let counts = {};
  return paged({
    at: "/names", query, part: "enterprise", size: 50, search: t("names.search"), sorted: ["changed_at_ms", "desc"],
    load: async (want) => {
      const [reply, all] = await Promise.all([api("/identity/names?titles=true&" + asked(want)), api("/identity/counts")]);
      counts = all.state;
      return { ...reply, rows: reply.names };
    },
    selects: [{ key: "template", label: t("name.template"), options: [["", t("names.alltemplates")], ...words] },
      ...(prefixes.length > 1 ? [{ key: "prefix", label: t("names.prefix"), options: [["", t("names.allprefixes")], ...prefixes.map((one) => [one, one])] }] : [])],
    choices: [{ key: "state", label: t("names.state"), initial: "", options: () => [["", t("all"), Object.values(counts).reduce((sum, n) => sum + n, 0)], ...STATES.map((one) => [one, t("life." + one), counts[one] ?? 0])] }],
    columns: [
      { label: t("name.title"), sort: "name", cls: ".mw-lead.mw-wide-col", cell: (row) => h("div.mw-two", null, h("a.mw-mono.mw-break", { href: nameHref(row.name) }, row.name), h("small.mw-one", { title: named(row, "title_") }, named(row, "title_"))) },
      { label: t("name.kind"), sort: "kind", cls: ".mw-hide", cell: (row) => t("kind." + row.kind) },
      { label: t("name.template"), cls: ".mw-hide", cell: (row) => words.get(row.template) ?? row.template },
      { label: t("names.state"), sort: "state", cell: (row) => lifeState(row.state) },
      { label: t("name.version"), sort: "version", first: "desc", cls: ".num.mw-hide", cell: (row) => row.version },
      { label: t("name.account"), sort: "owner", cls: ".mw-hide", cell: (row) => doer(row.owner) },
      { label: t("name.changed"), sort: "changed_at_ms", first: "desc", cls: ".num.mw-nowrap", cell: (row) => h("span.mw-dim", { title: moment(row.changed_at_ms) }, ago(row.changed_at_ms)) },
    ],
    none: (want) => want.q || want.state || want.template || want.prefix ? ["search", t("names.nomatch"), t("names.nomatch.why")] : ["register", t("names.empty"), t("names.empty.why")],
  });
}

/** The table's wishes in the words of the route. */
function asked(want) {
  const found = new URLSearchParams();
  const words = { q: "text", state: "state", template: "template", prefix: "prefix", sort: "sort", offset: "offset", limit: "limit" };
  for (const [key, name] of Object.entries(words)) if (want.get(key)) found.set(name, want.get(key));
  found.set("descending", String(want.get("order") === "desc"));
  return found;
}

/** A drawer with a form made from the chosen template. */
function register(published, wanted = "", number = "") {
  if (!published.length) {
    drawer(t("names.new"), empty("register", t("names.notemplate"), t("names.notemplate.why")));
    return;
  }
  let form;
  const slot = h("div");
  const said = h("div", { "aria-live": "polite" });
  const fit = published.find((one) => String(one.number) === number) ?? published.find((one) => wanted.startsWith(one.definition.prefix + "/")) ?? published[0];
  const template = field(t("name.template"), select(published.map((one) => [String(one.number), `${named(one.definition)} · ${one.definition.version}`]), String(fit.number), { onchange: () => draw() }));
  const name = field(t("names.identifier"), input(wanted, { required: true, maxlength: 255, autocapitalize: "none" }), t("names.name.hint"));
  const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("names.register"));
  const draft = h("input", { type: "checkbox", id: "as-draft", onchange: () => { const isDraft = draft.checked; go.textContent = t(isDraft ? "names.draft.do" : "names.register"); } });
  const element = h("form.mw-registering", { onsubmit: submit }, h("div.mw-fields", null, template, name), slot,
    h("label.mw-check", { for: "as-draft" }, draft, h("span", null, t("names.draft"), h("small.mw-faint", null, t("names.draft.why")))), said, h("div.mw-row.mw-end", null, go));
  element.noValidate = true; // faults are said at their fields, in the page's language
  const box = drawer(t("names.new"), element);
  draw();
  (wanted && !wanted.endsWith("/") ? form.element.querySelector("input") : name.control).focus();

  function chosen() {
    return published.find((one) => String(one.number) === template.control.value);
  }

  function draw() {
    form = valueForm(chosen(), form?.values() ?? {}, { isNew: true });
    if (!name.control.value || /^[\d.]+\/$/.test(name.control.value)) name.control.value = chosen().definition.prefix + "/";
    fill(slot, form.element);
  }

  async function submit(event) {
    event.preventDefault();
    fill(said);
    const lacking = lacks();
    const isDraft = draft.checked;
    const text = name.control.value.trim();
    const items = [{ name: text, template: { handle: chosen().definition.handle }, values: form.values() }];
    go.disabled = true;
    try {
      // what lacks is known here; the rest is asked for even then, so that everything is said at once
      await callFor("register", { items, draft: isDraft, dry: lacking.length > 0 });
      if (lacking.length) return show(lacking);
      box.close();
      toastNext(t(isDraft ? "names.drafted" : "act.register.done"));
      location.assign(nameHref(text));
    } catch (fault) {
      const known = new Set(lacking.map((one) => one.item));
      show([...lacking, ...(fault.faults ?? [fault]).filter((one) => !known.has(one.item || ""))]);
    }
  }

  /** Say every fault at its field; those without one stand at the name and below. */
  function show(faults) {
    const loose = form.wrong(faults);
    name.wrong(loose.length ? loose[0].message : "");
    fill(said, h("div.mw-said", { role: "alert" }, faults.length > 1 ? h("b", null, t("names.faults", { n: faults.length })) : null,
      loose.map((one) => h("p", null, state("bad", one.message), h("small", null, one.next ?? "")))));
    if (loose.length) name.control.focus();
    go.disabled = false;
  }

  /** What the browser finds wrong; a draft may lack what is required. The name has the item "". */
  function lacks() {
    return [...element.querySelectorAll(".mw-field")].map((one) => {
      const { validity } = one.control;
      const isLacking = validity.valueMissing && (one === name || !draft.checked);
      const message = isLacking ? t("names.missing") : validity.typeMismatch || validity.badInput ? t("names.wrongform") : "";
      return { item: one.dataset.item ?? "", message };
    }).filter((one) => one.message);
  }
}

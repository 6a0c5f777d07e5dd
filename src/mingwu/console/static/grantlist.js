// Grants in pages, found by grantee, kind, template; and a new one, made from the items of its template.

import { button, fill, h, icon, named, problem, segments, t, toast } from "mingwu-console/dom.js";
import { drawer, field, input, select } from "mingwu-console/dialog.js";
import { givenCell, granteeCell, granteeField, mayWords, revokeButton, targetCell } from "mingwu-console/granted.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";
import { suggestions } from "mingwu-console/valueform.js";

const KINDS = ["group", "account", "application", "enterprise", "identity"];

export async function grantList({ at, query }) {
  const { templates } = await api("/identity/templates?limit=1000");
  const words = templates.map((one) => [String(one.number), named(one.definition) || one.definition.version]);
  const list = paged({
    at, query, part: "enterprise", size: 50, search: t("grants.search"),
    load: async (want) => {
      const names = { q: "text", kind: "kind", template: "template", may: "may", offset: "offset", limit: "limit" };
      const asked = Object.entries(names).filter(([key]) => want.get(key)).map(([key, name]) => [name, want.get(key)]);
      const reply = await api("/identity/grants?" + new URLSearchParams(asked));
      return { ...reply, rows: reply.grants };
    },
    selects: [{ key: "template", label: t("name.template"), options: [["", t("names.alltemplates")], ...words] },
      { key: "may", label: t("grants.what"), options: [["", t("grants.anymay")], ["read", t("may.read")], ["write", t("may.write")]] }],
    choices: [{ key: "kind", label: t("grants.whom"), initial: "", options: () => [["", t("all")], ...KINDS.map((one) => [one, t("who." + one)])] }],
    columns: [
      { label: t("grants.whom"), cls: ".mw-lead", cell: granteeCell },
      { label: t("grants.what"), cell: mayWords },
      { label: t("grants.on"), cell: targetCell },
      { label: t("grants.given"), cls: ".mw-nowrap.mw-hide", cell: givenCell },
      { label: "", cls: ".mw-fit.mw-take", cell: (row) => revokeButton(row, () => list.reload()) },
    ],
    none: (want) => want.q || want.kind || want.template || want.may ? ["search", t("grants.nomatch"), t("filing.nomatch.why")] : ["lock", t("grants.empty"), t("grants.empty.why")],
  });
  await list.reload();
  return { element: list.element, does: button(t("grants.new"), () => granting(templates, { done: () => list.reload() }), "mw-btn-main", "plus") };
}

/** A drawer that grants items of a template or of one name. */
export async function granting(templates, { name = "", who = "", done }) {
  let scope = name ? "identifier" : "template";
  let may = "read";
  let template = null;
  let turn = 0;
  const whom = await granteeField(t("grants.whom"), who);
  const hidden = (one) => one.definition.items.some((item) => item.restricted);
  const published = templates.filter((one) => one.state !== "draft").sort((a, b) => hidden(b) - hidden(a));
  const whole = field(t("name.template"), select(published.map((one) => [String(one.number), `${named(one.definition)} · ${one.definition.version}`]), "", { onchange: items }));
  const single = field(t("names.identifier"), input(name, { maxlength: 255, autocapitalize: "none", onchange: items }));
  single.append(suggestions(single.control));
  const place = h("div");
  const choice = h("div.mw-grant-items", { role: "group", "aria-label": t("grants.items") });
  const said = h("div", { "aria-live": "polite" });
  const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("grants.do"));
  const form = h("form.mw-registering", { onsubmit: submit, novalidate: true }, whom,
    labelled(t("grants.on"), segments(t("grants.on"), [["template", t("grants.wholetemplate")], ["identifier", t("grants.onename")]], scope, (value) => { scope = value; draw(); })), place,
    labelled(t("grants.what"), segments(t("grants.what"), [["read", t("may.read")], ["write", t("may.write")]], may, (value) => { may = value; items(); })), choice, said,
    h("div.mw-row.mw-end", null, go));
  const box = drawer(t("grants.new"), form);
  draw();
  whom.control.focus();

  function draw() {
    fill(place, scope === "template" ? whole : single);
    return items();
  }

  /** The items that can be granted: restricted ones to read, all to change. */
  async function items() {
    const mine = ++turn;
    const number = scope === "template" ? whole.control.value : await numberOf(single.control.value.trim());
    const found = number ? await api("/identity/templates/" + number) : null;
    if (mine !== turn) return null; // something else was chosen meanwhile
    template = found;
    if (!template) return fill(choice, h("small.mw-faint", null, t("grants.items.later")));
    const readings = may === "read" ? template.readings.map((one) => ({ ...one, restricted: true })) : [];
    const all = [...template.definition.items.filter((item) => item.enabled && (may === "write" || item.restricted)), ...readings];
    if (!all.length) return fill(choice, h("p.mw-dim", null, t("grants.items.none")));
    return fill(choice, box1("*", t("grants.allitems")), all.map((item) => box1(item.type, named(item) || item.type, item)));
  }

  function box1(value, label, item) {
    const id = "item-" + value;
    const tick = h("input.mw-tick", { type: "checkbox", id, value, checked: value === "*", onchange: () => {
      const boxes = [...choice.querySelectorAll("input")];
      if (value === "*" && tick.checked) boxes.slice(1).forEach((one) => { one.checked = false; });
      else if (tick.checked) boxes[0].checked = false;
    } });
    return h("label.mw-check", { for: id }, tick, h("span", null, label, item ? [" ", h("small.mw-mono.mw-faint.mw-inline-note", null, item.type), item.restricted ? [" ", icon("lock", t("value.restricted"))] : null] : null));
  }

  async function numberOf(text) {
    single.wrong("");
    if (!text) return 0;
    const found = await api("/identity/names/detail?name=" + encodeURIComponent(text)).catch((error) => single.wrong(error.message));
    return found?.template.number ?? 0;
  }

  async function submit(event) {
    event.preventDefault();
    fill(said);
    const grantee = whom.control.value.trim();
    const chosen = [...choice.querySelectorAll("input:checked")].map((one) => one.value);
    whom.wrong(grantee ? "" : t("names.missing"));
    if (scope === "identifier" && !single.control.value.trim()) single.wrong(t("names.missing"));
    if (!grantee || !template) return;
    if (!chosen.length) return void fill(said, h("p.mw-said", { role: "alert" }, t("grants.items.choose")));
    const target = scope === "template" ? String(template.number) : single.control.value.trim();
    go.disabled = true;
    try {
      await api("/identity/grants", { method: "POST", body: { grants: chosen.map((item) => ({ grantee, scope, target, item, may })) } });
      box.close();
      toast(t("grants.granted"));
      done();
    } catch (error) {
      fill(said, problem(error));
      go.disabled = false;
    }
  }
}

const labelled = (label, control) => h("div.mw-field", null, h("span", null, label), control);

// One data template: its items, revisions and what they changed, the names made with it, its editor.

import { button, copyButton, doer, empty, fill, h, icon, named, nameHref, panel, skeleton, t, toast } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { confirmed, field, select } from "mingwu-console/dialog.js";
import { count, moment } from "mingwu-console/format.js";
import { industryPath, industryWords } from "mingwu-console/industrypicker.js";
import { lifeState } from "mingwu-console/name.js";
import { api } from "mingwu-console/net.js";
import { showDifference } from "mingwu-console/templatediff.js";
import { templateEditor } from "mingwu-console/templateedit.js";
import { mayChange, templateState } from "mingwu-console/templates.js";
import { hintOf } from "mingwu-console/valueform.js";

const SHOWN = 5;

export async function mount(root, { query, number }) {
  const at = "/identity/templates/" + number;
  let leave = () => {};
  fill(root, skeleton(12));
  await load(query.edit && mayChange);
  return { destroy: () => leave() };

  /** Read the template; `isEditing`: open its editor. */
  async function load(isEditing) {
    leave();
    leave = () => {};
    let found;
    try {
      const [template, history, names] = await Promise.all([api(at), api(at + "/revisions?limit=100"), api(`/identity/names?template=${number}&limit=8`)]);
      found = { template, history, names };
    } catch (error) {
      fill(root, crumbs(), error.status === 404 && error.code !== "api.no-route" ? h("section.mw-panel", null, empty("template", t("template.none"), t("template.none.why"))) : trouble(error, "enterprise", () => load(isEditing)));
      return;
    }
    history.replaceState(null, "", "/names/templates/" + number + (isEditing ? "?edit=1" : ""));
    if (isEditing) {
      const editor = templateEditor(found.template, found.history.revisions[0], { stored: (template) => { toast(t("template.stored", { n: template.revision })); load(false); }, left: () => load(false) });
      leave = editor.leave;
      fill(root, crumbs(found.template), editor.element);
    } else draw(found);
  }

  function draw({ template, history, names }) {
    const { definition } = template;
    fill(root, crumbs(template), h("div.mw-head", null,
      h("div.mw-grow", null, h("h1", null, named(definition) || definition.version, " ", pageBadge()),
        h("p", null, h("span.mw-mono", null, definition.version), " · ", t("kind." + definition.kind), " · ", t("template.revision.n", { n: template.revision }))), templateState(template.state)),
    actions(template), h("div.mw-thing.mw-template", null,
      h("div.mw-stack", null, itemTable(definition), revisions(at, template, history)),
      h("div.mw-stack", null, facts(template), namesPanel(template, names), command(template))));
  }

  function actions(template) {
    const { state, names, definition } = template;
    const file = (form, label, title) => h("a.mw-btn", { href: `/api${at}/export?form=${form}`, download: "", title }, icon("download"), label);
    const does = mayChange ? [button(t("template.edit"), () => load(true), "mw-btn-main", "edit"),
      state === "published" ? button(t("tplmove.withdraw"), () => move("withdraw", template), "", "stopped") : button(t(state === "draft" ? "tplmove.publish" : "tplmove.again"), () => move("publish", template), "", "good"),
      h("a.mw-btn", { href: "/names/templates?copy=" + number }, icon("copy"), t("template.copy")),
      state !== "published" && !names ? button(t("template.delete"), () => remove(definition), "mw-btn-warn", "close") : null] : [];
    return h("div.mw-row.mw-name-actions", { role: "group", "aria-label": t("act.title") }, does, file("mingwu", t("template.export")), file("snms", t("template.export.snms"), t("template.export.snms.why")));
  }

  async function move(what, { definition, names, revision }) {
    const done = await confirmed(t(`tplmove.${what}.title`, { version: definition.version }), h("p", null, t(`tplmove.${what}.why`, { n: count(names) })), t("tplmove." + what),
      () => api(`${at}/${what}?base=${revision}`, { method: "POST" }));
    if (!done) return;
    toast(t(`tplmove.${what}.done`));
    load(false);
  }

  async function remove({ version }) {
    const done = await confirmed(t("template.delete.title", { version }), h("p", null, t("template.delete.why")), t("template.delete"), () => api(at, { method: "DELETE" }), { grave: true });
    if (done) location.assign("/names/templates");
  }
}

function crumbs(template) {
  return h("nav.mw-crumbs", null, h("a", { href: "/names/templates" }, t("nav.templates")), template ? [icon("right"), h("span", null, named(template.definition) || template.definition.version)] : null);
}

// ---------------------------------------------------------------- items
function itemTable({ items }) {
  const row = (item) => h("tr", { dataset: { item: item.type }, "data-off": item.enabled ? null : "" },
    h("td.mw-lead", null, h("div.mw-two", null, h("span", null, named(item) || item.type, item.required ? h("b.mw-required", { title: t("form.required") }, " *") : null), h("small.mw-mono.mw-break", null, item.type))),
    h("td.num.mw-hide", { dataset: { label: t("template.index") } }, item.index),
    h("td", { dataset: { label: t("template.datatype") } }, t("datatype." + item.data_type), item.unit ? h("span.mw-faint", null, " " + item.unit) : null),
    h("td.mw-rules", { dataset: { label: t("template.rules") } }, rules(item)),
    h("td.mw-hide", { dataset: { label: t("template.default") } }, item.default || h("span.mw-faint", null, "—")));
  const heads = [[t("template.item"), ".mw-lead"], [t("template.index"), ".num.mw-hide"], [t("template.datatype"), ""], [t("template.rules"), ""], [t("template.default"), ".mw-hide"]];
  return panel(`${t("template.items")} · ${items.length}`, h("div.mw-table-wrap", null, h("table.mw-table.mw-fold.mw-items", null,
    h("thead", null, h("tr", null, heads.map(([label, cls]) => h("th" + cls, { scope: "col" }, label)))), h("tbody", null, items.map(row)))));
}

function rules(item) {
  const words = hintOf(item, { isBare: true });
  const flags = ["unique", "restricted"].filter((name) => item[name]).map((name) => h("span.mw-chip", null, name === "restricted" ? [icon("lock"), " "] : null, t("tplfield." + name)));
  return h("div.mw-rule", null, item.enabled ? null : h("span.mw-chip.mw-chip-bad", null, t("tplwhat.disabled")), flags,
    words ? h("span.mw-dim", null, words) : null, item.choices.length ? h("span.mw-dim", null, item.choices.join(" · ")) : null, item.comment ? h("small.mw-faint", null, item.comment) : null);
}

// ---------------------------------------------------------------- beside
function facts(template) {
  const { definition } = template;
  const industry = h("span.mw-mono", null, Object.values(definition.industry).filter(Boolean).join(" / "));
  industryWords(definition.industry).then((words) => words.length && industry.replaceWith(industryPath(words)));
  const rows = [
    [t("template.handle"), h("span.mw-mono.mw-break", null, definition.handle)],
    [t("template.industry"), industry],
    [t("template.type"), t(definition.type === 1 ? "template.type.carrier" : "template.type.other")],
    [t("template.standard"), definition.standard], [t("template.classify"), definition.classify], [t("template.description"), definition.description],
    [t("template.made"), t("template.by", { when: moment(template.created_at_ms), who: template.created_by })],
    [t("name.changed"), moment(template.changed_at_ms)],
  ].filter(([, value]) => value);
  return panel(t("template.facts"), h("dl.mw-facts", null, rows.map(([key, value]) => [h("dt", null, key), h("dd", null, value)])));
}

function namesPanel({ number, state, definition }, { names, total }) {
  const element = panel(`${t("template.names")} · ${count(total)}`, names.length ? h("ul.mw-lines.mw-pad", null, names.map((row) => h("li", null, h("a.mw-mono.mw-break", { href: nameHref(row.name) }, row.name), lifeState(row.state))))
    : h("p.mw-dim.mw-pad", null, t("template.names.none")));
  if (total > names.length) element.append(h("p.mw-pad", null, h("a", { href: "/names?template=" + number }, t("template.names.all", { n: count(total) }))));
  if (mayChange && state === "published") element.head.append(h("a.mw-btn.mw-btn-small", { href: `/names?new=${encodeURIComponent(definition.prefix + "/")}&with=${number}` }, icon("plus"), t("template.register")));
  return element;
}

function command({ definition }) {
  const words = `mingwu template show ${definition.version}`;
  return h("section.mw-panel.mw-pad", null, h("small.mw-faint", null, t("name.command")), h("div.mw-code", { style: "margin-top:6px" }, h("code", null, words), copyButton(words)));
}

// ---------------------------------------------------------------- revisions
function revisions(at, template, { revisions: rows, total }) {
  const list = h("ol.mw-versions");
  const draw = (shown) => fill(list, rows.slice(0, shown).map((row) => revision(at, row)),
    rows.length > shown ? h("li", null, button(t("template.revisions.more", { n: rows.length - shown }), () => draw(rows.length), "mw-btn-small")) : null);
  draw(SHOWN);
  return panel(`${t("template.revisions")} · ${count(total)}`, total > 1 ? comparison(at, rows) : null, list);
}

function revision(at, row) {
  const slot = h("div");
  const isChange = row.action === "change" && row.revision > 1;
  const more = isChange ? h("details.mw-lineage-plain", { ontoggle: () => { if (more.open && !slot.firstChild) showDifference(slot, api(`${at}/difference?from=${row.revision - 1}&to=${row.revision}`)); } },
    h("summary", null, t("template.whatchanged")), slot) : null;
  return h("li", { dataset: { revision: row.revision } },
    h("div.mw-version-head", null, h("b", null, t("template.revision.n", { n: row.revision })), h("span.mw-chip", null, t("tplaction." + row.action)), h("span", null, doer(row.actor)), h("time.mw-faint", null, moment(row.at_ms))), more);
}

function comparison(at, rows) {
  const options = rows.map((row) => [String(row.revision), String(row.revision)]);
  const from = field(t("template.compare.from"), select(options, options.at(-1)[0]));
  const to = field(t("template.compare.to"), select(options, options[0][0]));
  const slot = h("div", { "aria-live": "polite" });
  const go = button(t("template.compare"), () => showDifference(slot, api(`${at}/difference?from=${from.control.value}&to=${to.control.value}`)));
  return h("div.mw-compare", null, h("div.mw-form", null, from, to, go), slot);
}

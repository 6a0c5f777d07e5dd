// Editing a template: form and live preview; storing shows what it means first, and never overwrites another's revision.

import { button, debounce, doer, fill, h, named, problem, t, toast } from "mingwu-console/dom.js";
import { confirmed } from "mingwu-console/dialog.js";
import { moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { differenceView, showDifference } from "mingwu-console/templatediff.js";
import { templateFields } from "mingwu-console/templatefields.js";
import { valueForm } from "mingwu-console/valueform.js";

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** `stored(template)` after storing, `left()` when the person turned away. */
export function templateEditor(template, latest, { stored, left }) {
  const at = "/identity/templates/" + template.number;
  let base = template; // the revision the changes stand on
  let form;
  let isClean = true;
  const body = h("div");
  const preview = h("div.mw-pad");
  const said = h("div", { "aria-live": "polite" });
  const note = h("span.mw-dim");
  const save = button(t("edit.save"), ask, "mw-btn-main");
  const bar = h("div.mw-savebar", null, note, h("span.mw-grow"), button(t("edit.discard"), discard), save);
  const element = h("div.mw-editor", null, h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("edit.title", { version: named(template.definition) || template.definition.version })),
    h("p", null, h("span.mw-mono", null, template.definition.version), " · ", t("template.revision.n", { n: latest?.revision ?? template.revision })))), said,
  h("div.mw-editing", null, body, h("section.mw-panel.mw-preview", { "aria-label": t("edit.preview") }, h("header", null, h("h2", null, t("edit.preview"))), h("p.mw-hint.mw-pad", null, t("edit.preview.why")), preview)), bar);
  const guard = (event) => isClean || event.preventDefault();
  addEventListener("beforeunload", guard);
  let shown;
  const lookSoon = debounce(look, 180);
  draw(template.definition);
  return { element, leave: () => removeEventListener("beforeunload", guard) };

  function draw(definition) {
    form = templateFields(definition, new Set(base.definition.items.map((item) => item.type)), changed);
    fill(body, form.element);
    changed();
    look();
  }

  function changed() {
    isClean = same(form.value(), base.definition);
    save.disabled = isClean;
    note.textContent = t(isClean ? "edit.clean" : "edit.dirty");
    bar.toggleAttribute("data-dirty", !isClean);
    lookSoon();
  }

  /** The registration form as it would be, with what was typed into it. */
  function look() {
    const definition = form.value();
    const items = definition.items.filter((item) => item.type);
    shown = valueForm({ definition: { ...definition, items } }, shown?.values() ?? {}, { isNew: true });
    fill(preview, shown.element);
  }

  async function discard() {
    if (!isClean) {
      const yes = await confirmed(t("edit.discard.title"), h("p", null, t("edit.discard.why", { n: base.revision })), t("edit.discard.do"), () => true, { grave: true });
      if (!yes) return;
    }
    isClean = true;
    left();
  }

  /** What storing would mean is asked first. */
  async function ask() {
    fill(said);
    save.disabled = true;
    let means;
    try {
      means = await api(at + "/check", { method: "POST", body: form.value() });
    } catch (error) {
      fill(said, problem(error));
      return;
    } finally {
      save.disabled = false;
    }
    if (means.revision !== base.revision) return conflict(); // also when mine is faulty beside theirs
    if (means.faults.length) {
      const loose = form.wrong(means.faults);
      fill(said, h("div.mw-problem", { role: "alert" }, h("div", null, h("b", null, t("edit.faults", { n: means.faults.length })), loose.map((fault) => h("span", null, fault.message)))));
      return;
    }
    form.wrong([]);
    const isGrave = means.effect.invalid > 0;
    let isOvertaken = false;
    const done = await confirmed(t("edit.save.title", { n: base.revision + 1 }), differenceView(means), t(isGrave ? "edit.save.anyway" : "edit.save.do"), async () => {
      try {
        return await api(`${at}?base=${base.revision}`, { method: "PUT", body: form.value() });
      } catch (error) {
        if (error.code !== "enterprise.template-changed") throw error;
        isOvertaken = true;
        return null;
      }
    }, { grave: isGrave });
    if (isOvertaken) return conflict();
    if (!done) return;
    isClean = true;
    stored(done);
  }

  /** Somebody else was there first: what they changed, and the two ways on. */
  async function conflict() {
    let theirs;
    let rows;
    try {
      [theirs, rows] = await Promise.all([api(at), api(at + "/revisions?limit=1")]);
    } catch (error) {
      fill(said, problem(error, conflict));
      return;
    }
    const [last] = rows.revisions;
    const { merged, both } = rebased(base.definition, form.value(), theirs.definition);
    const slot = h("div");
    fill(said, h("section.mw-panel.mw-conflict", { role: "alert" }, h("header", null, h("h2", null, t("edit.conflict"))),
      h("div.mw-stack.mw-pad", null, h("p", null, t("edit.conflict.why", { who: doer(last.actor), n: theirs.revision, when: moment(last.at_ms), base: base.revision })),
        h("h3", null, t("edit.conflict.theirs")), slot, both.length ? h("p.mw-warn", null, t("edit.conflict.both", { fields: both.join(", ") })) : null,
        h("div.mw-row", null, button(t("edit.conflict.rebase"), () => { base = theirs; fill(said); draw(merged); toast(t("edit.rebased", { n: theirs.revision })); }, "mw-btn-main"),
          button(t("edit.conflict.drop"), () => { isClean = true; left(); })))));
    said.firstChild.scrollIntoView({ block: "start" });
    showDifference(slot, api(`${at}/difference?from=${base.revision}&to=${theirs.revision}`));
  }
}

/** My changes since `base` put on top of `theirs`, field by field; `both`: what both changed differently. */
export function rebased(base, mine, theirs) {
  const both = [];
  const merge = (was, own, other, where) => {
    const found = { ...other };
    for (const key of Object.keys(own)) {
      if (key === "items" || key === "index" || same(own[key], was?.[key])) continue;
      if (was && !same(other[key], was[key]) && !same(other[key], own[key])) both.push((where ? where + ": " : "") + t("tplfield." + key));
      found[key] = own[key];
    }
    return found;
  };
  const by = (items) => new Map(items.map((item) => [item.type, item]));
  const [before, others] = [by(base.items), by(theirs.items)];
  const items = [...theirs.items.map((item) => {
    const own = mine.items.find((one) => one.type === item.type);
    return own ? merge(before.get(item.type) ?? item, own, item, item.type) : item;
  }), ...mine.items.filter((item) => !others.has(item.type)).map((item) => (before.has(item.type) ? item : { ...item, index: 0 }))];
  return { merged: { ...merge(base, mine, theirs, ""), items }, both };
}

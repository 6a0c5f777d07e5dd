// Who may see what of a name, and why: item by item for somebody, and everything that was granted for it.

import { doer, empty, fill, h, icon, named, nameHref, panel, problem, role, segments, skeleton, state, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { bare, granteeCell, granteeField, mayWords, revokeButton, simpleTable, targetCell } from "mingwu-console/granted.js";
import { lifeState } from "mingwu-console/name.js";
import { api } from "mingwu-console/net.js";
import { suggestions } from "mingwu-console/valueform.js";

const maySetUp = ["engineer", "admin"].includes(role);

export async function whoSees({ at, query }) {
  const name = field(t("names.identifier"), input(query.name ?? "", { required: true, maxlength: 255, autocapitalize: "none" }));
  name.append(suggestions(name.control));
  const who = maySetUp ? await granteeField(t("whosees.who"), query.who ?? "", t("whosees.who.hint")) : null;
  if (who) who.control.required = false;
  const slot = h("div.mw-stack", { "aria-live": "polite" });
  const form = h("form.mw-panel.mw-asking", { novalidate: true, onsubmit: (event) => { event.preventDefault(); ask(); } }, name, who,
    h("button.mw-btn.mw-btn-main", { type: "submit" }, icon("search"), t("whosees.do")));
  fill(slot, h("section.mw-panel", null, empty("lock", t("whosees.ask"), t(maySetUp ? "whosees.ask.why" : "whosees.self.why"))));
  if (query.name) ask();
  return { element: h("div.mw-stack", null, form, slot), does: null };

  async function ask() {
    const text = name.control.value.trim();
    name.wrong(text ? "" : t("names.missing"));
    if (!text) return;
    const asker = who?.control.value.trim() || (maySetUp ? "*" : "");
    history.replaceState(null, "", `${at}?` + new URLSearchParams({ tab: "who", name: text, ...(who?.control.value.trim() ? { who: asker } : {}) }));
    fill(slot, h("section.mw-panel", null, skeleton(6)));
    try {
      const [said, given] = await Promise.all([api("/identity/access/explain?" + new URLSearchParams({ name: text, who: asker })),
        maySetUp ? api("/identity/access?name=" + encodeURIComponent(text)) : null]);
      fill(slot, about(said, ask), explained(said), given ? grantsOf(given, ask) : null);
    } catch (error) {
      fill(slot, problem(error));
    }
  }
}

/** The name, and by which rules its restricted values are answered. */
function about(said, again) {
  const now = said.is_public ? "open" : said.own ? "own" : "template";
  const bar = segments(t("whosees.rules"), ["template", "own", "open"].map((one) => [one, t("accessrule." + one)]), now, (chosen) => rule(chosen));
  const facts = [[t("name.account"), doer(said.owner)], [t("name.template"), named(said, "template_") || String(said.template)], [t("names.state"), lifeState(said.state)]];
  return h("section.mw-panel.mw-about", null, h("header", null, h("h2.mw-break", null, h("a.mw-mono", { href: nameHref(said.name) }, said.name))),
    h("dl.mw-pairs.mw-pad", null, facts.map(([label, value]) => [h("dt", null, label), h("dd", null, value)]), h("dt", null, t("whosees.rules")), h("dd", null, maySetUp ? bar : t("accessrule." + now))));

  async function rule(chosen) {
    if (chosen === now) return;
    const body = { name: said.name, own: chosen !== "template", is_public: chosen === "open" };
    const done = await confirmed(t("accessrule." + chosen), h("p", null, t("accesswhy." + chosen)), t("save"), () => api("/identity/access", { method: "PUT", body }), { grave: chosen === "open" });
    if (done === undefined) return void bar.set(now);
    toast(t("saved"));
    again();
  }
}

/** Item by item what the asker may read and change, with every reason. */
function explained(said) {
  const { asker } = said;
  const label = asker.kind === "public" ? t("who.public") : named(asker, "label_") || bare(asker.who);
  const warn = !asker.known ? t("whosees.unknown") : !asker.enabled ? t("whosees.disabled") : !said.resolves ? t("whosees.unresolved") : "";
  const columns = [
    { label: t("value.type"), cls: ".mw-lead", cell: (one) => h("span.mw-two", null, h("span", null, named(one) || one.type, one.restricted ? [" ", icon("lock", t("value.restricted"))] : null),
      h("small.mw-mono", null, `${one.index} ${one.type}${one.filled ? "" : " · " + t("whosees.unfilled")}`)) },
    { label: t("may.read"), cls: ".mw-verdicts", cell: (one) => verdict("read", one.read) },
    ...(asker.kind === "public" ? [] : [{ label: t("may.write"), cls: ".mw-verdicts", cell: (one) => verdict("write", one.change) }]),
  ];
  const element = panel(t("whosees.result", { who: label }), h("div.mw-row.mw-who-facts", null, h("span.mw-chip", null, t("who." + asker.kind)),
    asker.role ? h("span.mw-chip", null, t("role." + asker.role)) : null, asker.groups.map((one) => h("span.mw-chip", null, icon("enterprise"), bare(one)))),
  warn ? h("p.mw-note", null, icon("uncertain"), warn) : null, simpleTable(columns, [...said.items].sort((a, b) => b.restricted - a.restricted || a.index - b.index)));
  element.dataset.part = "explained";
  return element;
}

function verdict(what, reasons) {
  const isGood = reasons.length > 0;
  return h("div", { dataset: { may: what, verdict: isGood ? "yes" : "no" } }, h("span.mw-narrow.mw-faint", null, `${t("may." + what)} `), state(isGood ? "good" : "absent", t(isGood ? "yes" : "no")),
    isGood ? h("ul.mw-why", null, reasons.map((one) => h("li", null, because(one)))) : null);
}

function because({ because: kind, grant, via }) {
  if (kind !== "grant") return t("because." + kind);
  const where = grant.scope === "template" ? t("because.template", { template: named(grant, "target_") || grant.target }) : t("because.identifier");
  const how = via ? ` · ${t("because.via", { group: named(grant, "label_") || bare(via) })}` : "";
  return [`${t("because.grant")}: ${where}, ${mayWords(grant)}${how}`, h("small.mw-faint", null, ` · ${doer(grant.granted_by)}, ${ago(grant.at_ms)}`)];
}

/** All grants that count for the name. */
function grantsOf(given, again) {
  const columns = [
    { label: t("grants.whom"), cls: ".mw-lead", cell: granteeCell },
    { label: t("grants.what"), cell: mayWords },
    { label: t("grants.on"), cell: targetCell },
    { label: "", cls: ".mw-fit.mw-take", cell: (row) => revokeButton(row, again) },
  ];
  const restricted = given.restricted.map((one) => named(one) || one.type).join(" · ");
  return panel(`${t("whosees.granted")} · ${given.grants.length}`, restricted ? null : h("p.mw-dim.mw-pad", null, t("grants.items.none")),
    given.grants.length ? simpleTable(columns, given.grants) : empty("lock", t("whosees.nogrants"), t("whosees.nogrants.why")));
}

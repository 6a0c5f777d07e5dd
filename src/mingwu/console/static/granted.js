// What all access pages show of a grant: whose it is, what it allows, on what, and taking it back.

import { button, fill, h, iconButton, named, nameHref, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

/** The name of a grantee without the word in front of it. */
export const bare = (who) => (/^group:/i.test(who) ? who.slice(6) : who);

export function granteeCell(grant) {
  const label = named(grant, "label_") || bare(grant.grantee);
  const small = label === bare(grant.grantee) ? t("who." + grant.kind) : [h("span.mw-mono.mw-break", null, bare(grant.grantee)), ` · ${t("who." + grant.kind)}`];
  return h("span.mw-two", null, h("span.mw-break", null, label), h("small", null, small));
}

export const mayWords = (grant) => `${t("may." + grant.may)} · ${grant.item === "*" ? t("grants.allitems") : grant.item}`;

export function targetCell(grant) {
  if (grant.scope === "identifier") return h("a.mw-mono.mw-break", { href: nameHref(grant.target) }, grant.target);
  return h("span.mw-two", null, h("span", null, named(grant, "target_") || grant.target), h("small", null, t("grants.template")));
}

export const givenCell = (grant) => h("span.mw-dim", { title: moment(grant.at_ms) }, `${ago(grant.at_ms)} · ${grant.granted_by}`);

/** Take a grant back after asking; `done()` when it is gone. */
export function revokeButton(grant, done) {
  return iconButton("close", t("grants.revoke"), async () => {
    const { grantee, scope, target, item, may } = grant;
    const gone = await confirmed(t("grants.revoke"), [h("p", null, t("grants.revoke.why")), h("dl.mw-pairs", null,
      [[t("grants.whom"), granteeCell(grant)], [t("grants.what"), mayWords(grant)], [t("grants.on"), targetCell(grant)]].map(([label, value]) => [h("dt", null, label), h("dd", null, value)]))],
    t("grants.revoke"), () => api("/identity/grants", { method: "DELETE", body: { grants: [{ grantee, scope, target, item, may }] } }), { grave: true });
    if (gone === undefined) return;
    toast(t("grants.revoked"));
    done();
  });
}

/** A field for a grantee, with those that are known offered. */
export async function granteeField(label, value = "", hint = t("grants.whom.hint"), kinds = null) {
  const known = await api("/identity/access/grantees").catch(() => ({ grantees: [] }));
  const one = field(label, input(value, { required: true, maxlength: 300, autocapitalize: "none" }), hint);
  const list = h("datalist", { id: one.control.id + "-known" }, known.grantees.filter((found) => !kinds || kinds.includes(found.kind)).map((found) =>
    h("option", { value: found.who }, [named(found, ""), t("who." + found.kind)].filter(Boolean).join(" · "))));
  one.control.setAttribute("list", list.id);
  one.append(list);
  return one;
}

/** A plain table that folds into cards: `columns` as those of paged.js. */
export function simpleTable(columns, rows) {
  return h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null,
    h("thead", null, h("tr", null, columns.map((one) => h("th" + (one.cls ?? ""), { scope: "col" }, one.label)))),
    h("tbody", null, rows.map((row) => h("tr", null, columns.map((one) => h("td" + (one.cls ?? ""), { dataset: { label: one.label } }, one.cell(row))))))));
}

/** A secret, shown this once. */
export function showSecret(handle, secret) {
  const box = h("dialog.mw-dialog", { "aria-labelledby": "secret-title", onclose: () => box.remove(), oncancel: (event) => event.preventDefault() });
  const copy = button(t("copy"), async () => {
    await navigator.clipboard.writeText(secret);
    toast(t("copied"));
  }, "", "copy");
  fill(box, h("div.mw-dialog-body", null, h("header", null, h("h2", { id: "secret-title" }, t("programs.secret"))),
    h("div.mw-stack.mw-pad", null, h("p", null, t("programs.secret.why")), h("small.mw-mono.mw-break.mw-dim", null, handle),
      h("div.mw-code.mw-secret", null, h("code", null, secret), copy)),
    h("footer", null, button(t("programs.secret.kept"), () => box.close(), "mw-btn-main"))));
  document.body.append(box);
  box.showModal();
}

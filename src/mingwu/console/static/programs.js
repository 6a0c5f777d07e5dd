// Application identities: programs of the enterprise that log in with a secret or a key. A secret is shown once.

import { button, empty, fill, h, icon, problem, role, state, t, toast } from "mingwu-console/dom.js";
import { confirmed, drawer, field, input } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { moment } from "mingwu-console/format.js";
import { granteeField, showSecret, simpleTable } from "mingwu-console/granted.js";
import { api } from "mingwu-console/net.js";

const AT = "/identity/applications";
const isAdmin = role === "admin";
const asked = (handle) => "?name=" + encodeURIComponent(handle);

export async function programList({ at }) {
  const element = h("section.mw-panel");
  await load();
  return { element, does: isAdmin ? button(t("programs.new"), make, "mw-btn-main", "plus") : null };

  async function load() {
    const { applications } = await api(AT);
    const columns = [
      { label: t("programs.program"), cls: ".mw-lead", cell: (one) => h("button.mw-row-link", { type: "button", onclick: () => show(one) },
        h("span.mw-two", null, h("span.mw-break", null, one.title || one.login), h("small.mw-mono.mw-break", null, one.handle))) },
      { label: t("programs.account"), cell: (one) => one.account },
      { label: t("programs.used"), cls: ".mw-nowrap", cell: (one) => used(one) },
      { label: t("names.state"), cell: standing },
    ];
    fill(element, isAdmin ? null : h("p.mw-note", null, icon("lock"), t("programs.admins")),
      applications.length ? simpleTable(columns, applications) : empty("chip", t("programs.empty"), t("programs.empty.why")));
    return applications;
  }

  /** What is known of one, and what an administrator may do. */
  function show(one) {
    const rows = [[t("names.identifier"), h("span.mw-mono.mw-break", null, one.handle)], [t("programs.login"), h("span.mw-mono.mw-break", null, one.login)],
      [t("programs.account"), one.account], [t("programs.key"), one.public_key ? t("programs.key.yes") : t("programs.key.no")],
      [t("programs.made"), moment(one.created_at_ms)], [t("programs.used"), one.last_used_at_ms ? moment(one.last_used_at_ms) : t("programs.never")],
      [t("granttab.grants"), h("a", { href: `${at}?q=${encodeURIComponent(one.handle)}` }, t("programs.grants"))]];
    const acts = isAdmin ? h("div.mw-row.mw-actions", null, button(t("programs.edit"), () => edit(one), "", "setup"), button(t("programs.rotate"), () => rotate(one), "", "lock"),
      button(one.enabled ? t("programs.off") : t("programs.on"), () => turn(one)), button(t("programs.remove"), () => remove(one), "mw-btn-warn")) : null;
    drawer(one.title || one.login, [h("div.mw-detail-block", null, h("p", null, standing(one)), h("dl.mw-pairs", null, rows.map(([label, value]) => [h("dt", null, label), h("dd", null, value)]))), acts]);
  }

  async function make() {
    const { prefixes } = await api("/identity/templates/readymade");
    const handle = field(t("names.identifier"), input(`${prefixes[0] ?? ""}/App_`, { required: true, maxlength: 255, autocapitalize: "none" }), t("programs.handle.hint"));
    const login = field(t("programs.login"), input("", { maxlength: 128, autocapitalize: "none" }), t("programs.login.hint"));
    writing(t("programs.new"), { handle, login }, {}, async ({ title, account, key }) => {
      const made = await api(AT, { method: "POST", body: { handle: handle.control.value.trim(), login: login.control.value.trim(), title, account, public_key: key } });
      return () => showSecret(made.handle, made.secret);
    });
  }

  function edit(one) {
    writing(t("programs.edit"), {}, one, async ({ title, account, key }) => {
      await api(AT, { method: "PUT", body: { handle: one.handle, title, account, ...(key ? { public_key: key } : {}) } });
      return () => toast(t("saved"));
    });
  }

  /** The form of both: title, account, key. */
  async function writing(heading, first, one, act) {
    const title = field(t("programs.title"), input(one.title ?? "", { maxlength: 200 }));
    const account = await granteeField(t("programs.account"), one.account ?? "", t("programs.account.hint"), ["account"]);
    const key = field(t("programs.key"), h("textarea.mw-input.mw-mono", { rows: 4, maxlength: 4000, spellcheck: false, placeholder: "-----BEGIN PUBLIC KEY-----" }), one.public_key ? t("programs.key.other") : t("programs.key.hint"), true);
    const said = h("div", { "aria-live": "polite" });
    const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("save"));
    const form = h("form.mw-registering", { novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      fill(said);
      try {
        const after = await act({ title: title.control.value.trim(), account: account.control.value.trim(), key: key.control.value.trim() });
        box.close();
        await load();
        after();
      } catch (error) {
        fill(said, problem(error));
        go.disabled = false;
      }
    } }, ...Object.values(first), title, account, key, said, h("div.mw-row.mw-end", null, go));
    const box = drawer(heading, form);
    form.querySelector("input").focus();
  }

  async function rotate(one) {
    const made = await confirmed(t("programs.rotate"), h("p", null, t("programs.rotate.why")), t("programs.rotate"), () => api(`${AT}/secret${asked(one.handle)}`, { method: "POST" }), { grave: true });
    if (!made) return;
    document.querySelector("dialog.mw-drawer")?.close();
    showSecret(made.handle, made.secret);
    await load();
  }

  async function turn(one) {
    const put = () => api(AT, { method: "PUT", body: { handle: one.handle, enabled: !one.enabled } });
    const done = one.enabled ? await confirmed(t("programs.off"), h("p", null, t("programs.off.why")), t("programs.off"), put, { grave: true }) : await put();
    if (!done) return;
    show((await load()).find((found) => found.handle === one.handle));
  }

  async function remove(one) {
    const gone = await confirmed(t("programs.remove"), h("p", null, t("programs.remove.why")), t("programs.remove"), () => api(AT + asked(one.handle), { method: "DELETE" }), { grave: true });
    if (gone === undefined) return;
    document.querySelector("dialog.mw-drawer")?.close();
    await load();
  }
}

const standing = (one) => state(one.enabled ? "good" : "stopped", one.enabled ? t("programs.in") : t("programs.out"));

const used = (one) => (one.last_used_at_ms ? h("span.mw-dim", { title: moment(one.last_used_at_ms) }, ago(one.last_used_at_ms)) : h("span.mw-faint", null, t("programs.never")));

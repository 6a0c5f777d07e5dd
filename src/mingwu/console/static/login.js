// The login form.

import { button, fill, h, lang, problem, t } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

export function mount(root) {
  const account = h("input.mw-input", { id: "account", name: "account", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const password = h("input.mw-input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true });
  const submit = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("login.submit"));
  const said = h("div", { "aria-live": "polite" });
  const other = button(t("language"), () => {
    document.cookie = `mw_lang=${lang === "zh" ? "en" : "zh"};path=/;max-age=31536000;samesite=lax`;
    location.reload();
  }, "mw-btn-bare mw-btn-small");
  other.setAttribute("aria-label", t("language.label"));

  const form = h("form", { onsubmit: send },
    h("div.mw-row", null, h("h1.mw-grow", null, t("login.title")), other),
    h("label.mw-field", { for: "account" }, t("login.account"), account),
    h("label.mw-field", { for: "password" }, t("login.password"), password),
    said, submit, h("p", null, t("login.hint")));
  fill(root, form);
  account.focus();

  async function send(event) {
    event.preventDefault();
    submit.disabled = true;
    submit.textContent = t("login.busy");
    const name = account.value.trim();
    try {
      const session = await api("/session", { method: "POST", body: { account: name, password: password.value } });
      if (session.must_change) return choose(name, password.value);
      enter();
    } catch (error) {
      fill(said, problem(error));
      password.select();
      submit.disabled = false;
      submit.textContent = t("login.submit");
    }
  }

  /** The first password is for one login: choose one's own, then go on with it. */
  function choose(name, old) {
    const fresh = h("input.mw-input", { id: "fresh", type: "password", autocomplete: "new-password", required: true });
    const again = h("input.mw-input", { id: "again", type: "password", autocomplete: "new-password", required: true });
    const wrong = h("div", { "aria-live": "polite" });
    fill(root, h("form", { onsubmit: change }, h("h1", null, t("login.change")), h("p", null, t("login.change.why")),
      h("label.mw-field", { for: "fresh" }, t("login.fresh"), fresh),
      h("label.mw-field", { for: "again" }, t("login.again"), again), wrong,
      h("button.mw-btn.mw-btn-main", { type: "submit" }, t("login.change.submit"))));
    fresh.focus();
    async function change(event) {
      event.preventDefault();
      if (fresh.value !== again.value) return fill(wrong, problem({ message: t("login.differ"), next: "" }));
      try {
        await api("/session/password", { method: "PUT", body: { old, new: fresh.value } });
        await api("/session", { method: "POST", body: { account: name, password: fresh.value } });
        enter();
      } catch (error) {
        fill(wrong, problem(error));
      }
    }
  }

  function enter() {
    const next = new URLSearchParams(location.search).get("next") ?? "/";
    // Only a path of our own: "//host" and "/\host" would lead elsewhere.
    location.assign(/^\/(?![/\\])/.test(next) ? next : "/");
  }
}

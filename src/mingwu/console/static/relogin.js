// A session that ended while its page is open: log in again in place, so that nothing typed is lost.

import { account, button, fill, h, problem, t } from "mingwu-console/dom.js";
import { field, input } from "mingwu-console/dialog.js";
import { api } from "mingwu-console/net.js";

let waiting = null;

/** Resolves when this page's account has a session again. All who wait share one dialog. */
export function logInAgain() {
  waiting ??= ask().finally(() => { waiting = null; });
  return waiting;
}

function ask() {
  return new Promise((resolve) => {
    const said = h("div", { "aria-live": "polite" });
    const password = field(t("login.password"), input("", { type: "password", autocomplete: "current-password", required: true }));
    const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("login.submit"));
    const form = h("form.mw-dialog-body", { onsubmit: send },
      h("header", null, h("h2", { id: "relogin-title" }, t("relogin.title"))),
      h("div.mw-stack.mw-pad", null, h("p", null, t("relogin.why")),
        field(t("login.account"), input(account, { autocomplete: "username", readonly: true })), password, said),
      h("footer", null, button(t("relogin.other"), toLogin), go));
    const box = h("dialog.mw-dialog.mw-relogin", { "aria-labelledby": "relogin-title", oncancel: (event) => event.preventDefault() }, form);
    document.body.append(box);
    box.showModal();
    password.control.focus();
    addEventListener("focus", look);

    async function send(event) {
      event.preventDefault();
      go.disabled = true;
      fill(said);
      try {
        const session = await api("/session", { method: "POST", body: { account, password: password.control.value } });
        if (session.must_change) toLogin();
        else finish();
      } catch (error) {
        fill(said, problem(error));
        password.control.select();
        go.disabled = false;
      }
    }

    /** Coming back from another tab: perhaps somebody logged in there. */
    async function look() {
      const session = await api("/session").catch(() => null);
      if (session?.account === account && !session.must_change && box.open) finish();
    }

    function finish() {
      removeEventListener("focus", look);
      box.close();
      box.remove();
      resolve();
    }
  });
}

function toLogin() {
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}

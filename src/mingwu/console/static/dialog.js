// Questions to a person: a modal dialog that does something and says what went wrong.

import { button, fill, h, iconButton, problem, t } from "mingwu-console/dom.js";

const FORM = 3; // from so many fields on it is work that a slip must not throw away,
const WORDS = 30; // and so is a text of this length

/**
 * Watches what is typed into `element`: `mayLeave()` asks before it is thrown away (resolves to true when nothing
 * is lost), and so does the browser when the page is left.
 */
export function typing(element) {
  const touched = new Map(); // control -> what stood there before
  element.addEventListener("focusin", ({ target }) => "value" in target && target.type !== "search" && !touched.has(target) && touched.set(target, standing(target)));
  const guard = (event) => {
    if (!element.isConnected) removeEventListener("beforeunload", guard);
    else if (isFilled()) event.preventDefault();
  };
  addEventListener("beforeunload", guard);
  let asked = null;
  return { isFilled, mayLeave };

  function isFilled() {
    const changed = [...touched].filter(([control, before]) => element.contains(control) && standing(control) !== before);
    const isWork = element.querySelectorAll("input, select, textarea").length >= FORM || changed.some(([control]) => standing(control).length >= WORDS);
    return element.isConnected && changed.length > 0 && isWork;
  }

  async function mayLeave() {
    if (!isFilled()) return true;
    asked ??= confirmed(t("discard.title"), h("p", null, t("discard.why")), t("discard.do"), () => true, { grave: true });
    const yes = await asked;
    asked = null;
    return Boolean(yes);
  }
}

/** A slip (Escape, a click beside it, the cross) asks first. Gives the way to close `box` politely. */
function keeping(box) {
  const typed = typing(box);
  const leave = async () => { if (await typed.mayLeave()) box.close(); };
  box.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target.closest("dialog") !== box || !typed.isFilled()) return;
    event.preventDefault(); // a second Escape would close it without a "cancel"
    leave();
  });
  return leave;
}

const standing = (control) => (control.type === "checkbox" || control.type === "radio" ? String(control.checked) : control.value);

/**
 * Ask before `act`; `body` are the elements of the question. `act` may reject: the fault is shown and
 * the dialog stays. Resolves to what `act` gave, or undefined when the person turned away.
 */
export function confirmed(title, body, label, act, { grave = false } = {}) {
  return new Promise((resolve) => {
    const said = h("div", { "aria-live": "polite" });
    const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, label);
    if (grave) go.classList.add("mw-btn-grave");
    const form = h("form.mw-dialog-body", { novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      fill(said);
      if (lacking(form)) return fill(said, problem({ message: t("form.lacking"), next: "" }));
      go.disabled = true;
      try {
        finish(await act());
      } catch (error) {
        fill(said, problem(error));
        go.disabled = false;
      }
    } }, h("header", null, h("h2", { id: "dialog-title" }, title), iconButton("close", t("close"), () => leave())),
    h("div.mw-stack.mw-pad", null, body, said),
    h("footer", null, button(t("cancel"), () => box.close()), go));
    const box = h("dialog.mw-dialog", { "aria-labelledby": "dialog-title", onclose: () => { box.remove(); resolve(undefined); } }, form);
    const leave = keeping(box);
    document.body.append(box);
    box.showModal();
    // never the button that cannot be undone
    (form.querySelector(".mw-stack :is(input, select, textarea):not([readonly])") ?? form.querySelector("footer button")).focus();
    function finish(value) {
      resolve(value ?? null);
      box.close();
    }
  });
}

/** Marks the controls of `form` that lack something and leads to the first; whether there are any. */
export function lacking(form) {
  const wrong = [...form.querySelectorAll("input, select, textarea")].filter((control) => {
    control.setAttribute("aria-invalid", String(!control.validity.valid));
    return !control.validity.valid;
  });
  wrong[0]?.focus();
  return wrong.length > 0;
}

/** A labelled control; `hint` below it. The control gets an id so that the label leads to it. */
export function field(label, control, hint, wide = false) {
  control.id ||= "f" + Math.random().toString(36).slice(2, 9);
  const note = h("small.mw-hint", { id: control.id + "-hint" }, hint ?? "");
  control.setAttribute("aria-describedby", note.id);
  const element = h("div.mw-field" + (wide ? ".mw-field-wide" : ""), null, h("label", { for: control.id }, label), control, note);
  element.control = control;
  element.wrong = (text) => {
    control.setAttribute("aria-invalid", String(Boolean(text)));
    note.textContent = text || hint || "";
    element.toggleAttribute("data-wrong", Boolean(text));
  };
  return element;
}

export function select(options, chosen, more = {}) {
  return h("select.mw-input", more, options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)));
}

export const input = (value = "", more = {}) => h("input.mw-input", { type: "text", value: String(value), autocomplete: "off", spellcheck: false, ...more });

/** Details beside the page: a drawer on the right, closed by Escape; `onclose` when it goes. */
export function drawer(title, body, onclose) {
  document.querySelector("dialog.mw-drawer")?.close();
  const inner = h("div.mw-drawer-body", null, body);
  const box = h("dialog.mw-drawer", { "aria-labelledby": "drawer-title", onclose: () => { box.remove(); onclose?.(); },
    onmousedown: (event) => event.target === box && leave() },
  h("header", null, h("h2", { id: "drawer-title", tabindex: -1 }, title), iconButton("close", t("close"), () => leave())), inner);
  const leave = keeping(box);
  document.body.append(box);
  box.showModal();
  return { element: box, body: inner, close: () => box.close(), show: (...what) => fill(inner, ...what) };
}

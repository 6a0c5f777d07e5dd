// Questions to a person: a modal dialog that does something and says what went wrong.

import { button, fill, h, iconButton, problem, t } from "mingwu-console/dom.js";

const FORM = 3; // from so many fields on it is work that a slip must not throw away

/**
 * A slip (Escape, a click beside it, the cross) does not throw a filled form away: it asks first, and so does
 * the browser when the page is left. Gives the way to close `box` politely.
 */
function keeping(box) {
  const touched = new Map(); // control -> what stood there before
  let asking = false;
  box.addEventListener("focusin", ({ target }) => "value" in target && target.type !== "search" && !touched.has(target) && touched.set(target, standing(target)));
  const isFilled = () => box.isConnected && box.querySelectorAll("input, select, textarea").length >= FORM &&
    [...touched].some(([control, before]) => box.contains(control) && standing(control) !== before);
  const guard = (event) => isFilled() && event.preventDefault();
  addEventListener("beforeunload", guard);
  box.addEventListener("close", () => removeEventListener("beforeunload", guard));
  box.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target.closest("dialog") !== box || !isFilled()) return;
    event.preventDefault(); // a second Escape would close it without a "cancel"
    leave();
  });
  return leave;

  async function leave() {
    if (asking) return;
    asking = true;
    const yes = !isFilled() || (await confirmed(t("discard.title"), h("p", null, t("discard.why")), t("discard.do"), () => true, { grave: true }));
    asking = false;
    if (yes) box.close();
  }
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
    const form = h("form.mw-dialog-body", { onsubmit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      fill(said);
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
    function finish(value) {
      resolve(value ?? null);
      box.close();
    }
  });
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

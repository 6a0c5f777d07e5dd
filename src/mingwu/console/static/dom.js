// Elements, words and states: what every island draws with. No framework; h() makes elements.

const config = JSON.parse(document.getElementById("mw-config").textContent);

export const lang = config.lang;
export const role = config.role;
/** Parts of the identity plane that this node runs. */
export const parts = config.parts;
export const account = config.account;

/** The words of `key`, with {placeholders} filled. An unknown key shows itself. */
export function t(key, values) {
  const text = config.texts[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) : text;
}

export const has = (key) => key in config.texts;

/** The name of a record in the reader's language; falls back to the other one. */
export function named(record, prefix = "name_") {
  const other = lang === "zh" ? "en" : "zh";
  return record[prefix + lang] || record[prefix + other] || "";
}

/** Who did something: an account by its name, what acts on its own in words. */
export const doer = (name) => (has("actor." + name) ? t("actor." + name) : name);

/** Make an element: h("a.cls", {href, onclick}, children…). Text is always text, never HTML. */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key === "style") element.style.cssText = value;
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** An icon of the sprite; decoration unless it gets a label. */
export function icon(name, label) {
  const attributes = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return svg("svg", { class: "mw-icon", ...attributes }, svg("use", { href: `${config.icons}#${name}` }));
}

export function setIcon(element, name) {
  element.querySelector("use").setAttribute("href", `${config.icons}#${name}`);
}

/** Replace the children of `element`. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter(Boolean));
  return element;
}

export function panel(title, ...body) {
  const head = h("header", null, h("h2", null, title));
  const element = h("section.mw-panel", null, head, ...body);
  element.head = head;
  return element;
}

/** A state as shape and word: good, uncertain, bad, stale, never; running, idle, … */
export function state(name, word) {
  return h("span.mw-st", { dataset: { s: name } }, icon(name), h("span", null, word ?? stateWord(name)));
}

export function stateWord(name) {
  for (const area of ["state.", "run.", "dev."]) if (has(area + name)) return t(area + name);
  return name;
}

export function setState(element, name, word) {
  if (element.dataset.s !== name) {
    element.dataset.s = name;
    setIcon(element, name);
  }
  const text = word ?? stateWord(name);
  if (element.lastChild.textContent !== text) element.lastChild.textContent = text;
}

export function simBadge() {
  return h("span.mw-sim", { title: t("simulated.title") }, icon("simulated"), t("simulated"));
}

/** An empty state that explains itself. */
export function empty(symbol, title, why, ...actions) {
  return h("div.mw-empty", null, icon(symbol), h("b", null, title), h("p", null, why),
    actions.length ? h("div.mw-row", null, actions) : null);
}

/** A problem with what happened and the next step; `again` adds a button. */
export function problem(error, again) {
  return h("div.mw-problem", { role: "alert" }, icon("bad"),
    h("div", null, h("b", null, error.message || t("error.title")), h("span", null, error.next || ""),
      again ? h("div.mw-row", { style: "margin-top:8px" }, button(t("retry"), again, "mw-btn-small")) : null));
}

export function skeleton(rows = 4) {
  return h("div.mw-stack.mw-pad", { "aria-label": t("loading"), role: "status" },
    Array.from({ length: rows }, (_, i) => h("div.mw-skel", { style: `width:${90 - ((i * 17) % 40)}%` })));
}

export function button(label, onclick, classes = "", symbol) {
  const element = h("button.mw-btn", { type: "button", onclick }, symbol ? icon(symbol) : null, label);
  if (classes) element.classList.add(...classes.split(" "));
  return element;
}

export function iconButton(symbol, label, onclick, classes = "mw-btn-bare mw-btn-small") {
  const element = h("button.mw-btn", { type: "button", onclick, title: label, "aria-label": label }, icon(symbol));
  element.classList.add(...classes.split(" "));
  return element;
}

export function copyButton(text) {
  return iconButton("copy", t("copy"), async () => {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  });
}

const TOAST = "mw-toast";
const TOAST_MS = 3500;

/** Words about what was done, for a moment; above dialogs, too. */
export function toast(text) {
  document.querySelector(".mw-toast")?.remove();
  const element = h("div.mw-toast", { role: "status", popover: "manual" }, text);
  document.body.append(element);
  element.showPopover();
  setTimeout(() => element.remove(), TOAST_MS);
}

/** The same on the page that comes next. */
export const toastNext = (text) => sessionStorage.setItem(TOAST, text);

/** Say what the page before left to be said. */
export function toastLeft() {
  const text = sessionStorage.getItem(TOAST);
  sessionStorage.removeItem(TOAST);
  if (text) toast(text);
}

export const thingName = (tag) => named(tag, "thing_") || tag.thing;

export const thingHref = (id) => "/things/" + id.split("/").map(encodeURIComponent).join("/");

/** The page of a name or code. */
export const nameHref = (name) => "/names/" + name.split("/").map(encodeURIComponent).join("/");

/** A segmented choice. `options`: [value, label]; returns the element with .set(value). */
export function segments(label, options, chosen, onchange) {
  const buttons = options.map(([value, text]) =>
    h("button.mw-btn", { type: "button", "aria-pressed": String(value === chosen), onclick: () => { element.set(value); onchange(value); } }, text));
  const element = h("div.mw-seg", { role: "group", "aria-label": label }, buttons);
  element.set = (value) => options.forEach(([one], i) => buttons[i].setAttribute("aria-pressed", String(one === value)));
  return element;
}

/** Call `fn` `ms` after the last call. */
export function debounce(fn, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
}

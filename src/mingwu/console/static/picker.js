// A search field that picks tags.

import { debounce, fill, h, named, t, thingName } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

export function tagPicker(onpick) {
  const found = h("div.mw-found", { id: "tag-found", role: "listbox", hidden: true });
  const input = h("input.mw-input", { type: "search", id: "tag-pick", autocomplete: "off", role: "combobox", "aria-expanded": "false", "aria-controls": "tag-found", placeholder: t("tags.filter") });
  const element = h("label.mw-field.mw-pick", { for: "tag-pick" }, t("history.add"), input, found);
  let rows = [];
  let chosen = 0;
  const close = () => { found.hidden = true; input.setAttribute("aria-expanded", "false"); };
  const pick = (tag) => { input.value = ""; close(); onpick(tag); input.focus(); };
  const mark = (at) => {
    chosen = (at + rows.length) % Math.max(1, rows.length);
    [...found.children].forEach((child, i) => child.setAttribute("aria-selected", String(i === chosen)));
    found.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const look = debounce(async () => {
    const q = input.value.trim();
    if (!q) return close();
    rows = (await api(`/tags?limit=12&q=${encodeURIComponent(q)}`)).tags.filter((tag) => tag.type !== "text");
    fill(found, rows.length ? rows.map((tag) => h("a", { href: "#", role: "option", onclick: (event) => { event.preventDefault(); pick(tag); } },
      named(tag) || tag.name, h("small", null, `${thingName(tag)} · `, h("span.mw-mono", null, tag.thing)))) : h("p", null, t("tags.empty")));
    found.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(0);
  }, 160);
  input.addEventListener("input", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if (event.key === "Enter" && !found.hidden && rows[chosen]) pick(rows[chosen]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => element.contains(event.target) || close());
  return { element, input };
}

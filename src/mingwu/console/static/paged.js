// A table in pages: rows, order and filter come from the server; what is chosen stands in the address.

import { button, debounce, empty, fill, h, icon, iconButton, skeleton, t } from "mingwu-console/dom.js";
import { trouble } from "mingwu-console/absent.js";
import { count } from "mingwu-console/format.js";

/**
 * `at`: address of the page · `query`: its options · `load(want)`: gives {rows, total, …} ·
 * `columns`: [{label, cell(row), sort, cls}] · `choices`: [{key, label, options(reply)}] segments ·
 * `selects`: [{key, label, options}] lists to choose from · `extras`: [{key, element}] filters of one's own, which call `change` ·
 * `search`: words of the search field, or nothing · `key(row)`: what marks the open row ·
 * `sorted`: [column, order] unless another is asked for · `none`: [icon, title, why] of an empty table ·
 * `part`: the part of the node behind it.
 */
export function paged({ at, query = {}, load, columns, choices = [], selects = [], extras = [], search, key, sorted = [], none, part, size = 50, onload }) {
  const initial = { sort: sorted[0] ?? "", order: sorted[1] ?? "", ...Object.fromEntries([...choices, ...selects, ...extras].map((one) => [one.key, one.initial ?? ""])) };
  const names = ["q", ...Object.keys(initial)];
  const want = { offset: Number(query.offset) || 0, limit: size };
  for (const name of names) want[name] = query[name] ?? initial[name] ?? "";
  let turn = 0;
  let open = "";
  const text = search ? h("input.mw-input", { type: "search", value: want.q, placeholder: search, "aria-label": search,
    oninput: debounce(() => change({ q: text.value.trim() }), 220) }) : null;
  const bars = choices.map((one) => h("div.mw-seg", { role: "group", "aria-label": one.label }));
  const lists = selects.map((one) => h("select.mw-input", { "aria-label": one.label, onchange: (event) => change({ [one.key]: event.target.value }) },
    one.options.map(([value, label]) => h("option", { value, selected: String(value) === String(want[one.key]) }, label))));
  const body = h("div");
  const foot = h("div.mw-foot");
  const element = h("section.mw-panel", null,
    text || bars.length || lists.length ? h("div.mw-filter.mw-filter-bars", null, text, lists, extras.map((one) => one.element), bars) : null, body, foot);
  fill(body, skeleton(8));

  return { element, want, change, reload, mark };

  function change(what) {
    Object.assign(want, { offset: 0 }, what);
    address();
    return reload();
  }

  function address() {
    const shown = Object.entries(want).filter(([name, value]) => value && name !== "limit" && value !== initial[name]);
    const search = new URLSearchParams(shown);
    if (open) search.set("id", open);
    history.replaceState(null, "", at + (String(search) ? "?" + search : ""));
  }

  /** Show which row is open beside the table. */
  function mark(id) {
    open = id;
    address();
    for (const row of body.querySelectorAll("tbody tr")) row.toggleAttribute("data-open", row.dataset.key === id);
  }

  async function reload() {
    const mine = ++turn;
    let reply;
    body.setAttribute("aria-busy", "true");
    try {
      reply = await load(new URLSearchParams(Object.entries(want).filter(([, value]) => value !== "")));
    } catch (error) {
      if (mine !== turn) return null;
      body.removeAttribute("aria-busy");
      foot.hidden = true;
      fill(body, h("div.mw-pad", null, trouble(error, part, reload)));
      return null;
    }
    if (mine !== turn) return null;
    const held = element.contains(document.activeElement) ? document.activeElement.dataset.stay : "";
    body.removeAttribute("aria-busy");
    foot.hidden = false;
    choices.forEach((one, i) => fill(bars[i], one.options(reply).map(([value, label, n]) => h("button.mw-btn", { type: "button",
      "aria-pressed": String(want[one.key] === value), dataset: { value, stay: `${one.key} ${value}` }, onclick: () => change({ [one.key]: value }) },
    label, n === undefined ? null : [" ", h("span.mw-faint", null, count(n))]))));
    fill(body, reply.rows.length ? table(reply.rows) : nothing());
    drawFoot(reply);
    // what was pressed is drawn anew: who works by keyboard stays where they were
    if (held) element.querySelector(`[data-stay="${CSS.escape(held)}"]`)?.focus();
    onload?.(reply);
    return reply;
  }

  function nothing() {
    const [symbol, title, why] = none(want);
    return empty(symbol, title, why, want.q ? button(t("tags.clear"), () => { text.value = ""; change({ q: "" }); }) : null);
  }

  function heading(column) {
    if (!column.sort) return h("th" + (column.cls ?? ""), { scope: "col" }, column.label);
    const on = want.sort === column.sort;
    const next = on ? (want.order === "desc" ? "asc" : "desc") : column.first ?? "asc";
    return h("th" + (column.cls ?? ""), { scope: "col", "aria-sort": on ? (want.order === "desc" ? "descending" : "ascending") : null },
      h("button", { type: "button", dataset: { stay: "sort " + column.sort }, title: t("tags.sort", { column: column.label }), onclick: () => change({ sort: column.sort, order: next }) },
        column.label, on ? icon(want.order === "desc" ? "down" : "up") : null));
  }

  function table(rows) {
    return h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null, h("thead", null, h("tr", null, columns.map(heading))),
      h("tbody", null, rows.map((row) => {
        const id = key ? String(key(row)) : "";
        return h("tr", { dataset: { key: id }, "data-open": id && id === open ? "" : null },
          columns.map((column) => h("td" + (column.cls ?? ""), { dataset: { label: column.label } }, column.cell(row))));
      }))));
  }

  function drawFoot(reply) {
    const last = Math.min(reply.total, want.offset + size);
    const back = iconButton("left", t("tags.prev"), () => page(-size));
    const next = iconButton("right", t("tags.next"), () => page(size));
    Object.assign(back.dataset, { stay: "back" });
    Object.assign(next.dataset, { stay: "next" });
    back.disabled = want.offset === 0;
    next.disabled = last >= reply.total;
    fill(foot, h("span.mw-grow"), reply.total ? h("span", null, t("tags.page", { from: count(want.offset + 1), to: count(last), total: count(reply.total) })) : null, back, next);
  }

  function page(step) {
    want.offset = Math.max(0, want.offset + step);
    address();
    return reload();
  }
}

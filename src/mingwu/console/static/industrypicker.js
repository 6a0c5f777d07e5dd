// Choosing a code of GB/T 4754: found by digits and names in both languages, or by going down its levels.

import { button, debounce, fill, h, icon, iconButton, lang, t } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

const LOWEST = 4;
const nameOf = (row) => row[lang] || row.zh || row.en;

/** The parts of an industry from its lowest code; `above` are the rows of the codes above it. */
export function industryOf(code, above) {
  const chain = [];
  for (let at = code; at; at = above[at]?.parent) chain.unshift(at);
  const [category = "", division = "", group = "", lowest = ""] = chain;
  return { category, division, group, class: lowest };
}

/** The lowest code of an industry. */
export const lowestCode = (industry) => industry.class || industry.group || industry.division || industry.category || "";

/** Codes with their names, category first, as far as the table knows them. */
export async function industryWords(industry) {
  const codes = [industry.category, industry.division, industry.group, industry.class].filter(Boolean);
  if (!codes.length) return [];
  const known = codes.slice(0, -1).reverse();
  const reply = await api(`/identity/industries?text=${encodeURIComponent(codes.at(-1))}&limit=20`).catch(() => ({ industries: [], above: {} }));
  const rows = { ...reply.above, ...Object.fromEntries(reply.industries.map((row) => [row.code, row])) };
  for (const code of known) {
    if (rows[code]) continue;
    const more = await api(`/identity/industries?text=${encodeURIComponent(code)}&limit=20`).catch(() => ({ industries: [] }));
    for (const row of more.industries) rows[row.code] ??= row;
  }
  return codes.map((code) => [code, rows[code] ? nameOf(rows[code]) : ""]);
}

/** The path of an industry as an element. */
export function industryPath(words) {
  return h("span.mw-industry-path", null, words.map(([code, name], i) => [i ? h("span.mw-faint", null, " / ") : null, h("span", null, h("b.mw-mono", null, code), name ? " " + name : "")]));
}

/**
 * A dialog to choose from; resolves to {code, industry} or undefined. `least`: the highest level that may be
 * chosen (1: a category will do) · `all`: words of a choice that chooses nothing.
 */
export function chooseIndustry({ least = 2, all = "" } = {}) {
  return new Promise((resolve) => {
    const rows = h("ul.mw-industries", { role: "list" });
    const crumbs = h("div.mw-crumbs");
    const search = h("input.mw-input", { type: "search", placeholder: t("industry.search"), "aria-label": t("industry.search"), autocomplete: "off",
      oninput: debounce(() => look(search.value.trim()), 160) });
    const box = h("dialog.mw-dialog.mw-industry", { "aria-labelledby": "industry-title", onclose: () => { box.remove(); resolve(undefined); } },
      h("div.mw-dialog-body", null,
        h("header", null, h("h2", { id: "industry-title" }, t("industry.title")), iconButton("close", t("close"), () => box.close())),
        h("div.mw-stack.mw-pad", null, search, crumbs, rows)));
    document.body.append(box);
    box.showModal();
    let turn = 0;
    browse([]);

    function done(code, above) {
      resolve({ code, industry: industryOf(code, above) });
      box.close();
    }

    async function look(text) {
      if (!text) return browse([]);
      const mine = ++turn;
      const found = await api(`/identity/industries?limit=60&text=${encodeURIComponent(text)}`).catch(() => ({ industries: [], above: {} }));
      if (mine !== turn) return;
      const above = { ...found.above, ...Object.fromEntries(found.industries.map((row) => [row.code, row])) };
      fill(crumbs);
      const unlisted = await beyond(text, found.industries, above);
      if (mine !== turn) return;
      fill(rows, unlisted, found.industries.map((row) => line(row, above)), found.industries.length || unlisted ? null : h("li.mw-dim", null, t("industry.none")));
    }

    /** A group or class whose digits fit a known division may be used though the table has not got it. */
    async function beyond(text, found, above) {
      if (!/^\d{3,4}$/.test(text) || found.some((row) => row.code === text)) return null;
      const reply = await api(`/identity/industries?level=2&text=${text.slice(0, 2)}`).catch(() => ({ industries: [], above: {} }));
      const division = reply.industries.find((row) => row.code === text.slice(0, 2));
      if (!division) return null;
      const rows = { ...above, ...reply.above, [division.code]: division, [text.slice(0, 3)]: { parent: division.code }, ...(text.length === 4 ? { [text]: { parent: text.slice(0, 3) } } : {}) };
      return h("li", null, button(t("industry.unlisted", { code: text }), () => done(text, rows), "mw-btn-small"));
    }

    async function browse(path) {
      const mine = ++turn;
      const parent = path.at(-1)?.code ?? "";
      const found = await api(`/identity/industries?parent=${encodeURIComponent(parent)}`).catch(() => ({ industries: [] }));
      if (mine !== turn) return;
      const above = Object.fromEntries([...path, ...found.industries].map((row) => [row.code, row]));
      fill(crumbs, path.length ? [h("button.mw-inline", { type: "button", onclick: () => browse([]) }, t("industry.top")), path.map((row, i) => [icon("right"),
        h("button.mw-inline", { type: "button", onclick: () => browse(path.slice(0, i + 1)) }, `${row.code} ${nameOf(row)}`)])] : null);
      fill(rows, all && !path.length ? h("li", null, h("button.mw-industry-row", { type: "button", onclick: () => done("", {}) }, all)) : null,
        found.industries.map((row) => line(row, above, () => browse([...path, row]))), found.industries.length ? null : h("li.mw-dim", null, t("industry.none")));
    }

    function line(row, above, into) {
      const path = [];
      for (let at = above[row.parent]; at && !into; at = above[at.parent]) path.unshift(nameOf(at));
      const choose = row.level >= least ? () => done(row.code, above) : into ?? (() => { search.value = ""; browse([row]); });
      return h("li", null,
        h("button.mw-industry-row", { type: "button", dataset: { code: row.code }, onclick: choose }, h("b.mw-mono", null, row.code),
          h("span.mw-two", null, h("span", null, nameOf(row)), path.length ? h("small", null, path.join(" / ")) : h("small", null, t("industry.level." + row.level)))),
        into && row.level < LOWEST ? iconButton("right", t("industry.into", { code: row.code }), into) : null);
    }
  });
}

/** A field with the chosen industry; `.value()` gives its parts, `onchange` is called after a choice. */
export function industryField(label, industry, onchange) {
  let chosen = industry;
  const control = h("button.mw-input.mw-industry-field", { type: "button", id: "f-industry", onclick: async () => {
    const found = await chooseIndustry();
    if (!found) return;
    chosen = found.industry;
    element.wrong("");
    draw();
    onchange?.();
  } });
  const hint = h("small.mw-hint", { id: "f-industry-hint" });
  const element = h("div.mw-field.mw-field-wide", null, h("label", { for: control.id }, label), control, hint);
  control.setAttribute("aria-describedby", hint.id);
  element.control = control;
  element.value = () => chosen;
  element.wrong = (text) => {
    hint.textContent = text;
    element.toggleAttribute("data-wrong", Boolean(text));
  };
  draw();
  return element;

  async function draw() {
    fill(control, lowestCode(chosen) ? h("span.mw-mono", null, lowestCode(chosen)) : h("span.mw-faint", null, t("industry.choose")), icon("down"));
    const mine = chosen;
    const words = await industryWords(chosen);
    if (mine === chosen && words.length) fill(control, industryPath(words), icon("down"));
  }
}

// The tag table: thousands of rows, paged, filtered and sorted by the server; visible rows live.

import { button, debounce, empty, fill, h, icon, iconButton, named, problem, simBadge, skeleton, t, thingHref, thingName } from "mingwu-console/dom.js";
import { count, period } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { follow, liveCells } from "mingwu-console/rows.js";

const PAGE = 50;
const STATES = ["good", "uncertain", "bad", "stale", "never"];

export async function mount(root, { query }) {
  const want = {
    q: query.q ?? "", place: query.place ?? "", quality: STATES.includes(query.quality) ? query.quality : "",
    sort: query.sort ?? "name", order: query.order ?? "asc", offset: Number(query.offset) || 0,
  };
  let end = () => {};
  let turn = 0;
  const lead = h("p", { "aria-live": "polite" }, " ");
  const text = h("input.mw-input", { type: "search", id: "tag-filter", value: want.q, placeholder: t("tags.filter"), "aria-label": t("tags.filter"),
    oninput: debounce(() => change({ q: text.value.trim() }), 220) });
  const place = h("select.mw-input", { "aria-label": t("tags.place"), onchange: () => change({ place: place.value }) }, h("option", { value: "" }, `${t("tags.place")}: ${t("all")}`));
  const states = h("div.mw-seg", { role: "group", "aria-label": t("tags.state") });
  const body = h("div");
  const foot = h("div.mw-foot");
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("tags.title")), lead)),
    h("section.mw-panel", null, h("div.mw-filter", null, text, place, states), body, foot));
  fill(body, skeleton(12));
  api("/places").then((reply) => place.append(...reply.places.map((row) =>
    h("option", { value: row.path, selected: row.path === want.place }, " ".repeat(2 * (row.path.split("/").length - 1)) + named(row)))), () => {});
  await load();
  return { destroy: () => end() };

  function change(what) {
    Object.assign(want, { offset: 0 }, what);
    const search = new URLSearchParams(Object.entries(want).filter(([key, value]) => value && !(key === "sort" && value === "name") && !(key === "order" && value === "asc")));
    history.replaceState(null, "", "/tags" + (String(search) ? "?" + search : ""));
    return load();
  }

  async function load() {
    const mine = ++turn;
    let reply;
    try {
      reply = await api("/tags?" + new URLSearchParams({ ...want, limit: PAGE }));
    } catch (error) {
      if (mine === turn) fill(body, h("div.mw-pad", null, problem(error, load)));
      return;
    }
    if (mine !== turn) return;
    end();
    lead.textContent = t("tags.lead", { total: count(reply.total) });
    drawStates(reply.counts);
    if (!reply.tags.length) {
      end = () => {};
      fill(body, empty("search", t("tags.empty"), t("tags.empty.why"), button(t("tags.clear"), () => {
        text.value = place.value = "";
        change({ q: "", place: "", quality: "" });
      })));
    } else {
      const cells = reply.tags.map(liveCells);
      fill(body, table(cells));
      end = follow(cells);
    }
    drawFoot(reply);
  }

  function drawStates(counts) {
    const total = STATES.reduce((sum, name) => sum + counts[name], 0);
    const one = (name, label, n) => h("button.mw-btn", { type: "button", "aria-pressed": String(want.quality === name), dataset: { state: name },
      onclick: () => change({ quality: name }) }, name ? icon(name) : null, label, " ", h("span.mw-faint", null, count(n)));
    fill(states, one("", t("all"), total), STATES.filter((name) => counts[name] || want.quality === name).map((name) => one(name, t("state." + name), counts[name])));
  }

  function heading(label, sort, classes = "") {
    const on = want.sort === sort;
    const cell = h("th" + classes, { scope: "col", "aria-sort": on ? (want.order === "asc" ? "ascending" : "descending") : null },
      h("button", { type: "button", title: t("tags.sort", { column: label }), onclick: () => change({ sort, order: on && want.order === "asc" ? "desc" : "asc" }) },
        label, on ? icon(want.order === "asc" ? "up" : "down") : null));
    return cell;
  }

  function table(cells) {
    return h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null,
      h("thead", null, h("tr", null, heading(t("tags.tag"), "tag", ".mw-wide-col"), heading(t("tags.thing"), "name", ".mw-wide-col"), h("th.num.mw-fit", { scope: "col" }, t("tags.value")),
        h("th.mw-fit"), h("th", { scope: "col" }, t("tags.quality")), heading(t("tags.age"), "age", ".num.mw-fit"), heading(t("tags.period"), "period", ".num.mw-fit"), h("th.mw-fit"))),
      h("tbody", null, cells.map(row))));
  }

  function row(one) {
    const { tag } = one;
    const href = thingHref(tag.thing);
    return h("tr", { dataset: { number: tag.number } },
      h("td.mw-lead", null, h("div.mw-two", null, h("span", null, named(tag) || tag.name), h("small", null, h("span.mw-mono", null, tag.name), h("a.mw-narrow", { href }, " · ", thingName(tag))))),
      h("td.mw-hide", null, h("div.mw-two", null, h("a", { href }, thingName(tag)), h("small.mw-mono", null, tag.thing.split("/").slice(1).join("/")))),
      h("td.num.mw-fit", null, one.value), h("td.mw-hide", null, one.bar),
      h("td", null, h("span.mw-row", { style: "flex-wrap:nowrap" }, one.quality, tag.simulated ? h("span", { style: "color:var(--sim)" }, icon("simulated", t("simulated"))) : null)),
      h("td.num.mw-dim.mw-hide.mw-nowrap", { style: "min-width:80px" }, one.age), h("td.num.mw-faint.mw-hide.mw-nowrap", null, period(tag.period_ms)),
      h("td.num.mw-hide", null, tag.type === "text" ? null : h("a.mw-act", { href: `${href}?tag=${encodeURIComponent(tag.name)}`, title: t("tags.trend") }, icon("trend", t("tags.trend")))));
  }

  function drawFoot(reply) {
    const last = Math.min(reply.total, want.offset + PAGE);
    const back = iconButton("left", t("tags.prev"), () => change({ offset: Math.max(0, want.offset - PAGE) }));
    const next = iconButton("right", t("tags.next"), () => change({ offset: want.offset + PAGE }));
    back.disabled = want.offset === 0;
    next.disabled = last >= reply.total;
    fill(foot, reply.tags.some((tag) => tag.simulated) ? simBadge() : null, h("span.mw-grow"),
      reply.total ? h("span", null, t("tags.page", { from: count(want.offset + 1), to: count(last), total: count(reply.total) })) : null, back, next);
  }
}

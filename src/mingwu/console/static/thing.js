// A thing: its name, where it stands, what it has to do with others, its tags live, its trend.

import { button, copyButton, empty, fill, h, has, icon, lang, named, panel, problem, setState, simBadge, skeleton, state, t, nameHref, thingHref } from "mingwu-console/dom.js";
import { period } from "mingwu-console/format.js";
import { ruleTags, runState } from "mingwu-console/machine.js";
import { api, watchTags } from "mingwu-console/net.js";
import { follow, liveCells } from "mingwu-console/rows.js";

export async function mount(root, { id, qr }) {
  const ends = [];
  fill(root, skeleton(10));
  let found;
  try {
    found = await api("/things/" + id.split("/").map(encodeURIComponent).join("/"));
  } catch (error) {
    fill(root, problem(error, () => location.reload()));
    return { destroy() {} };
  }
  const { thing, places, relations, tags, rule } = found;
  const mark = tags.length ? state("unknown") : null;
  const main = h("div.mw-stack");
  fill(root, crumbs(places), h("div.mw-head", null,
    h("div", null, h("h1", null, named(thing) || thing.id),
      h("div.mw-id", null, h("span.mw-mono.mw-dim", { id: "thing-id" }, thing.id), copyButton(thing.id))),
    h("div.mw-row", null, mark, thing.simulated ? simBadge() : null)),
    h("div.mw-thing", null, main, h("div.mw-stack", null, names(thing, qr), facts(thing, places), related(relations))));
  if (!tags.length) {
    fill(main, h("section.mw-panel", null, empty("thing", t("thing.tags.empty"), t("thing.tags.why"))));
    return { destroy() {} };
  }
  const numeric = tags.filter((tag) => tag.type !== "text");
  const table = tagTable(tags, ends);
  const slot = h("div");
  fill(main, slot, table);
  if (rule) ends.push(followState(mark, rule, tags));
  else setState(mark, runState(null, new Map(tags.map((tag) => [tag.number, { v: tag.value, ms: tag.time_ms, q: tag.quality }])), tags.map((tag) => tag.number)));
  if (numeric.length) ends.push(await trend(slot, numeric));
  return { destroy: () => ends.forEach((end) => end()) };
}

function crumbs(places) {
  return h("nav.mw-crumbs", { "aria-label": t("thing.place") }, places.flatMap((place, at) => [
    at ? icon("right") : null, h("a", { href: "/?place=" + encodeURIComponent(place.path) }, named(place))]));
}

function followState(mark, rule, tags) {
  const heard = new Map(tags.map((tag) => [tag.number, { v: tag.value, ms: tag.time_ms, q: tag.quality }]));
  const draw = () => setState(mark, runState(rule, heard));
  draw();
  return watchTags(ruleTags(rule), (number, value) => heard.set(number, value), draw);
}

/** The first figure and, with it, one of another unit: two lines, each with its own axis. */
function firstDrawn(tags) {
  const other = tags.find((tag) => tag.unit !== tags[0].unit && tag.type === tags[0].type);
  return other ? [tags[0], other] : [tags[0]];
}

async function trend(slot, tags) {
  const { Trend, legend } = await import("mingwu-console/chart.js");
  const order = [...tags].sort((a, b) => (b.type === "float") - (a.type === "float") || b.exposed - a.exposed);
  order.forEach((tag, at) => { tag.colour = at; });
  const offered = order.slice(0, 8);
  const wanted = new URLSearchParams(location.search).get("tag");
  const asked = tags.find((tag) => tag.name === wanted);
  if (asked && !offered.includes(asked)) offered.unshift(asked);
  const chosen = new Set((asked ? [asked] : firstDrawn(offered)).map((tag) => tag.number));
  const drawn = () => offered.filter((tag) => chosen.has(tag.number));
  const chart = new Trend({ tags: drawn(), span: 600e3 });
  const box = panel(t("trend"), legend(offered, chosen, () => chart.setTags(drawn())), chart.element);
  box.head.append(chart.tools);
  fill(slot, box);
  await chart.mount();
  return () => chart.destroy();
}

function tagTable(tags, ends) {
  const cells = tags.map(liveCells);
  const body = h("tbody", null, cells.map((one) => h("tr", { dataset: { tag: one.tag.name } },
    h("td.mw-lead", null, h("div.mw-two", null, h("span", null, named(one.tag) || one.tag.name), h("small.mw-mono", null, one.tag.name))),
    h("td.num.mw-fit", null, one.value), h("td.mw-hide", null, one.bar), h("td", null, one.quality),
    h("td.num.mw-dim.mw-hide.mw-nowrap", null, one.age), h("td.num.mw-faint.mw-hide.mw-nowrap", null, period(one.tag.period_ms)))));
  ends.push(follow(cells));
  return panel(`${t("thing.tags")} · ${tags.length}`, h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null,
    h("thead", null, h("tr", null, h("th.mw-wide-col", null, t("tags.tag")), h("th.num.mw-fit", null, t("tags.value")), h("th.mw-fit"),
      h("th.mw-wide-col", null, t("tags.quality")), h("th.num", { style: "width:72px" }, t("tags.age")), h("th.num.mw-fit", null, t("tags.period")))), body)));
}

function names(thing, qr) {
  const label = button(t("label.open"), async () => (await import("mingwu-console/label.js")).labelDialog(thing.id), "", "print");
  const picture = new DOMParser().parseFromString(qr, "image/svg+xml").documentElement;
  const command = `mingwu resolve ${thing.id}`;
  return panel(t("thing.name"),
    h("div.mw-qr", null, document.importNode(picture, true),
      h("div.mw-two", null, h("span.mw-mono", { style: "overflow-wrap:anywhere" }, thing.id), h("small", null, t("thing.qr.hint")))),
    h("div.mw-pad.mw-stack", { style: "padding-top:0;gap:8px" },
      label,
      h("small.mw-faint", null, t("thing.command")),
      h("div.mw-code", null, h("code", null, command), copyButton(command)),
      link("register", t("thing.allabout"), nameHref(thing.id)),
      link("resolve", t("thing.record"), "/resolve?name=" + encodeURIComponent(thing.id)),
      link("document", t("thing.td"), "/api/things/" + thing.id.split("/").map(encodeURIComponent).join("/") + "/td"),
      thing.documentation ? link("out", t("thing.documentation"), thing.documentation) : null));
}

function link(symbol, words, href) {
  return h("a.mw-row", { href, rel: "noreferrer" }, icon(symbol), words);
}

function facts(thing, places) {
  const type = thing["type_" + lang] || thing.type;
  const rows = [
    [t("thing.kind"), t("kind." + thing.kind)],
    [t("thing.type"), type && type !== thing.type ? `${type} (${thing.type})` : type],
    [t("thing.place"), places.length ? named(places.at(-1)) : ""],
    [t("thing.gateway"), [thing.gateway, thing.device].filter(Boolean).join(" · ")],
  ].filter(([, value]) => value);
  return panel(t("thing.facts"), h("dl.mw-facts", null, rows.map(([key, value]) => [h("dt", null, key), h("dd", null, value)])));
}

function related(relations) {
  const words = (row) => {
    const key = `rel.${row.kind}${row.inverse ? ".inverse" : ""}`;
    return has(key) ? t(key) : row.kind;
  };
  return panel(t("thing.relations"), relations.length
    ? h("ul.mw-rels", null, relations.map((row) => h("li", null, h("span", null, words(row)),
        h("a", { href: thingHref(row.id) }, named(row) || row.id, h("small.mw-mono", null, row.id.split("/").slice(1).join("/"))))))
    : h("p.mw-dim.mw-pad", null, t("thing.relations.empty")));
}

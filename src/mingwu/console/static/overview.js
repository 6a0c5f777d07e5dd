// The overview: figures of the plant, its hierarchy, a card per machine, alarms to come, parts.

import { empty, fill, h, icon, named, panel, problem, setState, skeleton, state, stateWord, svg, t, thingHref } from "mingwu-console/dom.js";
import { age, count, shown } from "mingwu-console/format.js";
import { ruleTags, runState } from "mingwu-console/machine.js";
import { api, watchDocument, watchTags } from "mingwu-console/net.js";

const SPARK_MS = 15 * 60000;
const SPARK_POINTS = 60;

export async function mount(root, { query, pages = [] }) {
  fill(root, skeleton(8));
  let stop = () => {};
  const heard = new Map();
  const figures = kpis();
  const cards = h("div");
  const tree = h("nav.mw-tree", { "aria-label": t("overview.hierarchy") });
  const parts = h("ul.mw-parts");
  let place = query.place ?? "";

  try {
    const [places, first] = await Promise.all([api("/places"), load(place)]);
    if (!places.places.length && !first.machines.length && pages.length) {
      fill(root, home(pages), panel(t("overview.parts"), parts));
      watchDocument("status", (rows) => drawParts(parts, rows ?? [], figures));
      return { destroy() {} };
    }
    fill(root, h("h1.mw-sr", null, t("overview.title")), figures.element, h("div.mw-over", null,
      panel(t("overview.hierarchy"), tree), cards,
      h("div.mw-stack", null, alarms(), panel(t("overview.parts"), parts))));
    drawTree(places);
    draw(first, places);
    watchDocument("status", (rows) => drawParts(parts, rows ?? [], figures));

    function drawTree() {
      const rows = places.places.map((row) => {
        const depth = row.path.split("/").length - 1;
        return h("button", {
          type: "button", style: `padding-left:${8 + depth * 14}px`, "aria-current": String(row.path === place),
          title: t("level." + row.level), onclick: () => choose(row.path === place ? "" : row.path),
        }, h("span", null, named(row)), h("small", null, count(places.counts[row.path] ?? 0)));
      });
      fill(tree, rows.length ? rows : h("p.mw-dim.mw-pad", null, t("none")));
    }
    async function choose(path) {
      place = path;
      history.replaceState(null, "", path ? "/?place=" + encodeURIComponent(path) : "/");
      drawTree();
      draw(await load(path), places);
    }
  } catch (error) {
    fill(root, problem(error, () => location.reload()));
  }

  function load(path) {
    return api("/overview?limit=200&place=" + encodeURIComponent(path));
  }

  function draw(plant, places) {
    stop();
    heard.clear();
    figures.set(plant);
    const names = new Map(places.places.map((row) => [row.path, named(row)]));
    // The whole plant by shop; a chosen place by what is in it. Machines that tell a state first.
    const levels = new Map(places.places.map((row) => [row.path, row.level]));
    const shop = (path) => (place ? path : areaOf(path, levels));
    const ordered = [...plant.machines].sort((a, b) => !a.rule - !b.rule);
    const groups = group(ordered, (machine) => shop(machine.thing.place));
    const drawn = [];
    fill(cards, [...groups].map(([path, machines]) => h("section.mw-area", null,
      h("h2", null, names.get(path) ?? path, h("small", null, count(machines.length))),
      h("div.mw-cards", null, machines.map((machine) => {
        const one = card(machine, heard);
        drawn.push(one);
        return one.element;
      })))), plant.machines.length ? null : h("section.mw-panel", null, empty("machine", t("overview.empty"), t("overview.empty.why"))));
    const owners = new Map();
    for (const one of drawn) for (const number of one.numbers) owners.set(number, one);
    const touched = new Set();
    stop = watchTags([...owners.keys()], (number, value) => {
      heard.set(number, value);
      touched.add(owners.get(number));
    }, () => {
      for (const one of touched) one.refresh();
      touched.clear();
      figures.running(drawn.filter((one) => one.state === "running").length, drawn.length);
    });
    sparks(drawn);
  }

  return { destroy: () => stop() };
}

/** The nearest place upwards that is an area or higher. */
function areaOf(path, levels) {
  let at = path;
  while (at.includes("/") && !["area", "site", "enterprise"].includes(levels.get(at))) at = at.slice(0, at.lastIndexOf("/"));
  return at;
}

function group(rows, key) {
  const groups = new Map();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return groups;
}

function kpis() {
  const make = (label, href) => {
    const value = h("b", null, "—");
    const sub = h("small", null, " ");
    const element = h(href ? "a.mw-kpi" : "div.mw-kpi", { href }, h("span", null, label), value, sub);
    return { element, value, sub };
  };
  const machines = make(t("overview.machines"));
  const things = make(t("overview.named"));
  const tags = make(t("overview.tags"), "/tags");
  const attention = make(t("overview.attention"), "/tags?quality=bad");
  const rate = make(t("overview.rate"), "/gateways");
  const all = [machines, things, tags, attention, rate];
  rate.sub.textContent = t("overview.rate.none");
  return {
    element: h("section.mw-panel.mw-kpis", null, all.map((one) => one.element)),
    set(plant) {
      const total = Object.values(plant.kinds).reduce((sum, n) => sum + n, 0);
      const { good, bad, stale, uncertain, never } = plant.tags;
      machines.value.textContent = count(plant.total);
      things.value.textContent = count(total);
      things.sub.textContent = t("overview.named.sub", { kinds: Object.keys(plant.kinds).length });
      tags.value.textContent = count(good + bad + stale + uncertain + never);
      tags.sub.textContent = t("overview.tags.sub", { good: count(good) });
      attention.value.textContent = count(bad + stale + uncertain);
      attention.element.dataset.s = bad ? "bad" : "";
      attention.element.href = "/tags?quality=" + (bad ? "bad" : stale ? "stale" : uncertain ? "uncertain" : "bad");
      attention.sub.textContent = Object.entries({ bad, stale, uncertain }).filter(([, n]) => n)
        .map(([name, n]) => `${stateWord(name)} ${count(n)}`).join(" · ") || t("overview.attention.none");
    },
    running(n) {
      machines.sub.textContent = t("overview.machines.sub", { running: n });
    },
    rate(points, gateways) {
      rate.value.textContent = gateways ? count(points) : "—";
      rate.sub.textContent = gateways ? t("overview.rate.sub", { n: gateways }) : t("overview.rate.none");
    },
  };
}

function card(machine, heard) {
  const { thing, tags, rule } = machine;
  for (const tag of tags) heard.set(tag.number, { v: tag.value, ms: tag.time_ms, q: tag.quality });
  const rows = tags.slice(0, 3).map((tag) => ({ tag, dd: h("dd.mw-val") }));
  const mark = state("unknown");
  const spark = svg("svg", { class: "mw-spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  const element = h("a.mw-card", { href: thingHref(thing.id) },
    h("div.mw-card-name", null, h("b", null, named(thing) || thing.id),
      h("div.mw-card-top", null, h("span.mw-mono", null, thing.id.split("/").slice(1).join("/")), mark)),
    h("dl", null, rows.map(({ tag, dd }) => [h("dt", null, named(tag) || tag.name), dd])), spark);
  const numbers = [...new Set([...tags.map((tag) => tag.number), ...ruleTags(rule)])];
  const lead = tags.find((tag) => tag.type === "float") ?? null;
  const one = {
    element, numbers, lead, spark, state: "unknown",
    refresh() {
      one.state = runState(rule, heard, numbers);
      setState(mark, one.state);
      element.dataset.s = one.state;
      for (const { tag, dd } of rows) {
        const value = heard.get(tag.number);
        const text = shown(tag, value?.v);
        if (dd.dataset.text === text) continue;
        dd.dataset.text = text;
        fill(dd, text, h("small", null, text === "—" ? "" : tag.unit_shown));
      }
    },
  };
  one.refresh();
  return one;
}

/** The last quarter of an hour of each card's first figure; without history the card does without. */
async function sparks(cards) {
  const wanted = cards.filter((one) => one.lead);
  const end = Date.now();
  for (let at = 0; at < wanted.length; at += 16) {
    const some = wanted.slice(at, at + 16);
    let reply;
    try {
      reply = await api(`/series?tags=${some.map((one) => one.lead.number)}&start=${end - SPARK_MS}&end=${end}&width=${SPARK_POINTS}&method=avg`);
    } catch {
      return; // 503 without a history: the parts list says so
    }
    reply.series.forEach((series, i) => drawSpark(some[i].spark, series, end));
  }
}

function drawSpark(spark, series, end) {
  const points = series.ms.map((ms, i) => [ms, series.v[i]]).filter(([, v]) => v !== null);
  if (points.length < 2) return;
  points.push([end, points.at(-1)[1]]); // what was said last holds
  const values = points.map(([, v]) => v);
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const x = (ms) => (100 * (ms - (end - SPARK_MS))) / SPARK_MS;
  const line = points.map(([ms, v], i) => `${i ? "L" : "M"}${x(ms).toFixed(1)} ${(28 - (24 * (v - low)) / span).toFixed(1)}`).join("");
  spark.replaceChildren(
    svg("path", { class: "fill", d: `${line}L${x(points.at(-1)[0]).toFixed(1)} 30L${x(points[0][0]).toFixed(1)} 30Z` }),
    svg("path", { d: line }));
}

/** What a node without a plant opens with: where its work is done. */
function home(pages) {
  return [h("div.mw-head", null, h("div", null, h("h1", null, t("overview.title")), h("p", null, t("overview.noplant")))),
    h("div.mw-cards.mw-home", null, pages.map((one) => h("a.mw-card", { href: one.href },
      h("b.mw-row", null, icon(one.icon), one.title), h("p", null, one.why))))];
}

function alarms() {
  return panel(t("overview.alarms"), empty("bell", t("overview.alarms.empty"), t("overview.alarms.why"),
    h("a.mw-btn.mw-btn-small", { href: "/tags?quality=bad" }, t("overview.alarms.link"))));
}

function drawParts(list, rows, figures) {
  fill(list, rows.length
    ? rows.map((row) => h("li", null,
        h("span", null, t("part." + row.role), " ", h("small.mw-faint", null, row.name)),
        row.lost ? state("lost", t("part.lost", { age: age(row.age_s) })) : state("online", t("part.ok"))))
    : h("li.mw-dim", null, t("overview.parts.empty")));
  const gateways = rows.filter((row) => row.role === "gateway" && !row.lost);
  figures.rate(gateways.reduce((sum, row) => sum + (row.points_per_s ?? 0), 0), gateways.length);
}

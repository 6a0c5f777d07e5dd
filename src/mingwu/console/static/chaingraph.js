// The chain of a name as a drawing: columns by distance on wide screens, an indented list on phones.
// The order of the server's walk decides the places, so the same chain always looks the same.

import { button, fill, h, has, named, nameHref, panel, svg, t } from "mingwu-console/dom.js";

const BOX = { width: 208, least: 150, height: 62, gapX: 96, leastGap: 72, gapY: 14 };
const DRAWN = 200; // narrower is a panel still being laid out
const INDENT = 18;
const PER_COLUMN = 8;
const NARROW = 560;
const BACK = 34; // room below for lines that lead back
const ASIDE = 48; // room beside the last column for lines within it

export function chainGraph(graph) {
  const plot = h("div.mw-chain");
  let all = false;
  let width = 0;
  const crossing = [["systems", graph.systems], ["owners", graph.owners], ["places", graph.places]].filter(([, found]) => found.length > 1);
  const element = panel(t("name.graph"), h("div.mw-chain-facts", null,
    graph.crosses ? h("span.mw-chip", null, t("chain.crosses")) : null,
    crossing.map(([key, found]) => h("span.mw-chip", { title: found.join(" · ") }, t("chain." + key, { n: found.length }))),
    graph.edges.some((edge) => edge.loop) ? h("span.mw-chip.mw-chip-bad", null, t("chain.looped")) : null,
    graph.cut ? h("span.mw-chip", null, t("chain.cut")) : null), plot);
  new ResizeObserver(() => { if (plot.clientWidth > DRAWN && Math.abs(plot.clientWidth - width) > 8) draw(); }).observe(plot);
  return element;

  function draw() {
    width = plot.clientWidth;
    const { nodes, edges, hidden } = visible(graph, all ? Infinity : PER_COLUMN);
    const isNarrow = width < NARROW;
    const places = isNarrow ? asList(graph.start, nodes, edges, width) : asColumns(nodes, edges, width);
    const drawing = svg("svg", { width: places.width, height: places.height, viewBox: `0 0 ${places.width} ${places.height}`, role: "group", "aria-label": t("name.graph") },
      ...edges.map((edge) => (isNarrow ? step : line)(edge, places.at)), ...nodes.map((node) => box(node, places.at.get(node.id), node.id === graph.start)));
    fill(plot, drawing, hidden ? h("div.mw-chain-more", null, button(t("chain.more", { n: hidden }), () => { all = true; draw(); }, "mw-btn-small")) : null,
      nodes.length === 1 ? h("p.mw-dim.mw-chain-more", null, t("chain.alone")) : null);
  }
}

/** Nodes that are drawn: of each distance the first ones, those in loops before others. */
function visible(graph, most) {
  const looped = new Set(graph.edges.filter((edge) => edge.loop).flatMap((edge) => [edge.source, edge.target]));
  const shown = new Set();
  for (const column of byDepth(graph.nodes).values()) [...column].sort((a, b) => looped.has(b.id) - looped.has(a.id)).slice(0, most).forEach((node) => shown.add(node.id));
  // what hangs on something hidden is hidden, too
  const reached = new Set([graph.start]);
  for (const edge of graph.edges) if (reached.has(edge.source) && shown.has(edge.target)) reached.add(edge.target);
  const nodes = graph.nodes.filter((node) => reached.has(node.id));
  const edges = graph.edges.filter((edge) => reached.has(edge.source) && reached.has(edge.target));
  return { nodes, edges, hidden: graph.nodes.length - nodes.length };
}

function byDepth(nodes) {
  const found = new Map();
  for (const node of nodes) found.set(node.depth, [...(found.get(node.depth) ?? []), node]);
  return found;
}

/** Columns by distance, narrower where the panel is; within a column nodes stand by the mean place of what leads to them. */
function asColumns(nodes, edges, width) {
  const at = new Map();
  const columns = byDepth(nodes);
  const deepest = Math.max(...columns.keys());
  const room = width - 24;
  const isTight = room < BOX.width * (deepest + 1) + BOX.gapX * deepest;
  const across = isTight ? Math.max(BOX.least, Math.floor((room - BOX.leastGap * deepest) / (deepest + 1))) : BOX.width;
  const gap = !deepest ? 0 : isTight ? BOX.leastGap : Math.min(BOX.gapX + 60, (room - BOX.width * (deepest + 1)) / deepest);
  const step = BOX.height + BOX.gapY;
  const tallest = Math.max(...[...columns.values()].map((column) => column.length));
  for (const [depth, column] of [...columns].sort((a, b) => a[0] - b[0])) {
    const mean = (node) => {
      const from = edges.filter((edge) => edge.target === node.id && at.has(edge.source)).map((edge) => at.get(edge.source).y);
      return from.length ? from.reduce((sum, y) => sum + y, 0) / from.length : 0;
    };
    const ordered = column.map((node, i) => [mean(node), i, node]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const top = 12 + ((tallest - column.length) * step) / 2;
    ordered.forEach(([, , node], row) => at.set(node.id, { x: 12 + depth * (across + gap), y: top + row * step, width: across, height: BOX.height }));
  }
  const below = edges.some((edge) => at.get(edge.target).x < at.get(edge.source).x) ? BACK : 0;
  const aside = edges.some((edge) => at.get(edge.target).x === at.get(edge.source).x && at.get(edge.target).x === 12 + deepest * (across + gap)) ? ASIDE : 0;
  return { at, width: Math.max(240, 24 + (deepest + 1) * across + deepest * gap + aside), height: 24 + tallest * step - BOX.gapY + below };
}

/** One below the other, each indented below what first led to it. */
function asList(start, nodes, edges, width) {
  const at = new Map();
  const known = new Map(nodes.map((node) => [node.id, node]));
  const place = (id, depth) => {
    if (at.has(id)) return;
    const x = 12 + Math.min(depth, 5) * INDENT;
    at.set(id, { x, y: 12 + at.size * (BOX.height + 10), width: width - 12 - x, height: BOX.height });
    for (const edge of edges) if (edge.source === id && !edge.loop && known.get(edge.target).depth === known.get(id).depth + 1) place(edge.target, depth + 1);
  };
  place(start, 0);
  for (const node of nodes) place(node.id, node.depth);
  return { at, width, height: 24 + at.size * (BOX.height + 10) };
}

function edgeWord(edge) {
  if (edge.loop) return t("chain.loop");
  const key = ["edge.", "rel."].map((family) => family + edge.kind).find(has);
  return key ? t(key) : edge.kind;
}

/** Between two columns; beside the boxes within one, back below them where it leads back. */
function line(edge, at) {
  const [from, to] = [at.get(edge.source), at.get(edge.target)];
  const cls = "edge" + (edge.loop ? " loop" : "");
  if (to.x === from.x) {
    const [x, y0, y1] = [from.x + from.width, from.y + from.height / 2 + 8, to.y + to.height / 2 + 8];
    return svg("g", { class: cls }, svg("path", { d: `M${x},${y0} C${x + 30},${y0} ${x + 30},${y1} ${x},${y1}` }), svg("path", { class: "tip", d: `M${x},${y1} l6,-3.500 v7 z` }),
      word("text", { class: "edge-word", x: x + 26, y: (y0 + y1) / 2 + 4 }, edgeWord(edge)));
  }
  if (to.x < from.x) {
    const [x0, y0, x1, y1] = [from.x + from.width / 2, from.y + from.height, to.x + to.width / 2, to.y + to.height];
    const low = Math.max(y0, y1) + BACK;
    return svg("g", { class: cls }, svg("path", { d: `M${x0},${y0} C${x0},${low} ${x1},${low} ${x1},${y1}` }), word("text", { class: "edge-word", x: (x0 + x1) / 2, y: Math.max(y0, y1) + BACK * 0.75 + 4, "text-anchor": "middle" }, edgeWord(edge)));
  }
  const [x0, y0, x1, y1] = [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2];
  const bend = (x0 + x1) / 2;
  return svg("g", { class: cls }, svg("path", { d: `M${x0},${y0} C${bend},${y0} ${bend},${y1} ${x1},${y1}` }), svg("path", { class: "tip", d: `M${x1},${y1} l-6,-3.500 v7 z` }),
    word("text", { class: "edge-word", x: x1 - 8, y: y1 - 6, "text-anchor": "end" }, edgeWord(edge)));
}

/** In the list: an elbow down, or at the left edge back up. */
function step(edge, at) {
  const [from, to] = [at.get(edge.source), at.get(edge.target)];
  const y1 = to.y + to.height / 2;
  const d = to.y <= from.y ? `M${from.x},${from.y + from.height / 2} H5 V${y1} H${to.x}` : `M${from.x + 8},${from.y + from.height} V${y1} H${to.x}`;
  return svg("g", { class: "edge" + (edge.loop ? " loop" : "") }, svg("path", { d }), word("title", {}, edgeWord(edge)));
}

const NOT_FOUND = new Set(["unknown", "unreachable", "invalid", "elsewhere"]);

function box(node, place, isStart) {
  const room = Math.floor((place.width - 22) / 6.9);
  const label = named(node, "label_") || node.text;
  const where = [node.system.toUpperCase(), NOT_FOUND.has(node.state) ? t("nodefound." + node.state) : node.place.split("/").slice(0, 2).join("/") || node.owner].filter(Boolean).join(" · ");
  const more = [label, node.text, node.system.toUpperCase(), node.owner, node.place, node.site, t("nodefound." + node.state)].filter(Boolean);
  return svg("a", { href: nameHref(node.text), class: "node", "data-state": node.state, ...(isStart ? { "aria-current": "page" } : {}), transform: `translate(${place.x},${place.y})` },
    word("title", {}, [...new Set(more)].join("\n")), svg("rect", { width: place.width, height: place.height, rx: 6 }),
    word("text", { class: "lead", x: 11, y: 20 }, clip(label, room)), word("text", { class: "mono", x: 11, y: 37 }, clip(label === node.text ? "" : node.text, room, true)),
    word("text", { class: "where", x: 11, y: 53 }, clip(where, room + 3)));
}

function word(tag, attributes, text) {
  const element = svg(tag, attributes);
  element.textContent = text;
  return element;
}

const units = (char) => (char.codePointAt(0) > 0x2e7f ? 1.8 : 1);

/** As much as fits in `room` letters; a long name keeps its end, which tells names apart. */
function clip(text, room, keepEnd = false) {
  const chars = [...text.replace(/\s+/g, " ")];
  let size = chars.reduce((sum, char) => sum + units(char), 0);
  if (size <= room) return chars.join("");
  while (size > room - 1 && chars.length) size -= units(keepEnd ? chars.shift() : chars.pop());
  return keepEnd ? "…" + chars.join("") : chars.join("") + "…";
}

// A map without tiles and without a network: graticule, scale, circles of fences, marks in clusters.
// Web Mercator (spherical); the view is a centre in world units (0..1) and pixels per world.

import { fill, h, iconButton, svg, t } from "mingwu-console/dom.js";
import { count } from "mingwu-console/format.js";

const EQUATOR_M = 40075016.686;
const MOST_PX = 3e8; // about 0.13 m per pixel at the equator
const LEAST_PX = 180;
const CLUSTER_PX = 30;
const STEPS = [60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.00005];
// From the worst to the best: a cluster shows the worst mark in it.
const RANK = ["outside", "blocked", "doubt", "good"];

const rad = (degrees) => (degrees * Math.PI) / 180;
const worldX = (longitude) => longitude / 360 + 0.5;
const worldY = (latitude) => 0.5 - Math.log(Math.tan(Math.PI / 4 + rad(Math.max(-85, Math.min(85, latitude))) / 2)) / (2 * Math.PI);
const latitudeOf = (y) => ((2 * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - Math.PI / 2) * 180) / Math.PI;
const longitudeOf = (x) => (x - 0.5) * 360;

/**
 * `onpick(serial)` when a mark is chosen. `set({marks, fences})`: marks have serial, latitude,
 * longitude, tone (of RANK) and label; fences have latitude, longitude, radius_m and holder.
 */
export function plainMap({ label, onpick }) {
  const plot = svg("svg", { class: "mw-map-plot", role: "group", "aria-label": label, tabindex: "0" });
  const note = h("div.mw-map-note", { "aria-live": "polite" });
  const scale = h("div.mw-map-scale", { "aria-hidden": "true" }, h("i"), h("span"));
  const element = h("div.mw-map", null, plot, scale, note, h("div.mw-map-tools", null,
    iconButton("plus", t("map.in"), () => zoom(2), "mw-btn-small"), iconButton("minus", t("map.out"), () => zoom(0.5), "mw-btn-small"),
    iconButton("place", t("map.fit"), () => { fit(); draw(); }, "mw-btn-small")));
  const view = { x: 0.5, y: 0.5, px: 0 };
  const pointers = new Map();
  let data = { marks: [], fences: [] };
  let chosen = "";
  let width = 0;
  let height = 0;
  let pinch = 0;
  let dragged = false;

  new ResizeObserver(() => {
    width = element.clientWidth;
    height = element.clientHeight;
    if (!view.px) fit();
    draw();
  }).observe(element);
  plot.addEventListener("wheel", wheel, { passive: false });
  plot.addEventListener("pointerdown", down);
  plot.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) plot.addEventListener(name, (event) => { pointers.delete(event.pointerId); pinch = 0; });
  plot.addEventListener("keydown", key);

  return {
    element,
    set(next) {
      const first = !data.marks.length && !data.fences.length;
      data = next;
      if (first && width) fit();
      draw();
    },
    choose(serial) {
      chosen = serial;
      draw();
    },
    goTo(latitude, longitude) {
      Object.assign(view, { x: worldX(longitude), y: worldY(latitude), px: Math.max(view.px, pxFor(1500, latitude)) });
      draw();
    },
  };

  // ------------------------------------------------------------ the view
  function screen(x, y) {
    return [(x - view.x) * view.px + width / 2, (y - view.y) * view.px + height / 2];
  }
  function metresPerPx(latitude) {
    return (EQUATOR_M * Math.cos(rad(latitude))) / view.px;
  }
  function pxFor(metresAcross, latitude) {
    return Math.min(MOST_PX, (EQUATOR_M * Math.cos(rad(latitude)) * Math.min(width, height)) / metresAcross);
  }

  function fit() {
    const places = [...data.marks, ...data.fences];
    if (!places.length || !width) return;
    const xs = places.map((one) => worldX(one.longitude));
    const ys = places.map((one) => worldY(one.latitude));
    const spanX = Math.max(...xs) - Math.min(...xs);
    const spanY = Math.max(...ys) - Math.min(...ys);
    Object.assign(view, { x: (Math.max(...xs) + Math.min(...xs)) / 2, y: (Math.max(...ys) + Math.min(...ys)) / 2,
      px: Math.max(LEAST_PX, Math.min((width - 140) / Math.max(spanX, 1e-9), (height - 110) / Math.max(spanY, 1e-9), pxFor(2500, latitudeOf(ys[0])))) });
  }

  function zoom(factor, atX = width / 2, atY = height / 2) {
    const px = Math.max(LEAST_PX, Math.min(MOST_PX, view.px * factor));
    // what lies under the pointer stays there
    view.x += (atX - width / 2) * (1 / view.px - 1 / px);
    view.y += (atY - height / 2) * (1 / view.px - 1 / px);
    view.px = px;
    draw();
  }

  /** Come close enough to tell these marks apart. */
  function spread(marks) {
    const xs = marks.map((one) => worldX(one.longitude));
    const ys = marks.map((one) => worldY(one.latitude));
    const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-12);
    Object.assign(view, { x: (Math.max(...xs) + Math.min(...xs)) / 2, y: (Math.max(...ys) + Math.min(...ys)) / 2,
      px: Math.min(MOST_PX, Math.max(view.px * 2, (0.6 * Math.min(width, height)) / span)) });
    draw();
  }

  function pan(dx, dy) {
    view.x -= dx / view.px;
    view.y -= dy / view.px;
    draw();
  }

  function wheel(event) {
    event.preventDefault();
    const box = plot.getBoundingClientRect();
    zoom(2 ** (-event.deltaY / 240), event.clientX - box.left, event.clientY - box.top);
  }

  function down(event) {
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    dragged = false;
  }

  function move(event) {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) {
      if (!dragged && Math.hypot(now[0] - before[0], now[1] - before[1]) < 3 && event.pointerType === "mouse") {
        pointers.set(event.pointerId, before);
        return;
      }
      dragged = true;
      pan(now[0] - before[0], now[1] - before[1]);
    } else {
      const [a, b] = [...pointers.values()];
      const wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      const box = plot.getBoundingClientRect();
      if (pinch) zoom(wide / pinch, (a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top);
      pinch = wide;
      dragged = true;
    }
  }

  function key(event) {
    const step = 60;
    const does = { ArrowLeft: () => pan(step, 0), ArrowRight: () => pan(-step, 0), ArrowUp: () => pan(0, step), ArrowDown: () => pan(0, -step),
      "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5), "0": () => { fit(); draw(); } }[event.key];
    if (!does || event.target !== plot) return;
    event.preventDefault();
    does();
  }

  // ------------------------------------------------------------ drawing
  function draw() {
    if (!width || !view.px) return;
    const focused = document.activeElement?.closest?.(".mw-map-mark")?.dataset.serial;
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    fill(plot, graticule(), data.fences.map(fence), clusters().map(mark));
    drawScale();
    if (focused) plot.querySelector(`[data-serial="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function graticule() {
    const perDegree = view.px / 360;
    const step = STEPS.findLast((one) => one * perDegree >= 90) ?? STEPS[0];
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    const lines = [];
    const west = longitudeOf(view.x - width / 2 / view.px);
    const east = longitudeOf(view.x + width / 2 / view.px);
    const north = latitudeOf(view.y - height / 2 / view.px);
    const south = latitudeOf(view.y + height / 2 / view.px);
    for (let at = Math.ceil(west / step) * step; at <= east; at += step) {
      const [x] = screen(worldX(at), 0);
      lines.push(svg("line", { class: "graticule", x1: x, x2: x, y1: 0, y2: height }), text(x + 4, height - 6, degrees(at, digits, "E", "W"), "degree"));
    }
    for (let at = Math.ceil(south / step) * step; at <= north; at += step) {
      const [, y] = screen(0, worldY(at));
      lines.push(svg("line", { class: "graticule", x1: 0, x2: width, y1: y, y2: y }), y > 60 && y < height - 30 ? text(6, y - 4, degrees(at, digits, "N", "S"), "degree") : "");
    }
    return lines;
  }

  function fence(one) {
    const [x, y] = screen(worldX(one.longitude), worldY(one.latitude));
    const r = one.radius_m / metresPerPx(one.latitude);
    if (x < -r - 80 || x > width + r + 80 || y < -r - 40 || y > height + r + 40) return null;
    return svg("g", { class: "fence" }, svg("circle", { cx: x, cy: y, r: Math.max(14, r), class: r < 14 ? "small" : "true" }), text(x, y + Math.max(14, r) + 16, one.holder, "place"));
  }

  /** Marks that would cover each other, together. */
  function clusters() {
    const groups = [];
    for (const one of data.marks) {
      const [x, y] = screen(worldX(one.longitude), worldY(one.latitude));
      if (x < -40 || x > width + 40 || y < -40 || y > height + 40) continue;
      const near = view.px >= MOST_PX ? null : groups.find((group) => Math.hypot(group.x - x, group.y - y) < CLUSTER_PX);
      if (near) near.marks.push(one);
      else groups.push({ x, y, marks: [one] });
    }
    return groups;
  }

  function mark({ x, y, marks }) {
    const one = marks[0];
    const tone = RANK[Math.min(...marks.map((row) => RANK.indexOf(row.tone)))];
    const many = marks.length > 1;
    const name = many ? t("map.cluster", { n: marks.length, tone: t("tone." + tone) }) : `${one.label}: ${t("tone." + tone)}`;
    const on = marks.some((row) => row.serial === chosen);
    const element = svg("g", { class: "mw-map-mark", "data-tone": tone, "data-serial": many ? "" : one.serial, "data-n": marks.length, ...(on ? { "data-on": "" } : {}), tabindex: "0", role: "button", "aria-label": name,
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, ...shape(tone, many), many ? text(0, 4, count(marks.length), "count") : "");
    const title = svg("title");
    title.textContent = name;
    element.append(title);
    const act = () => {
      if (!many) return onpick(one.serial);
      spread(marks);
      note.textContent = t("map.zoomed", { n: marks.length });
    };
    element.addEventListener("click", () => dragged || act());
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      act();
    });
    return element;
  }

  function drawScale() {
    const metres = metresPerPx(latitudeOf(view.y));
    const base = 10 ** Math.floor(Math.log10(metres * 120));
    const length = [5, 2, 1].map((one) => one * base).find((one) => one <= metres * 120);
    scale.firstChild.style.width = `${(length / metres).toFixed(0)}px`;
    scale.lastChild.textContent = length >= 1000 ? `${count(length / 1000)} km` : length >= 1 ? `${count(length)} m` : `${length} m`;
  }
}

/** State as shape, too: circle, triangle, octagon-like square, ring. */
function shape(tone, many) {
  const r = many ? 14 : 9;
  if (tone === "outside") return [svg("path", { d: `M0 ${-r - 3}L${r + 3} ${r}H${-r - 3}Z` })];
  if (tone === "blocked") return [svg("rect", { x: -r, y: -r, width: 2 * r, height: 2 * r, rx: 3 })];
  return [svg("circle", { r }), ...(tone === "good" && !many ? [svg("circle", { class: "core", r: 3 })] : [])];
}

function text(x, y, words, cls) {
  const element = svg("text", { x, y, class: cls });
  element.textContent = words;
  return element;
}

function degrees(value, digits, plus, minus) {
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? minus : plus}`;
}

// Live values of a name: of a thing's tags, and of an active carrier, which is believed or says why not.

import { button, fill, h, icon, lang, named, setState, simBadge, state, t } from "mingwu-console/dom.js";
import { ago } from "mingwu-console/figures.js";
import { clock, plain, shown } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { verify } from "mingwu-console/proof.js";

const QUALITIES = ["good", "uncertain", "bad"];
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/** What a live entry of a record says, or null. */
function told(entry) {
  if (!entry.type.startsWith("MW.LIVE")) return null;
  const data = typeof entry.data.value === "string" ? parse(entry.data.value) : entry.data.value;
  return data && typeof data === "object" ? { ...data, name: data.tag ?? entry.type.split("/").at(-1) } : null;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A panel for the live values among `values`; null when there are none. `set` takes later ones. */
export function liveBox(name, values, tags) {
  if (!values.some(told)) return null;
  const cells = liveCells(new Map(tags.map((tag) => [tag.name, tag])));
  const badge = h("span");
  const carrier = values.some((entry) => entry.type === "MW.LIVE") ? standing(name, cells.name) : null;
  const set = (entries) => {
    const all = entries.map(told).filter(Boolean);
    const rows = all.filter((one) => "value" in one);
    const how = all.find((one) => "trusted" in one && !("value" in one));
    cells.set(rows, how?.report);
    carrier?.set(how);
    fill(badge, all.some((one) => one.simulated) ? simBadge() : null);
  };
  set(values);
  return { element: h("section.mw-panel", { dataset: { part: "live" } }, h("header", null, h("h2", null, t("resolve.live")), badge), carrier?.element, cells.element, carrier?.proof), set };
}

/** One cell per value; those no longer told go. */
function liveCells(tags) {
  const box = h("div.mw-lives");
  const cells = new Map();
  const called = new Map();
  return { element: box, set, name };

  /** What a carrier's readings are called, once that is known. */
  function name(words) {
    for (const [reading, word] of Object.entries(words)) {
      called.set(reading, named(word));
      if (cells.has(reading)) cells.get(reading).label.textContent = label(reading);
    }
  }

  function label(reading) {
    return (tags.has(reading) && named(tags.get(reading))) || called.get(reading) || reading;
  }

  function set(rows, report) {
    const names = new Set(rows.map((one) => one.name));
    for (const [name, cell] of cells) {
      if (names.has(name)) continue;
      cell.element.remove();
      cells.delete(name);
    }
    box.hidden = !rows.length;
    for (const one of rows) draw(one, report);
  }

  function draw(one, report) {
    if (!cells.has(one.name)) {
      const made = { label: h("span.mw-dim", null, label(one.name)), b: h("b"), when: h("small.mw-faint"), mark: state("never") };
      made.element = h("div.mw-live", { dataset: { reading: one.name } }, made.label, made.b, h("div.mw-row", null, made.mark, made.when));
      box.append(made.element);
      cells.set(one.name, made);
    }
    const cell = cells.get(one.name);
    const tag = tags.get(one.name);
    const place = /^(lat|lon)/.test(one.name) && typeof one.value === "number";
    fill(cell.b, place ? one.value.toFixed(5) : shown(tag ?? kindOf(one), one.value), h("small", null, tag ? tag.unit_shown : UNITS[one.unit] ?? one.unit));
    const quality = String(one.quality ?? "").split(/[ ,(:]/)[0];
    setState(cell.mark, QUALITIES.includes(quality) ? quality : "never");
    const older = one.report && one.report !== report ? ` · ${t("live.report", { n: plain(one.report, 0) })}` : "";
    cell.when.textContent = (one.time ? clock(new Date(one.time).getTime()) : "") + older;
  }
}

const UNITS = { 1: "", Cel: "°C", deg: "°" };

const kindOf = (one) => ({ type: typeof one.value === "string" ? "text" : Number.isInteger(one.value) ? "int" : "float", low: null, high: null });

/** Whether an active carrier is believed now, and the signed report behind its readings. */
function standing(name, call) {
  const element = h("div.mw-trust", { "aria-live": "polite" });
  const slot = h("div", { "aria-live": "polite" });
  const number = h("span.mw-dim");
  const file = h("a.mw-btn.mw-btn-small.mw-btn-bare", null, icon("download"), t("proof.download"));
  const proof = h("div.mw-pad", null, h("div.mw-row", null, number, button(t("proof.verify"), (event) => verify(`reports/${now.evidence}`, slot, event.currentTarget), "mw-btn-small mw-btn-bare", "shield"), file), slot);
  let now = {};
  discover().then((found) => call(found?.names ?? {}));
  return { element, proof, set };

  function discover() {
    return api(`/identity/carriers/discover/${path(name)}?counted=false&lang=${lang}`).catch(() => null);
  }

  async function set(how) {
    const before = now;
    now = how ?? { trusted: false, reason: "" };
    const trusted = now.trusted === true;
    element.dataset.trusted = String(trusted);
    proof.hidden = !trusted || !now.evidence;
    if (!proof.hidden) {
      number.textContent = t("live.report", { n: plain(now.report, 0) });
      file.href = `/api/identity/carriers/reports/${encodeURIComponent(now.evidence)}`;
      file.download = `${now.carrier}-${now.report}.json`;
    }
    if (trusted) {
      fill(element, state("good", t("carriers.trusted")), h("p.mw-dim", null, t("carriers.trusted.why", { age: ago(new Date(now.measured).getTime()) })));
    } else if (before.reason !== now.reason || before.trusted !== false) {
      fill(slot);
      const why = h("p", null, now.reason || t("live.untold"));
      fill(element, state("uncertain", t("carriers.untrusted")), why);
      const found = await discover();
      if (found?.reason === now.reason) fill(why, found.reason_text, " ", h("small.mw-dim", null, found.next));
    }
  }
}

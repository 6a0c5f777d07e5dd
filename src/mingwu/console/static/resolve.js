// Resolution: type a name, see its record and its live values.

import { copyButton, empty, fill, h, icon, nameHref, problem, skeleton, t, thingHref } from "mingwu-console/dom.js";
import { age, plain } from "mingwu-console/format.js";
import { liveBox } from "mingwu-console/livebox.js";
import { api, Problem } from "mingwu-console/net.js";

const AGAIN_MS = 2000;

export async function mount(root, { query }) {
  const input = h("input.mw-input", { id: "name", name: "name", value: query.name ?? "", spellcheck: "false", autocapitalize: "none", autocomplete: "off", placeholder: "88.888.101/…", "aria-label": t("resolve.name") });
  const out = h("div.mw-stack", { "aria-live": "polite", style: "margin-top:16px" });
  let timer = 0;
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("resolve.title")), h("p", null, t("resolve.lead")))),
    h("form.mw-resolve", { role: "search", onsubmit: (event) => { event.preventDefault(); go(input.value.trim()); } },
      input, h("button.mw-btn.mw-btn-main", { type: "submit" }, t("resolve.submit"))), out);
  if (query.name) await go(query.name);
  else await suggest();
  if (!query.name) input.focus();
  return { destroy: () => clearInterval(timer) };

  async function suggest() {
    const reply = await api("/things?kind=machine&limit=200");
    const kinds = new Map(reply.things.map((thing) => [thing.type, thing]).reverse());
    fill(out, h("section.mw-panel", null, empty("resolve", t("resolve.empty"), t("resolve.empty.why"),
      [...kinds.values()].reverse().slice(0, 4).map((thing) => h("a.mw-btn.mw-mono", { href: "/resolve?name=" + encodeURIComponent(thing.id) }, thing.id)))));
  }

  async function go(name) {
    if (!name) return;
    clearInterval(timer);
    input.value = name;
    history.replaceState(null, "", "/resolve?name=" + encodeURIComponent(name));
    fill(out, skeleton(6));
    const began = performance.now();
    let record;
    try {
      record = await ask(name);
    } catch (error) {
      fill(out, error.status === 404 || error.code === "handle"
        ? h("section.mw-panel", null, empty("unknown", t("resolve.unknown", { name }), t("resolve.unknown.why")))
        : problem(error, () => go(name)));
      return;
    }
    const took = performance.now() - began;
    const things = await api("/things?limit=20&q=" + encodeURIComponent(name)).catch(() => null);
    const thing = things?.things?.find((one) => one.id.toUpperCase() === name.toUpperCase()); // asked first, so that nothing is asked for in vain
    const known = thing ? await api("/things/" + thing.id.split("/").map(encodeURIComponent).join("/")).catch(() => null) : null;
    const live = liveBox(name, record.values, known?.tags ?? []);
    fill(out, live?.element, recordBox(record, took, known?.thing), command(record.handle));
    if (live) timer = setInterval(async () => live.set((await ask(name)).values), AGAIN_MS);
  }

  async function ask(name) {
    const response = await fetch("/api/handles/" + name.split("/").map(encodeURIComponent).join("/"));
    const record = await response.json().catch(() => ({}));
    if (record.responseCode === 1) return record;
    if (record.responseCode) throw new Problem(`responseCode ${record.responseCode}`, record.message ?? "", response.status, "handle");
    throw new Problem(record.message ?? `HTTP ${response.status}`, record.next ?? "", response.status, record.code);
  }
}

function recordBox(record, took, thing) {
  const rows = record.values.filter((entry) => !entry.type.startsWith("MW.LIVE")).map((entry) => h("tr", null,
    h("td.num.mw-faint.mw-index", null, entry.index), h("td.mw-mono.mw-lead", null, entry.type), h("td.mw-told", null, h("div.mw-data", null, data(entry))),
    h("td.num.mw-faint.mw-hide", null, age(entry.ttl))));
  const open = thing ? h("a.mw-btn.mw-btn-small", { href: thingHref(thing.id) }, icon("thing"), t("resolve.open")) : null;
  return h("section.mw-panel", null, h("header", null, h("h2", null, t("resolve.record"), " ", h("span.mw-mono.mw-dim", null, record.handle)),
    h("small.mw-faint", null, t("resolve.took", { ms: plain(took, 0) })), h("a.mw-btn.mw-btn-small", { href: nameHref(record.handle) }, icon("register"), t("resolve.allabout")), open),
  h("div.mw-table-wrap", null, h("table.mw-table.mw-fold.mw-record", null, h("thead", null, h("tr", null, h("th.num", null, t("resolve.index")), h("th", null, t("resolve.type")), h("th", null, t("resolve.data")), h("th.num", null, t("resolve.ttl")))),
    h("tbody", null, rows))));
}

function data(entry) {
  const value = entry.data?.value;
  if (typeof value === "string") return /^https?:\/\//.test(value) ? h("a", { href: value, rel: "noreferrer" }, value) : value;
  return h("span.mw-mono", null, JSON.stringify(value));
}

function command(handle) {
  const words = `mingwu resolve ${handle}`;
  return h("section.mw-panel.mw-pad", null, h("small.mw-faint", null, t("resolve.command")), h("div.mw-code", { style: "margin-top:6px" }, h("code", null, words), copyButton(words)));
}

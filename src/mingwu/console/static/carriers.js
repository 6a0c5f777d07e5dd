// Active carriers: on a map, in a list with their three facts, and each with its proofs and orders.

import { fill, h, icon, lang, panel, problem, segments, simBadge, skeleton, state, t } from "mingwu-console/dom.js";
import { trouble } from "mingwu-console/absent.js";
import { carrierDetail, eventList, keyPlace } from "mingwu-console/carrier.js";
import { drawer } from "mingwu-console/dialog.js";
import { ago, figure } from "mingwu-console/figures.js";
import { count, moment } from "mingwu-console/format.js";
import { plainMap } from "mingwu-console/map.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const BASE = "/identity/carriers";
const DESK = BASE + "/desk";
const AGAIN_MS = 10000;

/** What a mark shows: the worst that is known. */
const toneOf = (one) => (one.is_outside ? "outside" : one.blocked ? "blocked" : one.trusted ? "good" : "doubt");

export async function mount(root, { query }) {
  const badge = h("span");
  const strip = h("div");
  const under = h("p.mw-map-under.mw-faint");
  const map = plainMap({ label: t("map.label"), onpick: (serial) => show(serial) });
  const events = h("div");
  const mapPanel = panel(t("carriers.map"), map.element, h("div.mw-map-legend", null, ["good", "doubt", "outside", "blocked"].map((tone) => h("span", { dataset: { tone } }, h("i"), t("tone." + tone))), under));
  const eventPanel = panel(t("carriers.events"), events);
  let loud = "";
  let was = "";
  let seen = null;
  eventPanel.head.append(segments(t("carriers.events"), [["", t("all")], ["attack", t("severity.attack")]], loud, (chosen) => { loud = chosen; look(); }));
  const wide = h("div.mw-map-row", null, mapPanel, eventPanel);
  const list = paged({
    at: "/carriers", query, part: "carriers", size: 20, search: t("carriers.search"),
    load: (want) => api(`${DESK}/units?${want}&lang=${lang}`), key: (row) => row.serial, onload: (reply) => drawStrip(reply.counts),
    choices: [{ key: "only", label: t("carriers.show"), initial: "", options: ({ counts }) => [["", t("all"), counts.provisioned], ["silent", t("carriers.only.silent"), counts.silent],
      ["outside", t("carriers.only.outside"), counts.outside], ["blocked", t("carriers.only.blocked"), counts.blocked]] }],
    columns: [
      { label: t("carriers.carrier"), cls: ".mw-lead.mw-wide-col", cell: (row) => h("button.mw-row-link", { type: "button", onclick: () => show(row.serial) },
        h("span.mw-two", null, h("span.mw-mono", null, row.identifier || t("carriers.noname")), h("small", null, h("span.mw-mono", null, row.serial), row.holder ? ` · ${row.holder}` : ""))) },
      { label: t("carriers.registered"), cell: (row) => fact("registered", row.registered_ms, row.registered_ms ? moment(row.registered_ms) : "") },
      { label: t("carriers.reported"), cell: (row) => fact("reported", row.reported_ms, row.reported_ms ? ago(row.reported_ms) : "") },
      { label: t("carriers.queried"), cell: (row) => fact("queried", row.queried_ms, row.queried_ms ? t("carriers.times", { n: count(row.queries) }) : "") },
      { label: t("carriers.standing"), cls: ".mw-standing", cell: standing },
      { label: t("carriers.key"), cls: ".mw-hide", cell: (row) => h("span.mw-dim", null, keyPlace(row.protection)) },
    ],
    none: (want) => want.q || want.only ? ["search", t("carriers.nomatch"), t("carriers.nomatch.why")] : ["chip", t("carriers.empty"), t("carriers.empty.why")],
  });
  const stack = h("div.mw-stack", null, strip, wide, list.element);
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("carriers.title"), " ", badge), h("p", null, t("carriers.lead")))), stack);
  wide.hidden = true;
  const first = await list.reload();
  if (!first) return {};
  wide.hidden = !first.counts.provisioned;
  await look();
  const timer = setInterval(() => {
    if (document.hidden) return;
    look();
    if (!document.querySelector("dialog[open]") && !list.element.contains(document.activeElement)) list.reload();
  }, AGAIN_MS);
  if (query.id) show(query.id);
  return { destroy() { clearInterval(timer); document.querySelector("dialog.mw-drawer")?.close(); } };

  /** Map and events as they are now. */
  async function look() {
    try {
      const [found, told] = await Promise.all([api(`${DESK}/marks?lang=${lang}`), api(`${BASE}/events?limit=${loud ? 500 : 12}&lang=${lang}`)]);
      const shown = told.events.filter((one) => !loud || one.severity === loud);
      map.set({ fences: found.fences, marks: found.marks.map((one) => ({ ...one, tone: toneOf(one), label: one.identifier || one.serial })) });
      if (found.marks.some((one) => one.simulated) && !document.querySelector(".mw-top .mw-sim")) fill(badge, simBadge());
      under.textContent = [found.unplaced ? t("map.unplaced", { n: count(found.unplaced) }) : "", found.left_out ? t("map.left_out", { n: count(found.left_out) }) : "", t("map.offline")].filter(Boolean).join(" · ");
      const news = loud + shown.map((one) => `${one.number}:${one.times}`).join();
      if (news === seen || (seen !== null && events.querySelector(".mw-proof") && loud === was)) return; // somebody reads a proof
      [seen, was] = [news, loud];
      fill(events, shown.length ? eventList(shown, { onserial: show }) : h("p.mw-dim.mw-pad", null, t("carriers.events.none")));
    } catch (error) {
      fill(events, h("div.mw-pad", null, problem(error, look)));
    }
  }

  function drawStrip(counts) {
    const figures = [
      figure(t("carriers.provisioned"), count(counts.provisioned), t("carriers.provisioned.sub")),
      figure(t("carriers.registered"), count(counts.registered), t("carriers.registered.sub"), { key: "registered", onclick: () => list.change({ only: "registered" }) }),
      figure(t("carriers.reported"), count(counts.reported), t("carriers.reported.sub", { n: count(counts.fresh) }), { key: "reported", onclick: () => list.change({ only: "reported" }) }),
      figure(t("carriers.queried"), count(counts.queried), t("carriers.queried.sub"), { key: "queried", onclick: () => list.change({ only: "queried" }) }),
      figure(t("carriers.trouble"), count(counts.blocked + counts.outside), t("carriers.trouble.sub", { blocked: count(counts.blocked), outside: count(counts.outside) }), { s: counts.blocked + counts.outside ? "bad" : "", key: "trouble" }),
    ];
    fill(strip, h("section.mw-panel.mw-kpis", null, figures));
  }

  async function show(serial) {
    list.mark(serial);
    map.choose(serial);
    const box = drawer(serial, skeleton(8), () => { list.mark(""); map.choose(""); });
    const draw = async () => {
      try {
        const found = await api(`${BASE}/${encodeURIComponent(serial)}?lang=${lang}`);
        box.element.querySelector("h2").textContent = found.carrier.identifier || serial;
        box.show(...await carrierDetail(found, { again: async () => { await draw(); await Promise.all([list.reload(), look()]); }, goTo: (latitude, longitude) => { box.close(); map.goTo(latitude, longitude); map.element.scrollIntoView({ block: "nearest" }); } }));
      } catch (error) {
        box.show(h("div.mw-pad", null, trouble(error, "carriers", draw)));
      }
    };
    await draw();
  }
}

/** One of the three facts: a mark and when; a fact that is missing says so. */
function fact(name, ms, words) {
  return h("div.mw-fact", { dataset: { fact: name, s: ms ? "yes" : "no" }, title: ms ? moment(ms) : "" }, icon(ms ? "good" : "absent", ms ? t("yes") : t("no")),
    h("span", null, h("span.mw-fact-name", null, t("carriers." + name)), ms ? words : t("carriers.never")));
}

function standing(row) {
  if (row.is_outside) return h("div.mw-two", null, state("uncertain", t("tone.outside")), row.reason ? h("small", null, row.reason_text) : null);
  return row.trusted ? state("good", t("carriers.trusted")) : h("div.mw-two", null, state(row.blocked ? "stopped" : "uncertain", row.blocked ? t("blocked." + row.blocked) : t("carriers.untrusted")), h("small.mw-one", { title: row.reason_text }, row.reason_text));
}

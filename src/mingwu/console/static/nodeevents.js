// Events of nodes: outages that probes found, maintenance and emergencies that people report and end.

import { button, fill, h, lang, panel, problem, role, state, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input, select } from "mingwu-console/dialog.js";
import { moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const LATEST = 12;
const REPORTED = ["maintenance", "emergency"];
const CAUSES = [4, 2, 1, 3];
const mayReport = role === "engineer" || role === "admin";

/** The panel of the latest events; engineers report and end their own kinds there. */
export function eventsPanel() {
  const slot = h("div");
  const element = panel(t("enterprises.events"), slot);
  if (mayReport) element.head.append(button(t("nodeevents.report"), report, "mw-btn-small", "setup"));
  load();
  return element;

  async function load() {
    try {
      const { events } = await api(`/secondlevel/nodes?limit=${LATEST}`);
      fill(slot, events.length ? h("div.mw-pad", null, eventLines(events, mayReport ? over : null)) : h("p.mw-dim.mw-pad", null, t("enterprises.events.none")));
    } catch (error) {
      fill(slot, h("div.mw-pad", null, problem(error, load)));
    }
  }

  async function report() {
    const kind = field(t("nodeevents.kind"), select(REPORTED.map((one) => [one, t("eventkind." + one)]), REPORTED[0]));
    const cause = field(t("nodeevents.cause"), select(CAUSES.map((one) => [String(one), t("eventcause." + one)]), "4"));
    const node = field(t("nodeevents.node"), input("", { maxlength: 64, autocapitalize: "none", spellcheck: false }), t("nodeevents.node.hint"));
    const zh = field(t("nodeevents.zh"), input("", { required: true, maxlength: 1000 }));
    const en = field(t("nodeevents.en"), input("", { maxlength: 1000 }));
    const made = await confirmed(t("nodeevents.report"), [h("p", null, t("nodeevents.why")), h("div.mw-fields", null, kind, cause, node, zh, en)], t("nodeevents.begin"),
      () => api("/secondlevel/events", { method: "POST", body: { kind: kind.control.value, cause: Number(cause.control.value), node: node.control.value.trim(), zh: zh.control.value.trim(), en: en.control.value.trim() } }));
    if (made) await done();
  }

  async function over(one) {
    const ended = await confirmed(t("nodeevents.over"), h("p", null, lang === "zh" ? one.text_zh : one.text_en), t("nodeevents.over"),
      () => api(`/secondlevel/events/${one.number}/end`, { method: "POST" }));
    if (ended) await done();
  }

  async function done() {
    toast(t("saved"));
    await load();
  }
}

/** Lines of events; `over` is offered for open ones that people reported. */
export function eventLines(events, over = null) {
  return h("ul.mw-lines", null, events.map((one) => h("li", { dataset: { open: String(!one.ended_ms) } },
    h("div.mw-two", null, h("span", null, lang === "zh" ? one.text_zh : one.text_en), h("small", null, `${one.node} · ${t("eventkind." + one.kind)} · ${t("eventcause." + one.cause)}`)),
    h("small.mw-faint", null, moment(one.began_ms), one.ended_ms ? ` – ${moment(one.ended_ms)}` : ""),
    one.ended_ms ? state("good", t("event.over")) : state("fault", t("event.open")),
    over && !one.ended_ms && REPORTED.includes(one.kind) ? button(t("nodeevents.over"), () => over(one), "mw-btn-small") : null)));
}

// One carrier: whether it is believed now, its facts, its orders, its events with signed evidence.

import { button, doer, fill, h, has, icon, lang, named, nameHref, role, simBadge, state, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { count, moment, plain } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { verify } from "mingwu-console/proof.js";

const BASE = "/identity/carriers";
const SEVERITY = { attack: "bad", warning: "uncertain", info: "good" };
const ORDER = { waiting: "connecting", sent: "connecting", applied: "good", rejected: "bad", replaced: "absent" };
const may = ["engineer", "admin"].includes(role);
const shown = (value) => (typeof value === "number" ? plain(value, Number.isInteger(value) ? 0 : Math.abs(value) < 1 ? 3 : 2) : value);

/** Where the key lies, in words where there are some. */
export const keyPlace = (name) => (has("keyplace." + name) ? t("keyplace." + name) : name || "—");

/** The elements of a carrier's detail; `again` draws it anew after a command. */
export async function carrierDetail({ carrier, orders, events }, { again, goTo }) {
  const found = await api(`${BASE}/discover/${encodeURIComponent(carrier.serial)}?counted=false&lang=${lang}`);
  return [
    trust(found, carrier, goTo),
    h("div.mw-detail-block", null, h("h3", null, t("carriers.facts")), threeFacts(carrier)),
    h("div.mw-detail-block", null, h("h3", null, t("carriers.identity")), pairs(identity(carrier))),
    commands(carrier, again),
    h("div.mw-detail-block", null, h("h3", null, t("carriers.orders")), orderList(orders),
      may && carrier.blocked !== "revoked" ? h("div.mw-row", { style: "margin:8px 0 12px" }, button(t("carriers.send"), () => sending(carrier, orders, again), "mw-btn-small", "duties")) : null),
    h("div.mw-detail-block", null, h("h3", null, t("carriers.events")), events.length ? eventList(events, {}) : h("p.mw-dim", null, t("carriers.events.none"))),
  ];
}

/** What a discovery query says now: live readings when the carrier is believed, else why not. */
function trust(found, carrier, goTo) {
  const readings = Object.entries(found.readings);
  const { latitude, longitude } = found.readings;
  return h("div.mw-trust", { dataset: { trusted: String(found.is_trusted) } },
    h("div.mw-row", null, state(found.is_trusted ? "good" : "uncertain", found.is_trusted ? t("carriers.trusted") : t("carriers.untrusted")), found.simulated ? simBadge() : null),
    found.is_trusted ? h("p.mw-dim", null, t("carriers.trusted.why", { age: ago(found.sampled_ms) })) : [h("p", null, found.reason_text), h("small.mw-dim", null, found.next)],
    carrier.is_outside ? h("p.mw-outside", null, icon("uncertain"), t("carriers.outside")) : null,
    readings.length ? h("dl.mw-readings", null, readings.map(([name, value]) => h("div", null, h("dt", null, named(found.names[name] ?? {}) || name), h("dd", null, typeof value === "number" && /^(lat|lon)/.test(name) ? value.toFixed(5) : shown(value))))) : null,
    typeof latitude === "number" && typeof longitude === "number" ? h("div", null, button(t("carriers.onmap"), () => goTo(latitude, longitude), "mw-btn-small", "place")) : null);
}

function threeFacts(one) {
  const rows = [["registered", one.registered_ms, one.registered_ms ? moment(one.registered_ms) : ""], ["reported", one.reported_ms, t("carriers.reports", { n: count(one.reports), age: ago(one.reported_ms) })],
    ["queried", one.queried_ms, t("carriers.queries", { n: count(one.queries), age: ago(one.queried_ms) }) + (one.queried_by ? ` · ${one.queried_by}` : "")]];
  return h("ul.mw-three", null, rows.map(([name, ms, words]) => h("li", { dataset: { fact: name, s: ms ? "yes" : "no" } }, icon(ms ? "good" : "absent", ms ? t("yes") : t("no")), h("b", null, t("carriers." + name)), h("span", null, ms ? words : t("carriers.never")))));
}

function identity(one) {
  return [
    [t("carriers.serial"), one.serial, true], [t("carriers.name"), one.identifier ? h("a", { href: nameHref(one.identifier) }, one.identifier) : t("carriers.noname"), true],
    [t("carriers.owner"), one.owner], [t("carriers.holder"), one.holder],
    [t("carriers.form"), `${t("carrierform." + one.form)} · ${one.bearer.toUpperCase()}`],
    [t("carriers.key"), one.protection ? `${keyPlace(one.protection)}${one.certified ? t("carriers.certified") : ""}` : ""],
    [t("carriers.certificate"), t("carriers.until", { at: moment(one.expires_ms) })], [t("carriers.keyid"), one.key_id.slice(0, 16) + "…", true],
    [t("carriers.counter"), count(one.counter)], [t("carriers.samples"), t("carriers.samples.n", { n: count(one.samples), dropped: count(one.dropped) })],
    [t("carriers.address"), one.address, true], [t("carriers.fence"), one.fence ? t("carriers.fence.n", { latitude: one.fence.latitude, longitude: one.fence.longitude, radius: count(one.fence.radius_m) }) : ""],
  ];
}

const pairs = (rows) => h("dl.mw-pairs", null, rows.filter(([, value]) => value).map(([label, value, mono]) => [h("dt", null, label), h(mono ? "dd.mw-mono" : "dd", null, value)]));

function commands(one, again) {
  if (one.blocked === "revoked") return h("div.mw-detail-block", null, h("p.mw-dim", null, t("carriers.revoked.why")));
  if (!may) return h("div.mw-detail-block", null, h("p.mw-dim", null, t("carriers.role")));
  const does = one.blocked ? [button(t("carriers.resume"), () => run("resume", t("carriers.resume"), t("carriers.resume.why")), "mw-btn-main mw-btn-small", "running")]
    : [button(t("carriers.suspend"), () => run("suspend", t("carriers.suspend"), t("carriers.suspend.why")), "mw-btn-small", "idle")];
  return h("div.mw-detail-block.mw-row.mw-commands", null, does,
    one.identifier ? button(t("carriers.rename"), renaming, "mw-btn-small", "setup") : null,
    button(t("carriers.revoke"), () => run("revoke", t("carriers.revoke"), t("carriers.revoke.why"), true), "mw-btn-small mw-btn-warn", "bad"));

  async function run(action, title, why, grave = false) {
    await finish(await confirmed(title, [h("p", null, h("span.mw-mono", null, one.serial)), h("p.mw-dim", null, why)], title, () => command(one.serial, { action }), { grave }));
  }

  async function renaming() {
    const suffix = field(t("carriers.suffix"), input(one.suffix, { required: true, maxlength: "190", class: "mw-input mw-mono" }), t("carriers.suffix.hint", { prefix: one.prefix }));
    await finish(await confirmed(t("carriers.rename"), [h("p.mw-dim", null, t("carriers.rename.why")), suffix], t("carriers.rename"), () => command(one.serial, { action: "rename", suffix: suffix.control.value.trim() })));
  }

  async function finish(done) {
    if (done === undefined) return;
    toast(t("saved"));
    await again();
  }
}

const command = (serial, body) => api(`${BASE}/${encodeURIComponent(serial)}/commands?lang=${lang}`, { method: "POST", body });

function orderList(orders) {
  if (!orders.length) return h("p.mw-dim", null, t("carriers.orders.none"));
  return h("ul.mw-lines", null, orders.slice(0, 8).map((one) => h("li", { dataset: { order: one.state } },
    h("div.mw-two", null, h("span", null, Object.entries(one.content).map(([name, value]) => `${name} = ${shown(value)}`).join(", ")), h("small", null, t("carriers.order", { version: one.version, actor: doer(one.actor), at: moment(one.created_ms) }), one.note ? ` · ${one.note}` : "")),
    state(ORDER[one.state] ?? "unknown", t("orderstate." + one.state)))));
}

/** A parameter set for the next receipt: names with numbers or texts. */
async function sending(one, orders, again) {
  const rows = h("div.mw-stack", { style: "gap:8px" });
  const add = (name = "", value = "") => rows.append(h("div.mw-reason", null, field(t("carriers.parameter"), input(name, { maxlength: "64" })), field(t("carriers.value"), input(value, { maxlength: "200" }))));
  const last = Object.entries(orders[0]?.content ?? {});
  for (const [name, value] of last.length ? last : [["name", ""]]) add(name, value);
  const done = await confirmed(t("carriers.send"), [h("p.mw-dim", null, t("carriers.send.why")), rows, h("div", null, button(t("carriers.parameter.more"), () => add(), "mw-btn-small", "plus"))], t("carriers.send"), () => {
    const parameters = {};
    for (const row of rows.children) {
      const [name, value] = [...row.querySelectorAll("input")].map((control) => control.value.trim());
      if (name) parameters[name] = value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
    }
    return command(one.serial, { action: "parameters", parameters });
  });
  if (done === undefined) return;
  toast(t("carriers.sent"));
  await again();
}

/** Events, the newest first; those with a signed report behind them can be checked. */
export function eventList(events, { onserial }) {
  return h("ul.mw-events", null, events.map((one) => {
    const slot = h("div", { "aria-live": "polite" });
    return h("li", { dataset: { severity: one.severity, code: one.code } }, state(SEVERITY[one.severity], t("severity." + one.severity)),
      h("div.mw-event-words", null, h("span", null, one.text), h("small", null, moment(one.last_ms), one.times > 1 ? ` · × ${count(one.times)}` : "", one.address ? ` · ${one.address}` : "",
        onserial ? [" · ", h("button.mw-inline", { type: "button", onclick: () => onserial(one.serial) }, one.serial)] : null),
      one.evidence ? h("div.mw-row", { style: "gap:4px" }, button(t("proof.verify"), (event) => verify(`proofs/${one.number}`, slot, event.currentTarget), "mw-btn-small mw-btn-bare", "shield"),
        h("a.mw-btn.mw-btn-small.mw-btn-bare", { href: `/api${BASE}/events/${one.number}/evidence`, download: `${one.serial}-${one.number}.json` }, icon("download"), t("proof.download"))) : null, slot));
  }));
}

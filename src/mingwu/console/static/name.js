// One name or code: values, trust, chain, versions, who asked, and what may be done with it.

import { button, copyButton, doer, empty, fill, h, icon, lang, named, nameHref, panel, role, simBadge, skeleton, state, t, thingHref, toast } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { actionBar } from "mingwu-console/nameactions.js";
import { chainGraph } from "mingwu-console/chaingraph.js";
import { trustBox, valueTable } from "mingwu-console/namevalues.js";
import { returnedFor, versions } from "mingwu-console/nameversions.js";
import { whoAsked } from "mingwu-console/nameusage.js";
import { moment } from "mingwu-console/format.js";
import { liveBox } from "mingwu-console/livebox.js";
import { api, live } from "mingwu-console/net.js";

const AGAIN_MS = 2000;
const SIGNED_MS = 3000; // so often the signature of a fresh change is looked for
const FRESH_MS = 60000;
const SEARCHED = 200; // most characters that the search for things takes
const STATES = { draft: "setup", registered: "good", filed: "good", changed: "connecting", returned: "uncertain", deregistered: "stopped" };
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/** What the server says, or null where there is nothing; other faults are told as {fault}. */
async function maybe(asked) {
  try {
    return await asked;
  } catch (error) {
    const isNothing = (error.status === 404 || error.status === 400) && error.code !== "api.no-route";
    return isNothing ? null : { fault: error };
  }
}

export const lifeState = (name) => state(STATES[name] ?? "unknown", t("life." + name));

export async function mount(root, { name }) {
  let timer = 0;
  let soon = 0;
  fill(root, skeleton(12));
  await load();
  return { destroy: () => { clearInterval(timer); clearTimeout(soon); } };

  /** What there is is asked first, so that nothing is asked for in vain; of many alike, the shortest name comes first. */
  async function load() {
    clearInterval(timer);
    clearTimeout(soon);
    const [read, graph] = await Promise.all([maybe(api(`/identity/codes?lang=${lang}&text=${encodeURIComponent(name)}`)), maybe(api(`/identity/chain/${path(name)}?lang=${lang}`))]);
    const codes = read?.readings ?? [];
    const start = graph?.nodes?.find((node) => node.id === graph.start);
    const asked = handleOf(name, codes);
    const [rows, things] = await Promise.all([maybe(api(`/identity/names?sort=name&descending=false&limit=50&text=${encodeURIComponent(asked)}`)), maybe(api(`/things?limit=20&q=${encodeURIComponent(asked.slice(0, SEARCHED))}`))]);
    const isHere = graph?.fault || (start?.state === "found" && !start.site);
    const isRegistered = rows?.names?.some((row) => same(row.name, asked));
    const isThing = things?.things?.some((one) => same(one.id, asked));
    const ask = encodeURIComponent(asked);
    const [record, detail, history, trust, thing] = await Promise.all([
      isHere ? maybe(answered(asked)) : start?.site ? maybe(api("/identity/record/" + path(asked))) : { state: start?.state },
      isRegistered ? maybe(api("/identity/names/detail?name=" + ask)) : null, isRegistered ? maybe(api("/identity/names/history?name=" + ask)) : null,
      isHere ? maybe(api(`/identity/trust/${path(asked)}?lang=${lang}`)) : null, isThing ? maybe(api("/things/" + path(asked))) : null]);
    draw({ name, asked, codes, record, start, detail: usable(detail), trust: usable(trust), graph, history: usable(history), thing: thing?.thing, tags: thing?.tags ?? [] });
  }

  /** Draw again once what was registered or changed a moment ago is signed. */
  async function signed(found) {
    const trust = await maybe(api(`/identity/trust/${path(found.asked)}?lang=${lang}`));
    if (usable(trust) && trust.verdict !== found.trust.verdict) await load();
    else if (unsignedYet(found)) soon = setTimeout(signed, SIGNED_MS, found);
  }

  function draw(found) {
    const { asked, record, detail, trust, graph } = found;
    const shown = liveBox(asked, record?.values ?? [], found.tags);
    const isHandle = isName(found);
    const usage = h("div");
    fill(root, head(found, () => load()), h("div.mw-thing.mw-name", null,
      h("div.mw-stack", null, returnedFor(detail, found.history?.versions), shown?.element, isHandle ? values(found) : leads(found), graphPanel(graph, load), detail || found.history ? versions(found.history, detail) : null, isHandle ? usage : null),
      h("div.mw-stack", null, isHandle ? trustBox(trust, found, unsignedYet(found)) : null, facts(found), readings(found), isHandle ? command(asked) : null)));
    if (isHandle) whoAsked(usage, asked);
    if (unsignedYet(found)) soon = setTimeout(signed, SIGNED_MS, found);
    if (!shown) return;
    timer = setInterval(async () => {
      const again = await maybe(answered(asked));
      if (again?.values) shown.set(again.values);
    }, AGAIN_MS);
  }
}

/** Changed a moment ago: its signature follows. */
const unsignedYet = ({ detail, trust }) => Boolean(detail && trust && trust.verdict !== "trusted" && live.now() - detail.changed_at_ms < FRESH_MS);

/** Names compare without regard to ASCII case. */
const ascii = (text) => text.normalize("NFC").replace(/[a-z]/g, (letter) => letter.toUpperCase());
const same = (one, other) => ascii(one) === ascii(other);

const usable = (reply) => (reply?.fault ? null : reply);

/** A text that is a name resolved as a handle, whichever system wrote it; hdl: and the like go. */
function handleOf(name, codes) {
  const code = codes.find((one) => ["handle", "vaa", "doi"].includes(one.system));
  return code?.parts.find((part) => part.name === "name")?.value ?? name.replace(/^(hdl|doi):/i, "");
}

function isName({ record, graph, start, asked }) {
  if (record?.values || graph?.fault) return true;
  return start ? !["code", "invalid"].includes(start.state) && start.system !== "unknown" : asked.includes("/");
}

/** The record of this node, with its live values. */
async function answered(name) {
  const response = await fetch("/api/handles/" + path(name));
  const own = await response.json().catch(() => ({}));
  return own.responseCode === 1 ? own : null;
}

function head(found, again) {
  const { name, asked, detail, record, thing, start } = found;
  const label = (thing && named(thing)) || (start && named(start, "label_")) || valueOf(detail, "name") || "";
  return h("div", null, h("nav.mw-crumbs", { "aria-label": t("nav.registrations") }, h("a", { href: "/names" }, t("nav.registrations")), icon("right"), h("span", null, asked.split("/")[0])),
    h("div.mw-head.mw-name-head", null, h("div", { style: "min-width:0" }, h("h1.mw-break", null, label || name),
      h("div.mw-id", null, h("span.mw-mono.mw-dim.mw-break", { id: "name-id" }, name), copyButton(name))),
    h("div.mw-row", null, detail ? lifeState(detail.state) : null, thing?.simulated ? pageBadge() : null)),
    h("div.mw-row.mw-name-actions", null,
      thing ? h("a.mw-btn", { href: thingHref(thing.id) }, icon("thing"), t("name.thing")) : null,
      (detail && detail.state !== "draft") || record?.values?.length ? button(t("label.open"), async () => (await import("mingwu-console/label.js")).labelDialog(detail?.name ?? asked), "", "print") : null,
      detail ? h("a.mw-btn", { href: "/names/grants?tab=who&name=" + encodeURIComponent(detail.name) }, icon("lock"), t("name.access")) : null,
      detail ? actionBar(detail, (said) => { toast(said); again(); }) : null));
}

const valueOf = (detail, type) => detail?.values.find((value) => value.type === type)?.value;

function values(found) {
  const { record, detail, asked } = found;
  if (record?.fault) return panel(t("name.values"), h("div.mw-pad", null, trouble(record.fault, "codes")));
  if (record?.values?.length || detail?.values?.length) return valueTable(found);
  const known = detail?.state ?? record?.state ?? "unknown";
  const key = ["elsewhere", "unreachable", "draft", "deregistered"].includes(known) ? known : "unknown";
  const mayRegister = ["engineer", "admin"].includes(role);
  return panel(t("name.values"), empty(key === "unreachable" ? "offline" : "unknown", t("name.none." + key), t(`name.none.${key}.why`),
    ...(key === "unknown" && mayRegister ? [h("a.mw-btn", { href: "/names?new=" + encodeURIComponent(asked) }, icon("plus"), t("names.new"))] : [])));
}

/** A code of another system has no record of its own: where it leads. */
function leads({ graph, name, codes }) {
  const targets = (graph?.edges ?? []).filter((edge) => edge.source === graph.start && ["named", "class", "denotes"].includes(edge.kind));
  const nodes = new Map((graph?.nodes ?? []).map((node) => [node.id, node]));
  const fault = codes.find((code) => code.fault)?.fault;
  if (targets.length) {
    return panel(t("name.leads"), h("ul.mw-lines.mw-pad", null, targets.map((edge) => {
      const node = nodes.get(edge.target);
      return h("li", null, h("div.mw-two", null, h("a", { href: nameHref(node.text) }, named(node, "label_") || node.text), h("small.mw-mono.mw-break", null, node.text)), h("span.mw-chip", null, t("edge." + edge.kind)));
    })));
  }
  const [symbol, title, why] = fault ? ["bad", t("name.code.bad"), `${fault.message} ${fault.next ?? ""}`]
    : codes.length ? ["unknown", t("name.code.nobody"), t("name.code.nobody.why", { name })] : ["unknown", t("name.code.unknown"), t("name.code.unknown.why")];
  return panel(t("name.leads"), empty(symbol, title, why));
}

function graphPanel(graph, again) {
  if (graph?.fault) return panel(t("name.graph"), h("div.mw-pad", null, trouble(graph.fault, "codes", again)));
  return graph ? chainGraph(graph) : null;
}

function facts({ detail, start, thing, record }) {
  const rows = [
    [t("name.owner"), start?.owner],
    [t("name.place"), start?.place],
    [t("name.answeredby"), start?.site || record?.site],
    [t("name.kind"), detail ? t("kind." + detail.kind) : thing ? t("kind." + thing.kind) : ""],
    [t("name.template"), detail ? named(detail.template) || detail.template.version : ""],
    [t("name.account"), detail ? doer(detail.owner) : ""],
    [t("name.version"), detail ? String(detail.version) : ""],
    [t("name.registered"), detail?.registered_at_ms ? moment(detail.registered_at_ms) : ""],
    [t("name.changed"), detail?.changed_at_ms ? moment(detail.changed_at_ms) : ""],
  ].filter(([, value]) => value);
  const element = panel(t("name.facts"), rows.length ? h("dl.mw-facts", null, rows.map(([key, value]) => [h("dt", null, key), h("dd", null, value)])) : h("p.mw-dim.mw-pad", null, t("name.facts.none")));
  if (thing?.simulated) element.head.append(simBadge());
  return element;
}

function readings({ codes }) {
  if (!codes.length) return null;
  return panel(t("name.readings"), h("ul.mw-lines.mw-pad", null, codes.slice(0, 4).map((code) => h("li", null,
    h("div.mw-two", null, h("span", null, code.system_name || code.system), h("small.mw-mono.mw-break", null, code.canonical ?? ""), code.fault ? h("small.mw-said", null, code.fault.message) : null)))));
}

function command(name) {
  const words = `mingwu resolve ${name} --trust`;
  return h("section.mw-panel.mw-pad", null, h("small.mw-faint", null, t("name.command")), h("div.mw-code", { style: "margin-top:6px" }, h("code", null, words), copyButton(words)));
}

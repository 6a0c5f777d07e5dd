// Data of all enterprises at once: a question over a template, rows of every node, what became of each.

import { button, copyButton, empty, fill, h, icon, iconButton, lang, nameHref, role, simBadge, skeleton, state, t, toast } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { figure } from "mingwu-console/figures.js";
import { count, moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const AT = "/secondlevel/query";
const PAGE = 100;
const COLUMNS = 8;
const MARK = "MW.SIMULATED"; // shown as the badge, not as a column
const STATES = { answered: "good", refused: "bad", unreachable: "lost", unlinked: "never" };
const ORDER = ["unreachable", "refused", "answered", "unlinked"];

export async function mount(root, { query }) {
  const badge = h("span");
  const out = h("div.mw-stack", { "aria-live": "polite" });
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("dataquery.title"), " ", badge), h("p", null, t("dataquery.lead")))), out);
  if (role !== "admin") {
    fill(out, h("section.mw-panel", null, empty("lock", t("dataquery.admin"), t("dataquery.admin.why"))));
    return {};
  }
  let asked = null;
  let rows = [];
  let nodes = new Map();
  let turn = 0;
  const form = question(query, ask);
  const found = h("div.mw-stack", null, h("section.mw-panel", null, empty("search", t("dataquery.begin"), t("dataquery.begin.why"))));
  try {
    const [about, known] = await Promise.all([api("/secondlevel/desk/about"), api("/secondlevel/templates")]);
    if (about.simulated) fill(badge, pageBadge());
    form.offer(known.templates);
  } catch (error) {
    fill(out, trouble(error, "secondlevel", () => location.reload()));
    return {};
  }
  fill(out, form.element, found);
  if (query.template) await ask(form.value());
  return {};

  /** A new question: its address stands in the page's, its first page below. */
  async function ask(what) {
    const search = new URLSearchParams({ template: what.template });
    for (const [item, value] of Object.entries(what.conditions)) search.append("c", `${item}=${value}`);
    if (what.asker) search.set("asker", what.asker);
    history.replaceState(null, "", `${AT}?${search}`);
    asked = what;
    rows = [];
    nodes = new Map();
    fill(found, h("section.mw-panel", null, skeleton(6)));
    await page("");
  }

  async function page(after) {
    const mine = ++turn;
    try {
      const reply = await api("/secondlevel/query", { method: "POST", body: { ...asked, after, limit: PAGE } });
      if (mine !== turn) return;
      rows = rows.concat(reply.rows);
      for (const one of reply.nodes) nodes.set(one.prefix, { ...one, rows: one.rows + (nodes.get(one.prefix)?.rows ?? 0) });
      draw(reply);
    } catch (error) {
      if (mine === turn) fill(found, trouble(error, "secondlevel", () => ask(asked)));
    }
  }

  function draw(reply) {
    const answers = nodesPanel();
    const strip = h("section.mw-panel.mw-kpis.mw-kpis-four", null, Object.keys(STATES).map((name) => figure(t("nodeanswer." + name), count(reply.counts[name]), "",
      { key: name, onclick: () => answers.scrollIntoView({ behavior: "smooth" }), s: reply.counts[name] && (name === "refused" || name === "unreachable") ? "bad" : "" })));
    fill(found, strip, rowsPanel(reply), answers);
  }

  function rowsPanel(reply) {
    const more = reply.after ? button(t("dataquery.more"), async (event) => { event.target.disabled = true; await page(reply.after); }, "mw-btn-small") : null;
    if (!rows.length && !more) return h("section.mw-panel", null, empty("search", t("dataquery.nothing"), t("dataquery.nothing.why")));
    const items = [...new Set(rows.flatMap((row) => Object.keys(row.values)))].filter((item) => item !== MARK).slice(0, COLUMNS);
    return h("section.mw-panel", { dataset: { rows: rows.length } }, h("header", null, h("h2", null, t("dataquery.rows"))),
      h("div.mw-table-wrap", null, h("table.mw-table.mw-fold.mw-data-table", null,
        h("thead", null, h("tr", null, h("th", null, t("dataquery.rows")), h("th", null, t("dataquery.source")), items.map((item) => h("th", null, item)))),
        h("tbody", null, rows.map((row) => h("tr", null,
          h("td.mw-lead", null, h("div.mw-two", null, h("span", null, h("a.mw-mono", { href: nameHref(row.name) }, row.name), row.values[MARK] === "true" ? [" ", simBadge()] : null), h("small", null, row.template, " · ", moment(row.at_ms)))),
          h("td", null, nodeName(nodes.get(row.source))), items.map((item) => h("td.mw-break", { dataset: { label: item } }, row.values[item] ?? "")))))) ),
      h("div.mw-foot", null, h("span", null, t("dataquery.shown", { n: count(rows.length) })), more));
  }

  function nodesPanel() {
    const list = [...nodes.values()].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const steps = ORDER.map((name) => [name, list.filter((one) => one.state === name && one["next_" + lang])]).filter(([, some]) => some.length);
    const todo = steps.flatMap(([name, some]) => [...new Set(some.map((one) => one["next_" + lang]))].map((next) => h("p.mw-hint", { dataset: { todo: name } }, h("b", null, t("nodeanswer." + name), ": "), next)));
    return h("section.mw-panel", null, h("header", null, h("h2", null, t("dataquery.nodes"))),
      todo.length ? h("div.mw-stack.mw-pad", null, todo) : null,
      h("ul.mw-lines.mw-pad.mw-answers", null, list.map((one) => h("li", { dataset: { prefix: one.prefix, state: one.state } },
        h("div.mw-two", null, h("span", null, nodeName(one)), h("small.mw-mono", null, one.prefix)),
        h("div.mw-two", null, state(STATES[one.state], t("nodeanswer." + one.state)), h("small", null, why(one))),
        one.name === "hosted" ? h("span") : button(one.state === "unlinked" ? t("dataquery.link") : t("dataquery.link.change"), () => link(one), "mw-btn-small")))));
  }

  function why(one) {
    if (one.state === "answered") {
      const told = one.known ? t("dataquery.row.count", { n: count(one.rows) }) : t("dataquery.untemplated");
      return one.name === "hosted" ? told : `${told} · ${t("dataquery.took", { ms: count(one.took_ms) })}`;
    }
    return one["message_" + lang] || "";
  }

  function nodeName(one) {
    return one?.name === "hosted" ? t("dataquery.hosted") : one?.name ?? "—";
  }

  /** How a node is asked: set it, try it at once, or end it. */
  async function link(one) {
    const known = await api("/secondlevel/links");
    const now = known.links.find((each) => each.prefix === one.prefix)?.link;
    const url = field(t("dataquery.link.url"), input(now?.url ?? "", { type: "url", required: true }), t("dataquery.link.url.hint"), true);
    const application = field(t("dataquery.link.application"), input(now?.application ?? `${one.prefix}/App_query`, { required: true }), t("dataquery.link.application.hint"), true);
    const theirs = field(t("dataquery.link.theirs"), input(now?.templates[asked.template] ?? ""), t("dataquery.link.theirs.hint"), true);
    const key = known.public_key.trim();
    const end = now ? button(t("dataquery.link.end"), async () => {
      await api("/secondlevel/links/" + one.prefix, { method: "DELETE" });
      document.querySelector("dialog.mw-dialog")?.close();
      toast(t("saved"));
      ask(asked);
    }, "mw-btn-small mw-btn-warn") : null;
    const reply = await confirmed(t("dataquery.link.title", { prefix: one.prefix }), [
      h("div.mw-fields", null, url, application, theirs),
      h("div.mw-field", null, h("span", null, t("dataquery.link.key")), h("div.mw-code", null, h("code.mw-key", null, key), copyButton(key))), end ? h("div.mw-row", null, end) : null,
    ], t("save"), () => api("/secondlevel/links/" + one.prefix, { method: "PUT", body: {
      url: url.control.value.trim(), application: application.control.value.trim(),
      templates: { ...now?.templates, ...(theirs.control.value.trim() ? { [asked.template]: theirs.control.value.trim() } : {}) } } }));
    if (!reply) return;
    toast(reply.tried.state === "answered" ? t("dataquery.link.done") : t("dataquery.link.kept", { why: reply.tried["message_" + lang] }));
    ask(asked);
  }
}

/** The form of a question; `value()` reads it, `offer(templates)` fills the suggestions. */
function question(query, ask) {
  const offers = h("datalist", { id: "dataquery-templates" });
  const template = field(t("dataquery.template"), input(query.template ?? "", { required: true, maxlength: 255, list: offers.id, placeholder: "*/T.1" }), t("dataquery.template.hint"));
  const asker = field(t("dataquery.asker"), input(query.asker ?? "", { maxlength: 18 }), t("dataquery.asker.hint"));
  const conditions = h("div.mw-stack.mw-conditions");
  const given = new URLSearchParams(location.search).getAll("c").map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]);
  for (const [item, value] of given.length ? given : [["", ""]]) add(item, value);
  const element = h("form.mw-panel.mw-pad.mw-dataquery", { role: "search", onsubmit: (event) => { event.preventDefault(); ask(value()); } },
    h("div.mw-fields", null, template, asker), offers, conditions,
    h("div.mw-row", null, button(t("dataquery.condition.more"), () => add("", "", true), "mw-btn-small", "plus"), h("span.mw-grow"),
      h("button.mw-btn.mw-btn-main", { type: "submit" }, icon("search"), t("dataquery.go"))));
  return { element, value, offer };

  function add(item, wanted, focus = false) {
    const name = input(item, { "aria-label": t("dataquery.item"), placeholder: t("dataquery.item"), maxlength: 255 });
    const text = input(wanted, { "aria-label": t("dataquery.value"), placeholder: `${t("dataquery.value")} (${t("dataquery.value.hint")})` });
    const line = h("div.mw-condition", null, name, text, iconButton("minus", t("dataquery.condition.less"), () => line.remove()));
    conditions.append(line);
    if (focus) name.focus();
  }

  function value() {
    const pairs = [...conditions.children].map((line) => [...line.querySelectorAll("input")].map((one) => one.value.trim()));
    return { template: template.control.value.trim(), asker: asker.control.value.trim(), conditions: Object.fromEntries(pairs.filter(([item]) => item)) };
  }

  function offer(templates) {
    const ends = new Map();
    for (const one of templates) {
      const end = "*" + one.slice(one.indexOf("/"));
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    const shared = [...ends].filter(([, n]) => n > 1).map(([end]) => end);
    fill(offers, [...shared, ...templates].slice(0, 300).map((one) => h("option", { value: one })));
    if (!template.control.value && shared.length) template.control.value = shared[0];
  }
}

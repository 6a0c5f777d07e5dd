// Data templates of this node: found by words, kind, industry and state; new ones, and ones from files.

import { button, fill, h, icon, named, role, state, t } from "mingwu-console/dom.js";
import { pageBadge } from "mingwu-console/absent.js";
import { ago } from "mingwu-console/figures.js";
import { count, moment } from "mingwu-console/format.js";
import { chooseIndustry, lowestCode } from "mingwu-console/industrypicker.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";
import { importTemplate, newTemplate } from "mingwu-console/templatenew.js";

const KINDS = ["machine", "product", "part", "process", "algorithm", "data", "order", "lot", "permit", "document", "slice"];
const STATES = { draft: "setup", published: "good", withdrawn: "stopped" };

export const templateState = (name) => state(STATES[name] ?? "unknown", t("tplstate." + name));
export const templateHref = (number) => "/names/templates/" + number;
export const mayChange = ["engineer", "admin"].includes(role);

export async function mount(root, { query }) {
  const actions = mayChange ? h("div.mw-row", null, button(t("templates.import"), () => importTemplate(), "", "out"),
    button(t("templates.new"), () => newTemplate(), "mw-btn-main", "plus")) : null;
  const list = table(query);
  fill(root, h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("nav.templates"), " ", pageBadge()), h("p", null, t("templates.lead"))), actions), list.element);
  await list.reload();
  if (query.copy && mayChange) newTemplate(Number(query.copy));
  return { destroy: () => document.querySelector("dialog.mw-drawer")?.close() };
}

function table(query) {
  let counts = {};
  const industry = h("button.mw-input.mw-industry-field.mw-filter-industry", { type: "button", "aria-label": t("template.industry"), onclick: async () => {
    const found = await chooseIndustry({ least: 1, all: t("industry.all") });
    if (found) list.change({ industry: found.code }).then(mark);
  } });
  const list = paged({
    at: "/names/templates", query, part: "enterprise", size: 50, search: t("templates.search"),
    load: async (want) => {
      const reply = await api("/identity/templates?" + asked(want));
      counts = reply.states;
      return { ...reply, rows: reply.templates };
    },
    selects: [{ key: "kind", label: t("name.kind"), options: [["", t("templates.allkinds")], ...KINDS.map((kind) => [kind, t("kind." + kind)])] }],
    extras: [{ key: "industry", element: industry }],
    choices: [{ key: "state", label: t("names.state"), options: () => [["", t("all"), Object.values(counts).reduce((sum, n) => sum + n, 0)],
      ...Object.keys(STATES).map((one) => [one, t("tplstate." + one), counts[one] ?? 0])] }],
    columns: [
      { label: t("templates.name"), cls: ".mw-lead.mw-wide-col", cell: (row) => h("div.mw-two", null, h("a", { href: templateHref(row.number) }, named(row.definition) || row.definition.version), h("small.mw-mono.mw-break", null, row.definition.version)) },
      { label: t("name.kind"), cell: (row) => t("kind." + row.definition.kind) },
      { label: t("template.industry"), cls: ".mw-hide", cell: (row) => h("span.mw-mono", { title: t("template.industry") }, lowestCode(row.definition.industry)) },
      { label: t("templates.items"), cls: ".num.mw-hide", cell: (row) => count(row.items) },
      { label: t("templates.names"), cls: ".num.mw-hide", cell: (row) => row.names ? h("a", { href: "/names?template=" + row.number }, count(row.names)) : h("span.mw-faint", null, "0") },
      { label: t("names.state"), cell: (row) => templateState(row.state) },
      { label: t("templates.revision"), cls: ".num.mw-hide", cell: (row) => row.revision },
      { label: t("name.changed"), cls: ".num.mw-nowrap.mw-hide", cell: (row) => h("span.mw-dim", { title: moment(row.changed_at_ms) }, ago(row.changed_at_ms)) },
    ],
    none: (want) => want.q || want.state || want.kind || want.industry ? ["search", t("templates.nomatch"), t("templates.nomatch.why")] : ["template", t("templates.empty"), t("templates.empty.why")],
  });
  mark();
  return list;

  function mark() {
    const code = list.want.industry;
    fill(industry, h("span", null, code ? [h("b.mw-mono", null, code)] : t("industry.all")), icon("down"));
    if (code) api(`/identity/industries?text=${encodeURIComponent(code)}&limit=1`).then((reply) => {
      const row = reply.industries.find((one) => one.code === code);
      if (row && list.want.industry === code) fill(industry, h("span", null, h("b.mw-mono", null, code), " ", named(row, "") || ""), icon("down"));
    }).catch(() => {});
  }
}

/** The table's wishes in the words of the route. */
function asked(want) {
  const found = new URLSearchParams({ brief: "1" });
  const words = { q: "text", state: "state", kind: "kind", industry: "industry", offset: "offset", limit: "limit" };
  for (const [key, name] of Object.entries(words)) if (want.get(key)) found.set(name, want.get(key));
  return found;
}


// Prefix applications: the review queue with real names, and the applicant's side.

import { button, doer, empty, fill, h, icon, lang, problem, role, skeleton, state, t, toast } from "mingwu-console/dom.js";
import { pageBadge } from "mingwu-console/absent.js";
import { applicationForm } from "mingwu-console/applying.js";
import { confirmed, field, input, select, typing } from "mingwu-console/dialog.js";
import { lasting } from "mingwu-console/figures.js";
import { moment } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const DESK = "/secondlevel/desk";
const STATES = ["submitted", "returned", "accepted", "rejected"];
const MARKS = { submitted: "connecting", returned: "setup", accepted: "good", rejected: "bad" };
const CHECKS = { passed: "good", failed: "bad", absent: "absent" };
// Where a reason of the reviewer can point to, in the order of the form.
const FIELDS = ["organisation.uscc", "organisation.name", "organisation.industry", "legal_person.name", "legal_person.number",
  "contact.name", "contact.phone", "contact.email", "prefix", "site", "purpose", "licence_sha256"];

const mark = (name) => state(MARKS[name] ?? "unknown", t("appstate." + name));
const organisation = (row) => (lang === "en" && row.name_en ? row.name_en : row.name);

export async function mount(root, { query }) {
  const side = h("div.mw-detail");
  const lead = h("p", null, t("applications.lead"));
  let typed = null; // into the application form that is open
  const free = async () => (await typed?.mayLeave()) ?? true;
  const apply = button(t("applications.new"), async () => (await free()) && writing({}), "mw-btn-main", "plus");
  apply.hidden = !["engineer", "admin"].includes(role);
  const badge = h("span");
  const list = paged({
    at: "/secondlevel/applications", query, part: "secondlevel", size: 20, search: t("applications.search"),
    load: (want) => api(`${DESK}/applications?${want}`), key: (row) => row.id,
    choices: [{ key: "state", label: t("applications.state"), initial: "submitted",
      options: (reply) => [...STATES.map((name) => [name, t("appstate." + name), reply.counts[name] ?? 0]),
        ["all", t("all"), Object.values(reply.counts).reduce((sum, n) => sum + n, 0)]] }],
    columns: [
      { label: t("applications.organisation"), cls: ".mw-lead.mw-wide-col", cell: (row) => h("button.mw-row-link", { type: "button", onclick: async () => (await free()) && show(row.id) },
        h("span.mw-two", null, h("span", null, organisation(row)), h("small.mw-mono", null, row.uscc))) },
      { label: t("applications.prefix"), cell: (row) => h("div.mw-two", null, h("span.mw-mono", null, row.prefix),
        h("small", null, `${t("appkind." + row.kind)} · ${t("mode." + row.mode)}`)) },
      { label: t("applications.state"), cell: (row) => mark(row.state) },
      { label: t("applications.since"), cls: ".num.mw-hide.mw-nowrap", cell: (row) => h("span.mw-dim", { title: moment(row.changed_at_ms) }, lasting(row.changed_at_ms)) },
    ],
    none: (want) => want.q ? ["search", t("applications.nomatch"), t("applications.nomatch.why")]
      : want.state === "submitted" ? ["good", t("applications.empty"), t("applications.empty.why")]
        : ["review", t("applications.none"), t("applications.none.why")],
  });
  const load = list.reload;
  const columns = h("div.mw-split", null, list.element, side);
  fill(root, h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("applications.title"), " ", badge), lead), apply), columns);
  idle();
  const [reply] = await Promise.all([load(), about()]);
  if (!reply) return {};
  if (query.id) await show(query.id);
  else if (query.new) writing({ kind: query.kind, prefix: query.prefix });
  return {};

  async function about() {
    const node = await api(DESK + "/about").catch(() => null);
    if (!node) return;
    lead.textContent = t("applications.lead.node", { node: node.prefix, operator: lang === "zh" ? node.operator_zh : node.operator_en });
    if (node.simulated) fill(badge, pageBadge());
  }

  function idle() {
    columns.removeAttribute("data-open");
    list.mark("");
    fill(side, h("section.mw-panel", null, empty("review", t("applications.pick"), t("applications.pick.why"))));
  }

  function opened(element, id) {
    columns.setAttribute("data-open", "");
    list.mark(id);
    fill(side, element);
    side.querySelector("h2")?.focus({ preventScroll: false });
  }

  async function show(id) {
    opened(h("section.mw-panel", null, skeleton(6)), id);
    try {
      opened(detail(await api(`/secondlevel/applications/${encodeURIComponent(id)}`)), id);
    } catch (error) {
      opened(problem(error, () => show(id)), id);
    }
  }

  /** The form: new, or from an application (`again`: it was returned and goes back under its number). */
  async function writing(from, again = "") {
    opened(h("section.mw-panel", null, skeleton(8)), again);
    try {
      const node = await api(DESK + "/about");
      const form = applicationForm({ node, from, again, onclose: again ? () => show(again) : idle, ondone: async (made) => {
        toast(t("applications.sent"));
        await list.change({ state: "submitted", q: "" });
        await show(made.id);
      } });
      opened(form, again);
      typed = typing(form);
    } catch (error) {
      opened(problem(error, () => writing(from, again)), again);
    }
  }

  function detail({ application, steps, checks, present }) {
    const { form } = application;
    const before = present && groups({ ...present, kind: form.kind, purpose: form.purpose });
    return h("section.mw-panel.mw-application", { dataset: { application: application.id } },
      h("header", null, h("button.mw-btn.mw-btn-bare.mw-btn-small.mw-back", { type: "button", onclick: idle, "aria-label": t("applications.back") }, icon("left")),
        h("h2", { tabindex: -1 }, organisation(form.organisation)), mark(application.state)),
      application.reasons.length ? reasons(application) : null,
      h("div.mw-detail-grid", null, groups(form).map(([title, rows], at) => h("div", null, h("h3", null, title), facts(rows, before?.[at][1])))),
      h("div.mw-detail-block", null, h("h3", null, t("applications.checks")), checkList(checks)),
      h("div.mw-detail-block", null, h("h3", null, t("applications.steps")), stepList(steps)),
      actions(application));
  }

  function actions(application) {
    const { form, state: now, id } = application;
    const does = [];
    if (now === "submitted" && role === "admin") {
      does.push(button(t("applications.accept"), () => accept(application), "mw-btn-main", "good"),
        button(t("applications.return"), () => sendBack(application, "return"), "", "left"),
        button(t("applications.reject"), () => sendBack(application, "reject"), "mw-btn-warn", "bad"));
    }
    if (now === "returned" && role !== "viewer") does.push(button(t("applications.correct"), () => writing({ ...form }, id), "mw-btn-main", "setup"));
    if (now === "accepted" && form.kind !== "exit" && role !== "viewer") {
      does.push(button(t("applications.change"), () => writing({ ...form, kind: "change" }), "", "setup"),
        button(t("applications.exit"), () => writing({ ...form, kind: "exit" }), "", "logout"));
    }
    const note = now === "submitted" && role !== "admin" ? h("small.mw-faint", null, t("applications.only_admin")) : null;
    return does.length || note ? h("div.mw-row.mw-actions", null, does, note) : null;
  }

  async function accept(application) {
    const { form } = application;
    const { prefix } = form;
    const text = form.kind === "exit" ? t("applications.accept.exit", { prefix })
      : form.mode === "own" ? t("applications.accept.own", { prefix }) : t("applications.accept.hosted", { prefix });
    await decide(t("applications.accept"), [h("p", null, text)], application.id, () => ({ action: "accept" }));
  }

  async function sendBack(application, action) {
    const rows = h("div.mw-stack", { style: "gap:10px" });
    const add = () => {
      const about = field(t("applications.reason.field"), select(FIELDS.map((name) => [name, t("appfield." + name)]), "organisation.name"));
      const text = field(t("applications.reason.text"), input("", { required: true, maxlength: "1000" }));
      rows.append(h("div.mw-reason", null, about, text));
    };
    add();
    const body = [h("p.mw-dim", null, action === "return" ? t("applications.return.why") : t("applications.reject.why")), rows,
      h("div", null, button(t("applications.reason.more"), add, "mw-btn-small", "plus"))];
    await decide(action === "return" ? t("applications.return") : t("applications.reject"), body, application.id, () => ({
      action, reasons: [...rows.children].map((one) => ({ field: one.querySelector("select").value, text: one.querySelector("input").value.trim() })),
    }), action === "reject");
  }

  async function decide(title, body, id, decision, grave = false) {
    const done = await confirmed(title, body, title, () => api(`/secondlevel/applications/${encodeURIComponent(id)}/decision`, { method: "POST", body: decision() }), { grave });
    if (done === undefined) return;
    toast(t("applications.decided"));
    await load();
    await show(id);
  }
}

function reasons(application) {
  return h("div.mw-reasons", { dataset: { state: application.state } }, h("b", null, application.state === "rejected" ? t("applications.rejected.for") : t("applications.returned.for")),
    h("ul", null, application.reasons.map((one) => h("li", null, h("span", null, t("appfield." + one.field)), one.text))));
}

function groups(form) {
  const { organisation: org, legal_person: legal, contact, site } = form;
  return [
    [t("applications.organisation"), [[t("appfield.organisation.name"), org.name], [t("appfield.organisation.name_en"), org.name_en],
      [t("appfield.organisation.uscc"), org.uscc, true], [t("appfield.organisation.industry"), org.industry],
      [t("appfield.organisation.region"), org.region], [t("appfield.organisation.address"), org.address]]],
    [t("applications.wanted"), [[t("appfield.kind"), t("appkind." + form.kind)], [t("appfield.prefix"), form.prefix, true], [t("appfield.mode"), t("mode." + form.mode)],
      [t("appfield.site"), site ? site.service || `${site.host}:${site.port}` : "", true], [t("appfield.purpose"), form.purpose],
      [t("appfield.licence_sha256"), form.licence_sha256 && form.licence_sha256.slice(0, 16) + "…", true]]],
    [t("applications.legal"), [[t("appfield.legal_person.name"), legal.name], [t("appfield.legal_person.number"), legal.number, true]]],
    [t("applications.contact"), [[t("appfield.contact.name"), contact.name], [t("appfield.contact.phone"), contact.phone], [t("appfield.contact.email"), contact.email]]],
  ];
}

/** Rows with a value; where `before` has another one, that stands below. */
function facts(rows, before) {
  const was = (at) => (before && before[at][1] !== rows[at][1] ? h("small.mw-faint", { style: "display:block", dataset: { was: "" } }, t("applications.was", { value: before[at][1] || "—" })) : null);
  return h("dl.mw-pairs", null, rows.map(([label, value, mono], at) => (value || was(at) ? [h("dt", null, label), h(mono ? "dd.mw-mono" : "dd", null, value || "—", was(at))] : null)));
}

function checkList(checks) {
  return h("ul.mw-checks", null, checks.map((one) => h("li", { dataset: { check: one.name, s: one.state } }, state(CHECKS[one.state], t("check." + one.name)),
    h("small", null, checkNote(one)))));
}

function checkNote({ name, state: now, detail }) {
  if (name === "quota") return t("checknote.quota", detail);
  if (name === "prefix" && now === "failed") return detail.holder ? t("checknote.prefix.held", detail) : t("checknote.prefix.none", detail);
  if (name === "industry" && now === "passed") return lang === "zh" ? detail.zh : detail.en;
  return now === "absent" ? t("checknote." + name) : t("checkstate." + now);
}

function stepList(steps) {
  return h("ol.mw-steps", null, steps.map((one) => h("li", null, h("time", null, moment(one.at_ms)), h("span", null, h("b", null, t("appstate." + one.state)), " · ", doer(one.actor), one.note ? h("small", null, one.note) : null))));
}

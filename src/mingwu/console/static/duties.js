// Duties toward the top-level node: tables and their delivery, escrow, takeover, the monthly report.

import { button, fill, h, icon, lang, panel, problem, role, skeleton, state, t, toast } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { ago, figure } from "mingwu-console/figures.js";
import { age, count, moment, plain } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const DESK = "/secondlevel/desk";
const DUTY = { delivered: "good", waiting: "connecting", late: "uncertain", refused: "bad", nothing: "absent" };
const WHITHER = { "here": "good", "taken-over": "fault", "absent": "uncertain", "silent": "lost", "not-asked": "absent" };

export async function mount(root, { query }) {
  const strip = h("div");
  const tables = h("div");
  const whither = h("div");
  const badge = h("span");
  const report = reportPanel(query.month);
  const messages = messagePanel(() => draw());
  const deposits = depositPanel();
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("duties.title"), " ", badge), h("p", null, t("duties.lead")))),
    h("div.mw-stack", null, strip, tables, h("div.mw-two-cols", null, messages.element, whither), deposits.element, report.element));
  for (const one of [whither, deposits.element, report.element, messages.element]) one.hidden = true;
  fill(tables, skeleton(10));
  let about;
  try {
    about = await api(DESK + "/about");
    await draw();
  } catch (error) {
    fill(tables, trouble(error, "secondlevel", () => location.reload()));
    return {};
  }
  if (about.simulated) fill(badge, pageBadge());
  for (const one of [whither, deposits.element, report.element, messages.element]) one.hidden = false;
  await Promise.all([messages.reload(), deposits.reload(), report.load(), delegation(whither)]);
  return {};

  async function draw() {
    const found = await api(DESK + "/duties");
    const rows = [...found.tables, ...Object.values(found.channels)];
    const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
    const lag = Math.max(0, ...rows.map((row) => row.lag_s));
    const { epp, escrow } = found.channels;
    fill(strip, h("section.mw-panel.mw-kpis", null,
      figure(t("duties.waiting"), count(sum("waiting")), lag ? t("duties.oldest", { age: age(lag) }) : t("duties.waiting.none"), { s: lag > 3600 ? "bad" : "" }),
      figure(t("duties.refused"), count(sum("refused")), sum("refused") ? t("duties.refused.sub") : t("duties.refused.none"), { s: sum("refused") ? "bad" : "", key: "refused" }),
      figure(t("duties.delivered"), count(sum("acknowledged")), t("duties.delivered.sub")),
      figure(t("duties.epp"), count(epp.acknowledged), epp.waiting ? t("duties.epp.waiting", { n: count(epp.waiting) }) : t("duties.epp.sub")),
      figure(t("duties.escrow"), ago(escrow.acknowledged_ms), escrow.waiting ? t("duties.escrow.waiting", { n: count(escrow.waiting) }) : escrow.acknowledged ? t("duties.escrow.sub") : t("duties.escrow.none"), { key: "escrow" })));
    fill(tables, panel(t("duties.tables"), about.upstream.tables ? null : h("p.mw-note", null, icon("off"), t("duties.off")),
      h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null, h("thead", null, h("tr", null,
        h("th.mw-wide-col", null, t("duties.table")), h("th", null, t("duties.period")), h("th", null, t("duties.upto")), h("th", null, t("duties.state")), h("th.num", null, t("duties.acknowledged")), h("th.num", null, t("duties.counts")))),
      h("tbody", null, found.tables.map(tableRow))))));
  }
}

function tableRow(row) {
  const words = { waiting: t("duty.waiting.n", { n: row.waiting }), late: t("duty.late.n", { n: row.waiting, age: age(row.lag_s) }), refused: t("duty.refused.n", { n: row.refused }) };
  return h("tr", { dataset: { table: row.id } }, h("td.mw-lead", null, h("div.mw-row", { style: "flex-wrap:nowrap" }, h("span.mw-chip.mw-mono.mw-duty-id", null, row.id), h("span", null, row[lang]))),
    h("td", null, t("period." + row.period)), h("td.mw-dim.mw-hide.mw-nowrap", null, row.upto.includes("T") ? moment(Date.parse(row.upto)) : row.upto || "—"),
    h("td", null, state(DUTY[row.state], words[row.state] ?? t("duty." + row.state))),
    h("td.num.mw-dim.mw-hide.mw-nowrap", { title: row.acknowledged_ms ? moment(row.acknowledged_ms) : "" }, ago(row.acknowledged_ms)),
    h("td.num.mw-hide", null, count(row.acknowledged)));
}

/** What the top node refused or has not taken yet; refused ones can be sent again. */
function messagePanel(onchange) {
  const names = ["refused", "waiting", "acknowledged"];
  const list = paged({
    at: "/secondlevel/duties", part: "secondlevel", size: 8, key: (row) => row.number,
    load: (want) => api(`${DESK}/messages?${want}`),
    choices: [{ key: "state", label: t("duties.state"), initial: "refused", options: (reply) => names.map((name) => [name, t("message." + name), reply.counts[name] ?? 0]) }],
    columns: [
      { label: t("duties.message"), cls: ".mw-lead.mw-wide-col", cell: (row) => h("div.mw-two", null, h("span", null, h("span.mw-mono", null, row.subject), " · ", t("channel." + row.channel)), h("small", { style: "overflow-wrap:anywhere" }, row.error || t("duties.number", { n: row.number }))) },
      { label: t("duties.made"), cls: ".mw-nowrap.mw-hide", cell: (row) => moment(row.created_ms) },
      { label: t("duties.attempts"), cls: ".num", cell: (row) => row.state === "waiting" ? count(row.attempts) : row.acknowledged_ms ? moment(row.acknowledged_ms) : "" },
      { label: "", cls: ".mw-fit", cell: (row) => (row.state === "refused" && role === "admin" ? button(t("duties.again"), (event) => again(row, event.currentTarget), "mw-btn-small", "duties") : "") },
    ],
    none: (want) => want.state === "refused" ? ["good", t("duties.norefused"), t("duties.norefused.why")] : ["duties", t("duties.nomessages"), t("duties.nomessages.why")],
  });
  list.element.prepend(h("header", null, h("h2", null, t("duties.messages"))));
  return list;

  async function again(row, control) {
    control.disabled = true;
    try {
      await api(`${DESK}/messages/${row.number}/again`, { method: "POST" });
      toast(t("duties.again.done"));
      await Promise.all([list.reload(), onchange()]);
    } catch (error) {
      list.element.append(h("div.mw-pad", null, problem(error)));
    }
  }
}

/** Where the top node sends people for our prefix: asked of it now. */
async function delegation(slot) {
  fill(slot, panel(t("duties.takeover"), skeleton(3)));
  try {
    const one = await api(DESK + "/delegation");
    const words = { here: t("takeover.here", one), "taken-over": t("takeover.gone", one), absent: t("takeover.absent", one), silent: t("takeover.silent", one), "not-asked": t("takeover.notasked") };
    fill(slot, panel(t("duties.takeover"), h("div.mw-pad.mw-stack", { style: "gap:8px", dataset: { whither: one.state } },
      state(WHITHER[one.state], t("whither." + one.state)), h("p.mw-dim", null, words[one.state]),
      one.address ? h("dl.mw-pairs", null, h("dt", null, t("takeover.leads")), h("dd.mw-mono", null, one.address), h("dt", null, t("takeover.ours")), h("dd.mw-mono", null, one.ours), h("dt", null, t("takeover.asked")), h("dd.mw-mono", null, `${one.asked} · ${plain(one.elapsed_ms, 1)} ms`)) : null,
      h("div", null, button(t("takeover.again"), () => delegation(slot), "mw-btn-small")), h("small.mw-hint", null, t("takeover.rule")))));
  } catch (error) {
    fill(slot, problem(error, () => delegation(slot)));
  }
}

function depositPanel() {
  const list = paged({
    at: "/secondlevel/duties", part: "secondlevel", size: 6, key: (row) => row.id,
    load: (want) => api(`${DESK}/deposits?${want}`),
    columns: [
      { label: t("deposit.id"), cls: ".mw-lead", cell: (row) => h("div.mw-two", null, h("span.mw-mono", null, row.id), h("small", null, `${row.from_sequence} → ${row.to_sequence}`)) },
      { label: t("deposit.kind"), cell: (row) => h("span.mw-chip", null, row.kind === "FULL" ? t("deposit.full") : t("deposit.diff")) },
      { label: t("deposit.objects"), cls: ".num", cell: (row) => count(row.objects) },
      { label: t("deposit.files"), cls: ".num.mw-hide", cell: (row) => count(row.files) },
      { label: t("duties.made"), cls: ".mw-nowrap.mw-hide", cell: (row) => moment(row.made_at_ms) },
      { label: t("deposit.sealed"), cls: ".mw-hide", cell: () => state("good", t("deposit.sealed.yes")) },
      { label: t("duties.state"), cell: (row) => state({ acknowledged: "good", waiting: "connecting", refused: "bad" }[row.delivery], row.acknowledged_ms ? t("deposit.acknowledged", { at: moment(row.acknowledged_ms) }) : t("message." + row.delivery)) },
    ],
    none: () => ["shield", t("deposit.empty"), t("deposit.empty.why")],
  });
  list.element.prepend(h("header", null, h("h2", null, t("deposit.title")), h("small.mw-faint", null, t("deposit.rule"))));
  return list;
}

// ------------------------------------------------------------ the monthly report
const SLA = ["percent", "agreed_percent", "met", "probes", "resolve_rtt_ms", "register_rtt_ms", "peak_qps", "activation_delay_h", "activated"];

function reportPanel(asked) {
  const now = new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 7);
  const month = h("input.mw-input", { type: "month", value: asked ?? now, max: now, "aria-label": t("report.month"), style: "width:170px", onchange: () => load() });
  const body = h("div");
  const links = h("div.mw-row");
  const element = panel(t("report.title"), body);
  element.head.append(month, links);
  return { element, load };

  async function load() {
    fill(body, skeleton(6));
    const wanted = month.value || now;
    try {
      const made = await api(`/secondlevel/report?month=${encodeURIComponent(wanted)}`);
      const printed = `/api/secondlevel/report?month=${encodeURIComponent(wanted)}&form=html&lang=${lang}`;
      fill(links, h("a.mw-btn.mw-btn-small", { href: printed, target: "_blank", rel: "noopener" }, icon("document"), t("report.print")),
        h("a.mw-btn.mw-btn-small", { href: printed, download: `${made.node}-${made.month}.html` }, icon("download"), t("report.download")));
      fill(body, groups(made));
    } catch (error) {
      fill(body, h("div.mw-pad", null, problem(error, load)));
    }
  }
}

function groups(made) {
  const value = (key, one) => (one === null || one === undefined ? h("span.mw-faint", null, t("report.null")) : key === "met" ? state(one ? "good" : "bad", one ? t("yes") : t("no")) : typeof one === "number" ? plain(one, Number.isInteger(one) ? 0 : 2) : one);
  const nodes = made.operating_time.toSorted((a, b) => (b.node === made.node) - (a.node === made.node) || b.down_hours - a.down_hours);
  return h("div.mw-report", null,
    h("p.mw-dim", null, t("report.made", { at: moment(Date.parse(made.made_at)), due: made.due, node: made.node })),
    h("section", null, h("h3", null, t("report.operating")), nodes.length ? h("div.mw-table-wrap.mw-report-nodes", null, h("table.mw-table", null, h("thead", null, h("tr", null, h("th", null, t("report.node")), h("th.num", null, t("report.hours")), h("th.num", null, t("report.unmeasured")), h("th.num", null, t("report.down")), h("th.num", null, t("report.up")))),
      h("tbody", null, nodes.map((one) => h("tr", null, h("td.mw-mono", null, one.node), h("td.num", null, plain(one.hours, 1)), h("td.num", null, plain(one.unmeasured_hours, 2)), h("td.num", { style: one.down_hours ? "color:var(--bad)" : "" }, plain(one.down_hours, 2)), h("td.num", null, one.up_percent === null ? t("report.null") : `${plain(one.up_percent, one.up_percent < 100 ? 3 : 0)} %`)))))) : h("p.mw-dim", null, t("report.none"))),
    h("section", null, h("h3", null, t("report.sla")), h("dl.mw-pairs", null, SLA.map((key) => [h("dt", null, t("sla." + key)), h("dd", null, value(key, made.sla[key]))]))),
    h("section", null, h("h3", null, t("report.maintenance")), eventList(made.maintenance)),
    h("section", null, h("h3", null, t("report.emergencies")), eventList(made.emergencies)));
}

function eventList(rows) {
  if (!rows.length) return h("p.mw-dim", null, t("report.none"));
  return h("ul.mw-lines", null, rows.map((one) => h("li", null, h("div.mw-two", null, h("span", null, one[lang]), h("small", null, `${one.node} · ${t("eventkind." + one.kind)} · ${t("eventcause." + one.cause)}`)),
    h("small.mw-faint", null, moment(Date.parse(one.began)), one.ended ? ` – ${moment(Date.parse(one.ended))}` : ` – ${t("event.open")}`))));
}

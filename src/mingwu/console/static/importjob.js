// One import at work or ended: progress, counts, rows by outcome, what to do next.

import { button, empty, fill, h, icon, iconButton, panel, problem, role, skeleton, state, t, nameHref } from "mingwu-console/dom.js";
import { figure, meter } from "mingwu-console/figures.js";
import { age, count, moment, plain } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const MARKS = { waiting: "idle", running: "connecting", done: "good", cancelled: "stopped", failed: "bad", interrupted: "uncertain" };
const OUTCOMES = ["refused", "registered", "changed", "unchanged", "skipped", "duplicate"];
const PAGE = 50;
const EVERY_MS = 500;
const mayImport = ["engineer", "admin"].includes(role);

export const jobState = (job) => state(MARKS[job.state], t("importstate." + job.state));
const isAlive = (job) => job.state === "waiting" || job.state === "running";
const counted = (job, outcome) => job.report[outcome === "duplicate" ? "duplicates" : outcome];
const wording = (job, outcome) => (job.dry && ["registered", "changed"].includes(outcome) ? t("outcomewould." + outcome) : t("outcome." + outcome));

/** `go(want)` leads to another step, `mark(step)` says at which this is. */
export function jobView(number, { about, go, mark }) {
  let timer = 0;
  let gone = false;
  let last = null;
  const top = h("section.mw-panel", { dataset: { part: "job" } }, skeleton(4));
  const rows = mayImport ? rowList(number, about) : null;
  const facts = h("div");
  const element = h("div.mw-stack", null, top, rows?.element, facts);
  return { element, ready: look(), destroy: () => { gone = true; clearTimeout(timer); } };

  async function look() {
    let job;
    try {
      job = await api("/identity/imports/" + number);
    } catch (error) {
      if (!gone && error.status === 0) timer = setTimeout(look, 2 * EVERY_MS); // the node starts again
      if (!last) fill(top, problem(error, look));
      return;
    }
    if (gone) return;
    mark(job.dry ? "dry" : isAlive(job) ? "run" : "result");
    draw(job);
    await rows?.take(job);
    if (!last || isAlive(last) !== isAlive(job)) fill(facts, aboutJob(job));
    last = job;
    if (isAlive(job)) timer = setTimeout(look, EVERY_MS);
  }

  function draw(job) {
    const { report } = job;
    const focused = top.contains(document.activeElement) ? document.activeElement.dataset.act : "";
    const rate = report.seconds ? report.rows / report.seconds : 0;
    const share = job.state === "done" ? 1 : job.total ? Math.min(1, report.rows / job.total) : 0;
    const told = [job.state === "done" || !job.total ? t("import.done.rows", { rows: count(report.rows) }) : t("import.done.of", { rows: count(report.rows), total: count(job.total) }),
      rate ? t("import.rate", { n: count(rate) }) : "",
      isAlive(job) && rate && (job.total - report.rows) / rate >= 2 ? t("import.left", { age: age((job.total - report.rows) / rate) }) : "",
      !isAlive(job) && report.seconds ? t("import.took", { s: plain(report.seconds, 1) }) : ""].filter(Boolean).join(" · ");
    const bar = meter(share, { s: job.state === "failed" ? "bad" : ["cancelled", "interrupted"].includes(job.state) ? "warn" : "" });
    for (const [key, value] of Object.entries({ role: "progressbar", "aria-label": t("import.progress"), "aria-valuenow": Math.round(100 * share), "aria-valuemin": 0, "aria-valuemax": 100 })) bar.setAttribute(key, value);
    fill(top, h("header", null, h("h2", null, `${job.dry ? t("importstep.dry") : t("importstep.run")} · ${job.file || job.source}`), jobState(job)),
      h("div.mw-import-progress", null, bar, h("p.mw-dim", { "aria-live": "polite" }, told), note(job)),
      h("div.mw-kpis.mw-import-counts", null, OUTCOMES.filter((one) => one !== "refused").concat("refused").map((one) => figure(wording(job, one), count(counted(job, one)), "", { key: one, s: one === "refused" && counted(job, one) ? "bad" : "" }))),
      deeds(job));
    if (focused) top.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  function note(job) {
    if (job.fault) return problem({ message: job.fault.message, next: job.fault.next });
    if (job.stopping) return h("p.mw-dim", null, t("import.stopping"));
    const words = job.state === "done" ? (job.dry ? t("importnote.dry") : "") : job.state === "running" ? "" : t("importnote." + job.state);
    return words ? h("p.mw-dim", null, words) : null;
  }

  function deeds(job) {
    const does = [];
    const act = (name, element) => { element.dataset.act = name; does.push(element); };
    const call = (path, body, after) => async (event) => {
      event.currentTarget.disabled = true;
      try {
        await after(await api(`/identity/imports/${number}/${path}`, { method: "POST", body }));
      } catch (error) {
        top.append(h("div.mw-pad", null, problem(error)));
      }
    };
    const open = ({ id }) => go({ job: id });
    if (mayImport && isAlive(job) && !job.stopping) act("cancel", button(t("import.cancel"), call("cancel", {}, () => look()), "mw-btn-warn", "stopped"));
    if (!isAlive(job)) {
      const names = job.report.registered + job.report.changed;
      if (mayImport && job.dry && job.state === "done") {
        const run = button(names ? t("import.go", { n: count(names) }) : t("import.go.none"), call("again", { dry: false }, open), "mw-btn-main", "register");
        run.disabled = !names;
        act("run", run);
      } else if (mayImport && job.state !== "done") {
        act("again", button(t("import.again"), call("again", {}, open), "mw-btn-main", "connecting"));
      } else if (!job.dry) {
        act("open", h("a.mw-btn.mw-btn-main", { href: "/names?" + new URLSearchParams({ prefix: job.mapping.prefix, sort: "changed_at_ms" }) }, icon("register"), t("import.open")));
      }
      if (mayImport) act("remap", button(t("import.remap"), () => remap(job), "", "setup"));
      if (mayImport && job.report.refused) act("faults", h("a.mw-btn", { href: `/api/identity/imports/${number}/rows.csv`, download: `import-${number}.csv` }, icon("download"), t("import.download")));
      act("another", button(t("import.another"), () => go({})));
    }
    return h("div.mw-row.mw-actions", null, does);
  }

  /** Back to the mapping this import was made with. */
  async function remap(job) {
    const { templates } = await api("/identity/templates?limit=500");
    const template = templates.find((one) => one.definition.version === job.mapping.version && one.definition.prefix === job.mapping.prefix);
    const { sheet, head } = job.mapping;
    const want = { upload: job.upload, source: job.source, template: template?.number ?? "", sheet, head, mapping: job.mapping.name };
    return go(Object.fromEntries(Object.entries(want).filter(([, value]) => value !== "")));
  }
}

function aboutJob(job) {
  const rows = [[t("import.kind"), job.dry ? t("import.kind.dry") : t("import.kind.real")], [t("import.by"), job.by], [t("import.when"), moment(job.created_at_ms)],
    [t("name.template"), `${job.mapping.prefix} ${job.mapping.version}`], [t("import.mapping.name"), `${job.mapping.name} · ${t("existing." + job.mapping.existing)}`],
    [t("names.identifier"), job.mapping.identifier], ["SHA-256", job.sha256]];
  return panel(t("import.facts"), h("dl.mw-facts.mw-import-facts", null, rows.filter(([, value]) => value).map(([label, value]) => [h("dt", null, label), h("dd", null, value)])));
}

/** The rows of a job by outcome, in pages; refused ones first. */
function rowList(number, about) {
  let outcome = "refused";
  let offset = 0;
  let job = null;
  let drawn = "";
  const tabs = h("div.mw-seg", { role: "group", "aria-label": t("import.rows.of") });
  const body = h("div");
  const foot = h("div.mw-foot");
  const element = h("section.mw-panel", { dataset: { part: "rows" } }, h("div.mw-filter.mw-filter-bars", null, tabs), body, foot);
  return { element, take };

  async function take(now) {
    job = now;
    fill(tabs, OUTCOMES.filter((one) => one === outcome || one === "refused" || counted(job, one)).map((one) => h("button.mw-btn", { type: "button", "aria-pressed": String(one === outcome), dataset: { value: one },
      onclick: () => { outcome = one; offset = 0; return take(job); } }, wording(job, one), " ", h("span.mw-faint", null, count(counted(job, one))))));
    const key = `${outcome} ${offset} ${counted(job, outcome)} ${job.state}`;
    if (key === drawn) return;
    drawn = key;
    try {
      draw(await api(`/identity/imports/${number}/rows?outcome=${outcome}&offset=${offset}&limit=${PAGE}`));
    } catch (error) {
      fill(body, problem(error, () => { drawn = ""; return take(job); }));
    }
  }

  function draw(reply) {
    const total = counted(job, outcome);
    fill(body, reply.rows.length ? table(reply.rows) : nothing(total));
    const last = offset + reply.rows.length;
    const back = iconButton("left", t("tags.prev"), () => { offset = Math.max(0, offset - PAGE); return take(job); });
    const next = iconButton("right", t("tags.next"), () => { offset += PAGE; return take(job); });
    back.disabled = offset === 0;
    next.disabled = last >= reply.total;
    foot.hidden = !reply.rows.length;
    fill(foot, h("span.mw-grow", null, total > reply.total ? t("import.rows.some", { n: count(reply.total), total: count(total) }) : ""),
      h("span", null, t("tags.page", { from: count(offset + 1), to: count(last), total: count(reply.total) })), back, next);
  }

  function nothing(total) {
    if (total && !isAlive(job)) return empty("absent", t("import.rows.gone"), t("import.rows.gone.why", { days: count(about.days) }));
    return isAlive(job) ? empty("connecting", t("import.rows.later"), t("import.rows.later.why")) : empty("good", t("import.rows.none"), t("import.rows.none.why"));
  }

  function table(found) {
    const isRefused = outcome === "refused";
    const why = isRefused ? t("import.reason") : ["changed", "skipped"].includes(outcome) ? t("import.change") : "";
    return h("div.mw-table-wrap", null, h("table.mw-table.mw-import-rows", null,
      h("thead", null, h("tr", null, h("th.num", { scope: "col" }, t("import.row")), h("th", { scope: "col" }, t("names.identifier")), why ? h("th", { scope: "col" }, why) : null)),
      h("tbody", null, found.map((row) => h("tr", { dataset: { row: row.row } }, h("td.num.mw-faint", { dataset: { label: t("import.row") } }, String(row.row)),
        h("td.mw-mono.mw-break", null, isRefused || job.dry ? row.name || "—" : h("a", { href: nameHref(row.name) }, row.name)), why ? h("td", null, isRefused ? row.faults.map(fault) : changes(row.changes ?? {})) : null)))));
  }
}

const fault = (one) => h("div.mw-import-fault", { dataset: { code: one.code } }, h("span", null, one.message, one.value ? [" ", h("code.mw-import-given", null, one.value)] : null), h("small.mw-faint", null, one.next));

const changes = (all) => h("dl.mw-diff", null, Object.entries(all).map(([type, [before, after]]) => [h("dt", null, type), h("dd", null, before ? h("del", null, before) : null, before && after ? " → " : null, after ? h("ins", null, after) : null)]));

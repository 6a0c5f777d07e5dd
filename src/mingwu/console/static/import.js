// Importing names, step by step: a table, template and mapping, dry run, import, result. The step stands in the address.

import { button, empty, fill, h, icon, problem, role, skeleton, state, t } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { ago } from "mingwu-console/figures.js";
import { bytes, count, moment } from "mingwu-console/format.js";
import { jobState, jobView } from "mingwu-console/importjob.js";
import { mappingView } from "mingwu-console/importmapping.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const AT = "/names/import";
const STEPS = ["choose", "map", "dry", "run", "result"];
const mayImport = ["engineer", "admin"].includes(role);

export async function mount(root, { query }) {
  const steps = h("ol.mw-import-steps", { "aria-label": t("import.steps") });
  const stage = h("div.mw-stack");
  const title = h("h1", { tabindex: -1 }, t("import.title"), " ", pageBadge());
  const head = h("div.mw-head", null, h("div.mw-grow", null, title, h("p", null, t("import.lead"))));
  let about;
  let end = () => {};
  let turn = 0;
  fill(root, head, steps, stage);
  fill(stage, h("section.mw-panel", null, skeleton(6)));
  try {
    about = await api("/identity/imports/about");
  } catch (error) {
    fill(root, head, trouble(error, "enterprise", () => location.reload()));
    return {};
  }
  const onpop = () => show(Object.fromEntries(new URLSearchParams(location.search)));
  addEventListener("popstate", onpop);
  await show(query);
  return { destroy: () => { end(); removeEventListener("popstate", onpop); } };

  /** Go to a step: what it is about stands in the address, so that Back and reload lead here again. */
  function go(want) {
    const search = new URLSearchParams(want);
    history.pushState(null, "", AT + (String(search) ? "?" + search : ""));
    title.focus({ preventScroll: true });
    scrollTo(0, 0);
    return show(want);
  }

  async function show(want) {
    const mine = ++turn;
    end();
    end = () => {};
    if (want.job) {
      const view = jobView(Number(want.job), { about, go, mark });
      end = view.destroy;
      fill(stage, view.element);
      await view.ready;
    } else if (mayImport && (want.upload || want.source)) {
      mark("map");
      fill(stage, h("section.mw-panel", null, skeleton(8)));
      const element = await mappingView(want, { go }).catch((error) => h("div", null, problem(error, () => show(want)), h("div.mw-row.mw-pad", null, button(t("import.back"), () => go({})))));
      if (mine === turn) fill(stage, element);
    } else {
      mark("choose");
      choose();
    }
  }

  function mark(now) {
    const at = STEPS.indexOf(now);
    fill(steps, STEPS.map((name, i) => h("li", { "aria-current": i === at ? "step" : null, dataset: { s: i < at ? "past" : i === at ? "now" : "later" } },
      h("b", { "aria-hidden": "true" }, String(i + 1)), h("span", null, t("importstep." + name)))));
  }

  function choose() {
    const list = historyList();
    fill(stage, mayImport ? h("div.mw-import-begin", null, filePanel(), sourcePanel()) : h("section.mw-panel", null, empty("lock", t("import.viewer"), t("import.viewer.why"))), list.element);
    list.reload();
  }

  function filePanel() {
    const said = h("div", { "aria-live": "polite" });
    const file = h("input.mw-sr", { type: "file", id: "import-file", accept: ".csv,.tsv,.txt,.xlsx", onchange: () => file.files[0] && send(file.files[0]) });
    const area = h("label.mw-drop", { for: "import-file", ondragover: (event) => { event.preventDefault(); area.dataset.over = ""; },
      ondragleave: () => delete area.dataset.over, ondrop: (event) => {
        event.preventDefault();
        delete area.dataset.over;
        if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
      } }, icon("document"), h("b", null, t("import.drop")), h("small", null, t("import.drop.hint", { size: bytes(about.upload_bytes), rows: count(about.rows) })));
    return h("section.mw-panel", null, h("header", null, h("h2", null, t("import.file"))), h("div.mw-pad", null, file, area, said));

    async function send(chosen) {
      if (chosen.size > about.upload_bytes) {
        fill(said, problem({ message: t("import.toolarge", { size: bytes(about.upload_bytes) }), next: t("import.toolarge.next") }));
        return;
      }
      fill(said, state("connecting", t("import.sending", { name: chosen.name })));
      try {
        const upload = await api("/identity/imports/uploads?name=" + encodeURIComponent(chosen.name), { method: "POST", body: chosen });
        await go({ upload: upload.id });
      } catch (error) {
        fill(said, problem(error));
        file.value = "";
      }
    }
  }

  function sourcePanel() {
    const body = about.sources.length
      ? h("ul.mw-lines.mw-pad", null, about.sources.map((name) => h("li", null, h("span.mw-mono", null, name), button(t("import.look.do"), () => go({ source: name }), "mw-btn-small", "right"))))
      : empty("off", t("import.database.none"), t("import.database.none.why"));
    return h("section.mw-panel", null, h("header", null, h("h2", null, t("import.database"))), body);
  }

  function historyList() {
    const view = paged({
      at: AT, part: "enterprise", size: 10,
      load: async (want) => {
        const reply = await api(`/identity/imports?offset=${want.get("offset") ?? 0}&limit=10`);
        return { ...reply, rows: reply.imports };
      },
      columns: [
        { label: t("import.what"), cls: ".mw-lead.mw-wide-col", cell: (job) => h("a.mw-break", { href: `${AT}?job=${job.id}`, onclick: (event) => { event.preventDefault(); go({ job: job.id }); } }, job.file || job.source) },
        { label: t("import.kind"), cell: (job) => (job.dry ? t("import.kind.dry") : t("import.kind.real")) },
        { label: t("names.state"), cell: (job) => jobState(job) },
        { label: t("import.rows"), cls: ".num", cell: (job) => count(job.report.rows) },
        { label: t("outcome.registered"), cls: ".num.mw-hide", cell: (job) => count(job.report.registered) },
        { label: t("outcome.changed"), cls: ".num.mw-hide", cell: (job) => count(job.report.changed) },
        { label: t("outcome.refused"), cls: ".num", cell: (job) => count(job.report.refused) },
        { label: t("import.by"), cls: ".mw-hide", cell: (job) => job.by },
        { label: t("import.when"), cls: ".num.mw-nowrap", cell: (job) => h("span.mw-dim", { title: moment(job.created_at_ms) }, ago(job.created_at_ms)) },
      ],
      none: () => ["review", t("import.history.none"), t("import.history.none.why")],
    });
    view.element.prepend(h("header", null, h("h2", null, t("import.history"))));
    return view;
  }
}

// The filing queue: names that wait to be reported to the node above, decided one by one, some together, or all that match.

import { button, doer, empty, fill, h, named, problem, role, skeleton, t, toast } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { ago } from "mingwu-console/figures.js";
import { filingDetail } from "mingwu-console/filingdetail.js";
import { decide } from "mingwu-console/filingdecide.js";
import { count, moment } from "mingwu-console/format.js";
import { lifeState } from "mingwu-console/name.js";
import { api } from "mingwu-console/net.js";
import { paged } from "mingwu-console/paged.js";

const PAGE = 50;
const AGES = ["24", "168", "720"];
const STATES = ["registered", "changed", "returned"];
const mayDecide = ["engineer", "admin"].includes(role);
const queue = "/identity/filing";

export async function mount(root, { query }) {
  let templates;
  let first;
  try {
    [{ templates }, first] = await Promise.all([api("/identity/templates?limit=1000"), api(queue + "/counts")]);
  } catch (error) {
    fill(root, head(), trouble(error, "enterprise", () => location.reload()));
    return {};
  }
  const words = new Map(templates.map((one) => [String(one.number), named(one.definition) || one.definition.version]));
  const side = h("div.mw-detail");
  const picked = new Map(); // name -> the version that was looked at
  const cursors = { of: "", at: new Map() }; // where the page at an offset begins, for one set of filters
  let isAll = false;
  let seen = { names: [], total: 0, upto: 0 };
  const list = table();
  const bar = mayDecide ? bulkBar() : null;
  if (bar) list.element.querySelector(".mw-filter").after(bar.element);
  const columns = h("div.mw-split.mw-queue", null, list.element, side);
  fill(root, head(), columns);
  idle();
  await list.reload();
  if (query.id) await show(query.id);
  return { destroy: () => document.querySelector("dialog.mw-dialog")?.close() };

  function table() {
    const lead = { label: t("name.title"), cls: ".mw-lead.mw-wide-col", cell: (row) => h("button.mw-row-link", { type: "button", onclick: () => show(row.name) },
      h("span.mw-two", null, h("span.mw-mono.mw-break", null, row.name), h("small", null, `${words.get(String(row.template)) ?? row.template} · ${doer(row.owner)}`))) };
    return paged({
      at: "/names/filing", query: { ...query, offset: "" }, part: "enterprise", size: PAGE, search: t("names.search"), sorted: ["sequence", "asc"],
      load, key: (row) => row.name, onload: () => bar?.refresh(),
      selects: [
        { key: "template", label: t("name.template"), options: [["", t("names.alltemplates")], ...words] },
        { key: "kind", label: t("name.kind"), options: [["", t("filing.allkinds")], ...Object.keys(first.kind).map((one) => [one, t("kind." + one)])] },
        { key: "owner", label: t("name.account"), options: [["", t("filing.everybody")], ...Object.keys(first.owner).map((one) => [one, doer(one)])] },
        ...(Object.keys(first.prefix).length > 1 ? [{ key: "prefix", label: t("names.prefix"), options: [["", t("names.allprefixes")], ...Object.keys(first.prefix).map((one) => [one, one])] }] : []),
        { key: "age", label: t("filing.since"), options: [["", t("filing.anyage")], ...AGES.map((hours) => [hours, t("filing.age", { n: Number(hours) / 24 })])] },
      ],
      choices: [{ key: "state", label: t("names.state"), initial: "", options: ({ states }) => [["", t("filing.waiting"), (states.registered ?? 0) + (states.changed ?? 0)],
        ...STATES.map((one) => [one, t("queue." + one), states[one] ?? 0])] }],
      columns: [
        ...(mayDecide ? [{ label: "", cls: ".mw-pick-col", cell: pickBox }] : []), lead,
        { label: t("name.kind"), cls: ".mw-hide", cell: (row) => t("kind." + row.kind) },
        { label: t("names.state"), cell: (row) => lifeState(row.state) },
        { label: t("filing.since"), sort: "sequence", cls: ".num.mw-nowrap", cell: (row) => h("span.mw-dim", { title: moment(row.changed_at_ms) }, ago(row.changed_at_ms)) },
      ],
      none: (want) => ["q", "template", "kind", "owner", "prefix", "age"].some((key) => want[key]) ? ["search", t("names.nomatch"), t("filing.nomatch.why")]
        : want.state === "returned" ? ["good", t("filing.nonereturned"), t("filing.nonereturned.why")] : ["good", t("filing.empty"), t("filing.empty.why")],
    });
  }

  /** A page of the queue; pages follow a cursor, so that none is missed while others work. */
  async function load(want) {
    const wanted = filters(want);
    const of = JSON.stringify([wanted, want.get("order")]);
    if (of !== cursors.of) {
      Object.assign(cursors, { of, at: new Map() });
      forget();
    }
    const offset = Number(want.get("offset")) || 0;
    const after = cursors.at.get(offset) ?? 0;
    if (!after) list.want.offset = 0;
    const asked = new URLSearchParams({ ...wanted, after, limit: PAGE, newest: want.get("order") === "desc" });
    const reply = await api(`${queue}?${asked}`);
    seen = reply;
    cursors.at.set(list.want.offset + PAGE, reply.next);
    return { ...reply, rows: reply.names };
  }

  function filters(want) {
    const names = { q: "text", template: "template", kind: "kind", owner: "owner", prefix: "prefix", age: "age_h", state: "state" };
    return Object.fromEntries(Object.entries(names).filter(([key]) => want.get(key)).map(([key, name]) => [name, want.get(key)]));
  }

  // -- choosing several
  function pickBox(row) {
    return h("label.mw-ticker", null, h("input.mw-tick", { type: "checkbox", checked: isAll || picked.has(row.name), "aria-label": t("filing.choose", { name: row.name }), onchange: (event) => {
      if (event.target.checked) picked.set(row.name, row.version);
      else picked.delete(row.name);
      bar.refresh();
    } }));
  }

  function forget() {
    picked.clear();
    isAll = false;
  }

  function bulkBar() {
    const whole = h("input.mw-tick", { type: "checkbox", id: "pick-page", onchange: () => {
      for (const row of seen.names) whole.checked ? picked.set(row.name, row.version) : picked.delete(row.name);
      isAll = false;
      refresh();
    } });
    const said = h("span", { role: "status" });
    const every = button("", () => { isAll = true; refresh(); }, "mw-btn-bare mw-btn-small");
    const clear = button(t("filing.clear"), () => { forget(); refresh(); }, "mw-btn-bare mw-btn-small");
    const file = button(t("act.file"), () => several("file"), "mw-btn-main mw-btn-small", "filing");
    const back = button(t("act.return"), () => several("return"), "mw-btn-small", "left");
    const element = h("div.mw-bulk", { role: "group", "aria-label": t("filing.bulk") }, h("label.mw-bulk-all", { for: "pick-page" }, whole, said), every, clear, h("span.mw-grow"), back, file);
    return { element, refresh };

    function refresh() {
      const n = isAll ? seen.total : picked.size;
      const here = seen.names.filter((row) => picked.has(row.name)).length;
      whole.checked = isAll || (here > 0 && here === seen.names.length);
      whole.indeterminate = !isAll && here > 0 && here < seen.names.length;
      whole.disabled = !seen.names.length;
      said.textContent = n ? t("filing.chosen", { n: count(n) }) : t("filing.choosepage");
      every.textContent = t("filing.chooseall", { n: count(seen.total) });
      every.hidden = isAll || !whole.checked || seen.total <= picked.size;
      clear.hidden = !n;
      file.disabled = !n;
      back.hidden = list.want.state === "returned";
      back.disabled = !n;
      element.toggleAttribute("data-on", n > 0);
      for (const row of list.element.querySelectorAll("tbody tr")) {
        const box = row.querySelector(".mw-tick");
        box.checked = isAll || picked.has(row.dataset.key);
        box.disabled = isAll;
      }
    }
  }

  async function several(what) {
    const items = [...picked].map(([name, version]) => ({ name, version }));
    const matching = filters(new Map(Object.entries(list.want)));
    const said = await decide(what, isAll ? { matching, upto: seen.upto, total: seen.total, step: seen.step } : { items, total: items.length, step: seen.step });
    if (said) await afterwards(said);
  }

  async function afterwards(said, then = "") {
    toast(said);
    forget();
    cursors.of = "";
    await list.change({ q: list.want.q });
    if (then) await show(then);
    else idle();
  }

  // -- one name beside the list
  function idle() {
    columns.removeAttribute("data-open");
    list.mark("");
    fill(side, h("section.mw-panel", null, empty("filing", t("filing.pick"), t("filing.pick.why"))));
  }

  function opened(element, name) {
    columns.setAttribute("data-open", "");
    list.mark(name);
    fill(side, element);
    side.querySelector("h2")?.focus({ preventScroll: false });
  }

  async function show(name) {
    opened(h("section.mw-panel", null, skeleton(8)), name);
    try {
      opened(await filingDetail(name, { back: idle, mayDecide, decided: (said) => afterwards(said, following(name)) }), name);
    } catch (error) {
      opened(problem(error, () => show(name)), name);
    }
  }

  /** The name after this one in the list: what to look at next. */
  function following(name) {
    const at = seen.names.findIndex((row) => row.name === name);
    return (seen.names[at + 1] ?? seen.names[at - 1])?.name ?? "";
  }
}

function head() {
  return h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("nav.filing"), " ", pageBadge()), h("p", null, t("filing.lead"))));
}

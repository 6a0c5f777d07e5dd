// Edge gateways: what each reads and reports, its devices, its buffer, its log — live, once a second.

import { empty, fill, h, icon, lang, panel, problem, setState, simBadge, skeleton, state, t, thingHref } from "mingwu-console/dom.js";
import { age, bytes, clock, count, plain } from "mingwu-console/format.js";
import { api, live, watchDocument } from "mingwu-console/net.js";

const words = (fault) => (fault ? fault[lang] || fault.en : "");
const steps = (fault) => (fault ? fault["next_" + lang] || fault.next_en : "");

export async function mount(root) {
  const ends = [];
  const lead = h("p", null, " ");
  const list = h("div.mw-stack");
  const boxes = new Map();
  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("gateways.title")), lead)), list);
  fill(list, skeleton(8));
  try {
    draw((await api("/gateways")).parts);
  } catch (error) {
    fill(list, problem(error, () => location.reload()));
    return { destroy() {} };
  }
  // The list of parts tells of gateways that come and go; each gateway tells of itself.
  ends.push(watchDocument("status", async (rows) => {
    const gateways = (rows ?? []).filter((row) => row.role === "gateway");
    if (gateways.some((row) => !boxes.has(row.name))) draw((await api("/gateways")).parts);
    for (const row of gateways) boxes.get(row.name)?.lost(row.lost, row.age_s);
  }));
  return { destroy: () => ends.forEach((end) => end()) };

  function draw(parts) {
    if (!parts.length) {
      fill(list, h("section.mw-panel", null, empty("gateway", t("gateways.empty"), t("gateways.empty.why"))));
      return;
    }
    if (!boxes.size) fill(list);
    for (const part of parts) {
      if (boxes.has(part.name)) continue;
      const box = gateway(part);
      boxes.set(part.name, box);
      list.append(box.element);
      ends.push(watchDocument("gateway." + part.name, (document) => document && box.set(document)));
    }
    lead.textContent = t("gateways.lead", { n: boxes.size });
  }
}

function figure(label) {
  const value = h("b", null, "—");
  const sub = h("small", null, " ");
  return { element: h("div.mw-kpi", null, h("span", null, label), value, sub), value, sub };
}

function gateway(part) {
  const mark = state(part.lost ? "lost" : "online");
  const sub = h("small.mw-faint");
  const sim = simBadge();
  const devices = figure(t("gateways.devices"));
  const read = figure(t("gateways.read"));
  const reported = figure(t("gateways.reported"));
  const buffer = figure(t("gateways.buffer"));
  const dropped = figure(t("gateways.dropped"));
  const depth = h("div.mw-depth", null, h("i"));
  buffer.element.append(depth);
  dropped.sub.textContent = t("gateways.dropped.sub");
  const trouble = h("div");
  const body = h("tbody");
  const log = h("ol.mw-log", { tabindex: "0", "aria-label": t("gateways.log") });
  const rows = new Map();
  let lines = "";

  const main = panel(part.name, h("div.mw-gw-stats", null, [devices, read, reported, buffer, dropped].map((one) => one.element)), trouble,
    h("div.mw-table-wrap", null, h("table.mw-table.mw-fold", null, h("thead", null, h("tr", null,
      h("th.mw-wide-col", null, t("gateways.device")), h("th.mw-fit", null, t("gateways.state")), h("th.num.mw-fit", null, t("gateways.tags")), h("th.num.mw-fit", null, t("gateways.read")),
      h("th.num.mw-fit", null, t("gateways.reported")), h("th.num.mw-fit", null, t("gateways.latency")), h("th.num.mw-fit", null, t("gateways.overruns")), h("th.mw-wide-col", { style: "padding-left:32px" }, t("gateways.error")))), body)));
  main.head.append(sim, mark, sub);
  const element = h("div.mw-stack", { dataset: { gateway: part.name } }, main, panel(t("gateways.log"), log));
  const box = { element, set, lost };
  set(part.document);
  return box;

  function lost(is, seconds) {
    setState(mark, is ? "lost" : "online", is ? t("gateways.lost", { age: age(seconds) }) : undefined);
  }

  function set(status) {
    const all = status.devices ?? [];
    const online = all.filter((one) => one.state === "online").length;
    sub.textContent = t("gateways.uptime", { age: age(status.uptime_s) });
    sim.hidden = !all.some((one) => one.simulated);
    devices.value.textContent = `${count(online)} / ${count(all.length)}`;
    devices.sub.textContent = t("gateways.online");
    devices.element.dataset.s = online < all.length ? "bad" : "";
    read.value.textContent = count(status.read_per_s);
    read.sub.textContent = `${plain(status.cpu_share * 100, 1)} % CPU · ${bytes(status.rss_mib * 1048576)}`;
    reported.value.textContent = count(status.reported_per_s);
    reported.sub.textContent = status.read_per_s ? `${plain((100 * status.reported_per_s) / status.read_per_s, 0)} %` : " ";
    setBuffer(status.buffer);
    setTrouble(status);
    setDevices(all);
    setLog(status.log ?? []);
  }

  function setBuffer(one) {
    buffer.value.textContent = count(one.batches);
    const full = one.limit_bytes ? one.bytes / one.limit_bytes : 0;
    buffer.sub.textContent = `${bytes(one.bytes)} / ${bytes(one.limit_bytes)} · ${t("buffer." + one.state)}`;
    depth.firstChild.style.width = `${Math.min(100, full * 100).toFixed(1)}%`;
    depth.dataset.s = one.state === "ok" ? "" : one.state === "holding" ? "warn" : "bad";
    const gone = one.thinned_points + one.dropped_points;
    dropped.value.textContent = count(gone);
    dropped.element.dataset.s = gone ? "bad" : "";
  }

  function setTrouble(status) {
    const fault = status.buffer.error && !status.buffer.error.over ? status.buffer.error : null;
    fill(trouble, fault ? h("div.mw-pad", null, problem({ message: words(fault), next: steps(fault) })) : null);
  }

  function setDevices(all) {
    for (const one of all) {
      if (!rows.has(one.name)) {
        const row = deviceRow(one);
        rows.set(one.name, row);
        body.append(row.element);
      }
      rows.get(one.name).set(one);
    }
    for (const [name, row] of rows) if (!all.some((one) => one.name === name)) { row.element.remove(); rows.delete(name); }
  }

  function setLog(all) {
    const last = all.length ? `${all.length} ${all.at(-1).time_ns}` : "none";
    if (last === lines) return;
    lines = last;
    fill(log, all.length ? all.toReversed().map((line) => h("li", { dataset: { level: line.level.toLowerCase() } },
      h("time", null, clock(line.time_ns / 1e6)), h("span", null, line.text))) : h("li.mw-dim", { style: "font-family:var(--sans)" }, t("gateways.log.empty")));
  }
}

function deviceRow(one) {
  const mark = state("connecting");
  const cells = Array.from({ length: 5 }, (_, i) => h("td.num.mw-fit" + (i === 1 ? "" : ".mw-hide")));
  const error = h("td.mw-hide", { style: "padding-left:32px;overflow-wrap:anywhere" });
  const element = h("tr", { dataset: { device: one.name } },
    h("td.mw-lead", null, h("div.mw-two", null, h("a", { href: thingHref(one.thing) }, one.name), h("small.mw-mono", null, `${one.driver} · ${one.line}`))),
    h("td.mw-fit", null, h("span.mw-row.mw-nowrap", { style: "flex-wrap:nowrap" }, mark, one.simulated ? h("span", { style: "color:var(--sim)" }, icon("simulated", t("simulated"))) : null)), cells, error);
  let said = null;
  return {
    element,
    set(status) {
      setState(mark, status.state, status.state === "lost" && status.retry_in_s ? `${t("dev.lost")} · ${age(status.retry_in_s)}` : undefined);
      const texts = [
        status.bad_tags ? `${count(status.bad_tags)} / ${count(status.tags)}` : count(status.tags), count(status.read_per_s), count(status.reported_per_s),
        status.mode === "subscribe" ? "—" : `${plain(status.latency_p50_ms, 1)} / ${plain(status.latency_p99_ms, 1)} ms`, count(status.overruns),
      ];
      texts.forEach((text, i) => { if (cells[i].textContent !== text) cells[i].textContent = text; });
      cells[0].style.color = status.bad_tags ? "var(--bad)" : "";
      const fault = status.error;
      const key = fault ? `${fault.time_ns} ${fault.over}` : "";
      if (key === said) return;
      said = key;
      fill(error, fault ? h("div.mw-two", { title: `${words(fault)}\n${steps(fault)}` }, h("span", { class: fault.over ? "mw-faint mw-one" : "" }, words(fault)),
        h("small", null, `${age((live.now() - fault.time_ns / 1e6) / 1000)} · ${fault.over ? t("gateways.over") : steps(fault)}`)) : null);
    },
  };
}

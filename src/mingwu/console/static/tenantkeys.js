// Keys by which an enterprise's own programs work at the second-level node. A key's secret is shown once.

import { button, fill, h, problem, skeleton, t, toast } from "mingwu-console/dom.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { ago } from "mingwu-console/figures.js";
import { count } from "mingwu-console/format.js";
import { showSecret } from "mingwu-console/granted.js";
import { api } from "mingwu-console/net.js";

/** The block of an enterprise's keys in its drawer: list, make, end. */
export function keysOf(uscc) {
  const at = `/secondlevel/tenants/${encodeURIComponent(uscc)}/keys`;
  const slot = h("div");
  load();
  return h("div.mw-detail-block", { dataset: { keys: "" } }, h("h3", null, t("tenantkeys.title")), slot,
    h("div.mw-row", { style: "margin-top:8px" }, button(t("tenantkeys.new"), make, "mw-btn-small", "setup")));

  async function load() {
    fill(slot, skeleton(1));
    try {
      const keys = await api(at);
      fill(slot, keys.length ? h("ul.mw-lines", null, keys.map(line)) : h("p.mw-hint", null, t("tenantkeys.none")));
    } catch (error) {
      fill(slot, problem(error, load));
    }
  }

  function line(key) {
    return h("li", null, h("div.mw-two", null, h("span", null, key.label), h("small", null, h("span.mw-mono", null, key.id), " · ",
      key.used_at_ms ? t("tenantkeys.used", { when: ago(key.used_at_ms), n: count(key.calls) }) : t("tenantkeys.unused"))),
    button(t("tenantkeys.end"), () => end(key), "mw-btn-small"));
  }

  async function make() {
    const label = field(t("tenantkeys.label"), input("", { required: true, maxlength: 100 }), t("tenantkeys.label.hint"));
    const made = await confirmed(t("tenantkeys.new"), [h("p", null, t("tenantkeys.why")), label], t("tenantkeys.new"),
      () => api(at, { method: "POST", body: { label: label.control.value.trim() } }));
    if (!made) return;
    showSecret(`${uscc} · ${made.key.label}`, made.secret);
    load();
  }

  async function end(key) {
    const gone = await confirmed(t("tenantkeys.end"), h("p", null, t("tenantkeys.end.why", { label: key.label })), t("tenantkeys.end"),
      () => api(`${at}/${encodeURIComponent(key.id)}`, { method: "DELETE" }), { grave: true });
    if (gone === undefined) return;
    toast(t("tenantkeys.ended"));
    load();
  }
}

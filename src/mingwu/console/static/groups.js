// Identity groups: their members, and how much was granted to them.

import { button, empty, fill, h, iconButton, named, problem, t, toast } from "mingwu-console/dom.js";
import { confirmed, drawer, field, input } from "mingwu-console/dialog.js";
import { count } from "mingwu-console/format.js";
import { granteeField, simpleTable } from "mingwu-console/granted.js";
import { api } from "mingwu-console/net.js";

const SHOWN = 4;

export async function groupList({ at }) {
  const element = h("section.mw-panel");
  const { grantees } = await api("/identity/access/grantees");
  const spelt = new Map(grantees.map((one) => [one.who.toUpperCase(), one.who]));
  /** Members as they are written; the store keeps them folded. */
  const shown = (who) => spelt.get(who.toUpperCase()) ?? who;
  await load();
  return { element, does: button(t("groups.new"), () => edit(null), "mw-btn-main", "plus") };

  async function load() {
    const { groups } = await api("/identity/groups");
    const columns = [
      { label: t("groups.name"), cls: ".mw-lead", cell: (one) => h("button.mw-row-link", { type: "button", onclick: () => edit(one) },
        h("span.mw-two", null, h("span", null, named(one, "") || one.name), h("small.mw-mono", null, one.name))) },
      { label: t("groups.members"), cell: (one) => h("span", null, one.members.length ? [...one.members.slice(0, SHOWN).map((who) => [h("span.mw-chip", null, shown(who)), " "]),
        one.members.length > SHOWN ? `+${count(one.members.length - SHOWN)}` : null] : h("span.mw-faint", null, t("groups.nobody"))) },
      { label: t("granttab.grants"), cls: ".num", cell: (one) => one.grants ? h("a", { href: `${at}?kind=group&q=${encodeURIComponent("group:" + one.name)}` }, count(one.grants)) : "0" },
    ];
    fill(element, groups.length ? simpleTable(columns, groups) : empty("enterprise", t("groups.empty"), t("groups.empty.why")));
  }

  /** A drawer for a group, or for a new one. */
  async function edit(group) {
    let members = [...(group?.members ?? [])];
    const name = field(t("groups.key"), input(group?.name ?? "", { required: true, maxlength: 64, readonly: Boolean(group) }), t("groups.key.hint"));
    const zh = field(t("groups.zh"), input(group?.zh ?? "", { maxlength: 200 }));
    const en = field(t("groups.en"), input(group?.en ?? "", { maxlength: 200 }));
    const more = await granteeField(t("groups.add"), "", t("groups.add.hint"), ["account", "application"]);
    more.control.required = false;
    more.control.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      add();
    });
    const list = h("ul.mw-lines", { "aria-label": t("groups.members") });
    const said = h("div", { "aria-live": "polite" });
    const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t("save"));
    const form = h("form.mw-registering", { onsubmit: save, novalidate: true }, h("div.mw-fields", null, name, zh, en), list,
      h("div.mw-row.mw-adding", null, more, button(t("groups.add.do"), add, "", "plus")), said,
      h("div.mw-row.mw-end", null, group ? button(t("groups.remove"), () => remove(group), "mw-btn-warn") : null, h("span.mw-grow"), go));
    const box = drawer(group ? named(group, "") || group.name : t("groups.new"), form);
    draw();
    (group ? more : name).control.focus();

    function draw() {
      fill(list, members.length ? members.map((who) => h("li", null, h("span.mw-mono.mw-break", null, shown(who)),
        iconButton("close", t("groups.take", { who }), () => { members = members.filter((one) => one !== who); draw(); }))) : h("li.mw-faint", null, t("groups.nobody")));
    }

    function add() {
      const who = more.control.value.trim();
      if (!who) return;
      if (!members.some((one) => one.toLowerCase() === who.toLowerCase())) members.push(who);
      more.control.value = "";
      draw();
    }

    async function save(event) {
      event.preventDefault();
      add();
      const key = name.control.value.trim();
      name.wrong(key ? "" : t("names.missing"));
      if (!key) return;
      go.disabled = true;
      try {
        await api("/identity/groups", { method: "PUT", body: { name: key, zh: zh.control.value.trim(), en: en.control.value.trim(), members } });
        box.close();
        toast(t("saved"));
        await load();
      } catch (error) {
        fill(said, problem(error));
        go.disabled = false;
      }
    }

    async function remove() {
      const gone = await confirmed(t("groups.remove"), h("p", null, t("groups.remove.why", { n: count(group.grants) })), t("groups.remove"),
        () => api("/identity/groups?name=" + encodeURIComponent(group.name), { method: "DELETE" }), { grave: true });
      if (gone === undefined) return;
      box.close();
      await load();
    }
  }
}

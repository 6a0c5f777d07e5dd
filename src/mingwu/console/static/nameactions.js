// What can be done with a registered name: change, submit, file, deregister. Refusals are said at their field.

import { button, h, t } from "mingwu-console/dom.js";
import { confirmed, field, input } from "mingwu-console/dialog.js";
import { decide } from "mingwu-console/filingdecide.js";
import { api, Problem } from "mingwu-console/net.js";
import { valueForm } from "mingwu-console/valueform.js";

const SYMBOLS = { change: "setup", register: "good", file: "filing", return: "left", deregister: "stopped" };

/** One call for one name; a refusal of the name becomes a Problem with all its `faults`. */
export async function callFor(what, body) {
  const reply = await api("/identity/names/" + what, { method: "POST", body });
  const refused = reply.results.find((one) => !one.ok);
  if (!refused) return reply.results[0];
  const fault = new Problem(refused.message, refused.next, 200, refused.code);
  fault.faults = refused.faults;
  throw fault;
}

/** Buttons for what this person may do; `done(words)` after each. */
export function actionBar(detail, done) {
  const acts = { change: changing, register: submitting, file: filing, return: returning, deregister: removing };
  return h("div.mw-row", { role: "group", "aria-label": t("act.title") }, detail.actions.filter((name) => acts[name]).map((name) => {
    const isAgain = name === "register" && detail.state === "deregistered";
    const act = async () => {
      const said = await acts[name](detail);
      if (said) done(said);
    };
    return button(t(isAgain ? "act.again" : "act." + name), act, name === "deregister" ? "mw-btn-warn" : "", SYMBOLS[name]);
  }));
}

async function changing(detail) {
  const template = await api("/identity/templates/" + detail.template.number);
  const hidden = new Set(detail.values.filter((value) => value.value === null).map((value) => value.type));
  const form = valueForm(template, Object.fromEntries(detail.values.map((value) => [value.type, value.value ?? ""])), { hidden });
  const note = field(t("act.note"), input("", { maxlength: 200 }), t("act.note.hint"), true);
  const before = form.values(true);
  const done = await confirmed(t("act.change.title", { name: detail.name }), [form.element, hidden.size ? h("p.mw-hint", null, t("act.change.hidden", { n: hidden.size })) : null, note], t("act.change.do"), async () => {
    const values = Object.fromEntries(Object.entries(form.values(true)).filter(([type, text]) => text !== before[type]));
    if (!Object.keys(values).length) throw new Problem(t("act.change.same"), t("act.change.same.next"));
    try {
      // only what changed goes, on the version that was read: others' changes are not overwritten
      return await callFor("change", { items: [{ name: detail.name, values, version: detail.version }], merge: true, note: note.control.value.trim() });
    } catch (fault) {
      form.wrong(fault.faults ?? []);
      throw fault;
    }
  });
  return done && t("act.change.done", { version: done.version });
}

async function submitting(detail) {
  const done = await confirmed(t("act.register.title", { name: detail.name }), h("p", null, t("act.register.why")), t("act.register.do"), () => callFor("submit", { names: [detail.name] }));
  return done && t("act.register.done");
}

async function filing(detail) {
  const receipt = field(t("filing.receipt"), input("", { required: true, maxlength: 200 }), t("filing.receipt.hint"));
  const done = await confirmed(t("act.file.title", { name: detail.name }), receipt, t("act.file.do"), () => callFor("file", { names: [detail.name], note: receipt.control.value.trim() }));
  return done && t("act.file.done");
}

async function returning(detail) {
  return decide("return", { items: [{ name: detail.name, version: detail.version }], total: 1 });
}

async function removing(detail) {
  const why = field(t("act.deregister.reason"), input("", { required: true, maxlength: 200 }));
  const done = await confirmed(t("act.deregister.title", { name: detail.name }), [h("p", null, t("act.deregister.why")), why], t("act.deregister"), () => callFor("deregister", { names: [detail.name], note: why.control.value.trim() }), { grave: true });
  return done && t("act.deregister.done");
}

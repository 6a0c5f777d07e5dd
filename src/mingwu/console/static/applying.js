// The form of a prefix application: new, change, exit, or a returned one again.

import { button, fill, h, lang, panel, problem, t } from "mingwu-console/dom.js";
import { field, input, select } from "mingwu-console/dialog.js";
import { api } from "mingwu-console/net.js";

const KINDS = ["apply", "change", "exit"];
const MODES = ["hosted", "own"];

export function applicationForm({ node, from, again, ondone, onclose }) {
  const org = from.organisation ?? {};
  const legal = from.legal_person ?? {};
  const contact = from.contact ?? {};
  const site = from.site ?? {};
  const fixed = Boolean(from.prefix && from.kind && from.kind !== "apply");
  const one = {
    "kind": field(t("appfield.kind"), select(KINDS.map((name) => [name, t("appkind." + name)]), from.kind ?? "apply", { onchange: shape, disabled: fixed })),
    "prefix": field(t("appfield.prefix"), input(from.prefix ?? node.free_prefix, { required: true, pattern: escaped(node.prefix) + "\\.[0-9]{1,12}", class: "mw-input mw-mono", readonly: fixed }), t("applying.prefix", { node: node.prefix })),
    "mode": field(t("appfield.mode"), select(MODES.map((name) => [name, t("mode." + name)]), from.mode ?? "hosted", { onchange: shape }), t("applying.mode")),
    "site.host": field(t("appfield.site.host"), input(site.host, { placeholder: "192.0.2.10" }), t("applying.site")),
    "site.port": field(t("appfield.site.port"), input(site.port ?? 2641, { inputmode: "numeric", pattern: "[0-9]{1,5}" })),
    "organisation.uscc": field(t("appfield.organisation.uscc"), input(org.uscc, { required: true, minlength: "18", maxlength: "18", class: "mw-input mw-mono", autocapitalize: "characters" }), t("applying.uscc")),
    "organisation.name": field(t("appfield.organisation.name"), input(org.name, { required: true, maxlength: "255" })),
    "organisation.name_en": field(t("appfield.organisation.name_en"), input(org.name_en, { maxlength: "255" })),
    "organisation.industry": field(t("appfield.organisation.industry"), input(org.industry, { pattern: "[A-Z][0-9]{0,4}", oninput: rule, maxlength: "5" })),
    "organisation.region": field(t("appfield.organisation.region"), input(org.region, { pattern: "[0-9]{6}", inputmode: "numeric" }), t("applying.region")),
    "organisation.address": field(t("appfield.organisation.address"), input(org.address, { maxlength: "255" })),
    "legal_person.name": field(t("appfield.legal_person.name"), input(legal.name, { required: true })),
    "legal_person.number": field(t("appfield.legal_person.number"), input("", { maxlength: "18", class: "mw-input mw-mono" }), legal.number ? t("applying.number.again") : t("applying.number")),
    "contact.name": field(t("appfield.contact.name"), input(contact.name, { required: true })),
    "contact.phone": field(t("appfield.contact.phone"), input(contact.phone, { required: true, type: "tel" })),
    "contact.email": field(t("appfield.contact.email"), input(contact.email, { type: "email" })),
    "purpose": field(t("appfield.purpose"), h("textarea.mw-input", { rows: 3, maxlength: "2000" }, from.purpose ?? ""), "", true),
  };
  const value = (name) => one[name].control.value.trim();
  const said = h("div", { "aria-live": "polite" });
  const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t(again ? "applying.again" : "applying.submit"));
  const licence = licenceField(from.licence_sha256 ?? "");
  const own = h("div.mw-fields", null, one["site.host"], one["site.port"]);
  const form = h("form", { onsubmit: send, novalidate: true },
    group(t("applications.wanted"), one.kind, one.prefix, one.mode), own,
    group(t("applications.organisation"), one["organisation.uscc"], one["organisation.name"], one["organisation.name_en"], one["organisation.industry"], one["organisation.region"], one["organisation.address"]),
    group(t("applications.legal"), one["legal_person.name"], one["legal_person.number"]),
    group(t("applications.contact"), one["contact.name"], one["contact.phone"], one["contact.email"]),
    group(t("applying.more"), one.purpose, licence.element),
    said, h("div.mw-row.mw-actions", null, go, button(t("cancel"), onclose)));
  const titles = { apply: t("applying.title.apply"), change: t("applying.title.change"), exit: t("applying.title.exit") };
  const box = panel(again ? t("applying.title.again") : titles[from.kind ?? "apply"], form);
  box.classList.add("mw-applying");
  box.querySelector("h2").tabIndex = -1;
  shape();
  rule();
  return box;

  function shape() {
    own.hidden = value("mode") !== "own" || value("kind") === "exit";
    one.mode.hidden = value("kind") === "exit";
  }

  function rule() {
    const code = value("organisation.industry");
    const fitting = node.rules.filter((row) => code.startsWith(row.industry)).sort((a, b) => b.industry.length - a.industry.length)[0];
    one["organisation.industry"].wrong("");
    one["organisation.industry"].querySelector(".mw-hint").textContent = code && fitting?.industry ? `${t("applying.rule")}${lang === "zh" ? fitting.zh : fitting.en}` : t("applying.industry");
  }

  function body() {
    const site = own.hidden ? null : { host: value("site.host"), port: Number(value("site.port")) || 0 };
    return {
      kind: value("kind"), prefix: value("prefix"), mode: value("mode"), site, purpose: value("purpose"), licence_sha256: licence.value(),
      organisation: { uscc: value("organisation.uscc").toUpperCase(), name: value("organisation.name"), name_en: value("organisation.name_en"),
        industry: value("organisation.industry"), region: value("organisation.region"), address: value("organisation.address") },
      legal_person: { name: value("legal_person.name"), number: value("legal_person.number").toUpperCase() },
      contact: { name: value("contact.name"), phone: value("contact.phone"), email: value("contact.email") },
    };
  }

  async function send(event) {
    event.preventDefault();
    fill(said);
    const first = Object.values(one).map(local).find(Boolean);
    if (first) return first.focus();
    go.disabled = true;
    try {
      await ondone(await api("/secondlevel/applications" + (again ? "/" + encodeURIComponent(again) : ""), { method: again ? "PUT" : "POST", body: body() }));
    } catch (error) {
      go.disabled = false;
      const wrong = point(error);
      fill(said, problem(wrong.length ? { message: t("applying.faults"), next: wrong.join(" ") } : error));
      (form.querySelector("[aria-invalid=true]") ?? go).focus();
    }
  }

  /** What the browser can say by itself; the control that is wrong, or nothing. */
  function local(element) {
    const { control } = element;
    if (element.hidden || control.closest("[hidden]")) return null;
    const text = control.validity.valueMissing ? t("applying.missing") : control.validity.valid ? "" : t("applying.shape");
    element.wrong(text);
    return text ? control : null;
  }

  /** Show the server's findings at their fields; what it found, in words. */
  function point(error) {
    const found = [];
    const names = { "secondlevel.prefix-bad": ["prefix"], "secondlevel.prefix-taken": ["prefix"] }[error.code]
      ?? Object.keys(one).filter((name) => error.code === "secondlevel.application-bad" && error.message.includes(`${name}: `));
    for (const name of names) {
      const text = name === "prefix" ? error.message : t("appfault." + name);
      one[name].wrong(text);
      found.push(text);
    }
    return found;
  }
}

function group(title, ...fields) {
  return h("fieldset.mw-fieldset", null, h("legend", null, title), h("div.mw-fields", null, fields));
}

const escaped = (text) => text.replaceAll(".", "\\.");

/** The business licence stays with the applicant; its SHA-256 is what the application carries. */
function licenceField(known) {
  let digest = known;
  const file = h("input.mw-input", { type: "file", onchange: async () => {
    const data = file.files[0] && await file.files[0].arrayBuffer();
    digest = data ? [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].map((byte) => byte.toString(16).padStart(2, "0")).join("") : known;
    element.querySelector(".mw-hint").textContent = digest ? `SHA-256 ${digest.slice(0, 16)}…` : t("applying.licence");
  } });
  const element = field(t("appfield.licence_sha256"), file, known ? `SHA-256 ${known.slice(0, 16)}…` : t("applying.licence"), true);
  return { element, value: () => digest };
}

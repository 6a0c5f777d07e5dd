// A label for a thing: choose the symbol, see it, take it away as a drawing or as a printed sheet.

import { button, fill, h, iconButton, lang, problem, t } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

const LASER_MM = 0.3;

const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/** Opens the dialog about `name`. */
export async function labelDialog(name) {
  const preview = h("div.mw-label-view", { "aria-live": "polite" });
  const symbology = choice("symbology", [["qr", "QR"], ["datamatrix", "Data Matrix"], ["datamatrix-rect", t("label.rect")], ["code128", "Code 128"],
    ["gs1-datamatrix", "GS1 DataMatrix"], ["gs1-qr", "GS1 QR"], ["gs1-128", "GS1-128"]]);
  const content = choice("content", [["auto", t("label.auto")], ["name", t("label.name")], ["url", t("label.url")], ["vaa", t("label.vaa")],
    ["gs1", t("label.gs1")], ["gs1-link", t("label.gs1link")]]);
  const module = h("input.mw-input", { type: "number", id: "label-module", min: "0.05", max: "5", step: "0.05", value: "0.5" });
  const inverse = h("input", { type: "checkbox", id: "label-inverse" });
  const template = h("select.mw-input", { id: "label-template" });
  const drawings = h("div.mw-row");
  const sheets = h("div.mw-row");
  const box = h("dialog.mw-dialog.mw-label", { "aria-labelledby": "label-title", onclose: () => box.remove() },
    h("div.mw-dialog-body", null,
      h("header", null, h("h2", { id: "label-title" }, t("label.title")), iconButton("close", t("label.close"), () => box.close())),
      h("div.mw-pad.mw-label-grid", null, preview, h("div.mw-stack", { style: "gap:10px" },
        field(t("label.symbol"), symbology), field(t("label.content"), content), field(t("label.module"), module),
        h("label.mw-row", { for: "label-inverse" }, inverse, t("label.inverse")),
        h("div", null, h("small.mw-faint", null, t("label.drawing")), drawings))),
      h("div.mw-pad.mw-label-sheet", null, field(t("label.template"), template), sheets),
      h("footer", null, button(t("label.close"), () => box.close()))));
  const draw = async () => {
    // a GS1 symbol carries an element string and nothing else
    content.disabled = symbology.value.startsWith("gs1");
    if (content.disabled) content.value = "auto";
    const query = new URLSearchParams({ symbology: symbology.value, content: content.value, module_mm: module.value || "0.5", lang });
    if (inverse.checked) query.set("inverse", "true");
    const address = (kind) => `/api/identity/labels/symbol/${path(name)}?${query}&format=${kind}`;
    fill(drawings, ["svg", "dxf", "png"].map((kind) => download(kind.toUpperCase(), address(kind), name, kind)));
    const reply = await fetch(address("svg"));
    if (!reply.ok) {
      const fault = await reply.json().catch(() => ({}));
      drawings.replaceChildren();
      return fill(preview, problem({ message: fault.message ?? `HTTP ${reply.status}`, next: fault.next }));
    }
    const picture = new DOMParser().parseFromString(await reply.text(), "image/svg+xml").documentElement;
    fill(preview, document.importNode(picture, true), h("small.mw-faint", null, ["width", "height"].map((side) => picture.getAttribute(side).replace("mm", " mm")).join(" × ")));
  };
  const list = () => fill(sheets, ["pdf", "svg"].map((kind) => download(kind.toUpperCase(),
    `/api/identity/labels/sheet?${new URLSearchParams({ name, template: template.value, format: kind, lang })}`, name, kind)));
  [symbology, content, module, inverse].forEach((control) => control.addEventListener("change", draw));
  inverse.addEventListener("change", () => { if (inverse.checked && module.value === "0.5") { module.value = LASER_MM; draw(); } });
  template.addEventListener("change", list);
  document.body.append(box);
  box.showModal();
  try {
    const { templates } = await api("/identity/labels/templates");
    fill(template, templates.map((one) => h("option", { value: one.id }, one["name_" + lang] || one.name_en || one.id)));
    list();
    await draw();
  } catch (error) {
    fill(preview, problem(error));
  }
}

function choice(id, options) {
  return h("select.mw-input", { id: "label-" + id }, options.map(([value, words]) => h("option", { value }, words)));
}

const field = (words, control) => h("label.mw-field", { for: control.id }, words, control);

const download = (words, href, name, kind) =>
  h("a.mw-btn.mw-btn-small", { href, download: `${name.replace(/[^\w.-]+/g, "_")}.${kind}` }, words);

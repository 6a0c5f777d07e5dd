// Scanning: a camera, a photo or a hand scanner; what was read leads to the thing's live page.

import { button, empty, fill, h, icon, nameHref, named, problem, role, simBadge, t, thingHref } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

const LOOK_MS = 400; // at most so often a picture is taken
const FRAME_PX = 1024; // the longer edge of a picture from the camera
const PHOTO_PX = 2400; // of a photo
const FORMATS = ["qr_code", "data_matrix", "code_128", "ean_13", "itf", "aztec", "pdf417"];
const SEARCHED = 200; // most characters that the search for things takes
const HAND_MS = 50; // a hand scanner types faster than this between two keys

export function mount(root, { query }) {
  const video = h("video", { muted: true, autoplay: true, playsinline: true, "aria-label": t("scan.view") });
  video.muted = true;
  const view = h("div.mw-view", { dataset: { on: "no" } }, video, h("div.mw-view-frame", { "aria-hidden": "true" }),
    h("div.mw-view-idle", null, icon("scan"), h("p", null, t("scan.idle"))));
  const out = h("div.mw-stack", { id: "scan-out", "aria-live": "polite" });
  const toggle = button(t("scan.start"), () => (stream ? stop() : start()), "mw-btn-main", "scan");
  const file = h("input.mw-sr", { type: "file", id: "scan-file", accept: "image/*", capture: "environment",
    onchange: () => file.files[0] && photo(file.files[0]) });
  const choose = h("label.mw-btn", { for: "scan-file" }, icon("camera"), t("scan.photo"));
  const text = h("input.mw-input", { id: "scan-text", name: "text", spellcheck: "false", autocapitalize: "none", autocomplete: "off",
    placeholder: "88.888.101/…", "aria-label": t("scan.type"), enterkeyhint: "go" });
  let stream = null;
  let detector = null;
  let timer = 0;
  let gone = false;

  fill(root, h("div.mw-head", null, h("div", null, h("h1", null, t("scan.title")), h("p", null, t("scan.lead")))),
    h("div.mw-scan", null,
      h("section.mw-panel", null, view, h("div.mw-scan-bar", null, toggle, file, choose)),
      h("div.mw-stack", null,
        h("form.mw-panel.mw-scan-typed", { onsubmit: (event) => { event.preventDefault(); typed(text.value); } },
          h("label.mw-field", { for: "scan-text" }, t("scan.type")),
          h("div.mw-row", null, text, h("button.mw-btn.mw-btn-main", { type: "submit" }, t("scan.go"))),
          h("small.mw-faint", null, t("scan.type.hint"))),
        out)));

  const onKey = handScanner(text);
  const onHidden = () => document.hidden && stop();
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", onHidden);
  if (matchMedia("(hover: hover)").matches) text.focus();
  if (query.text) typed(query.text);
  return { destroy() {
    gone = true;
    stop();
    document.removeEventListener("keydown", onKey);
    document.removeEventListener("visibilitychange", onHidden);
  } };

  // ---------------------------------------------------------------- camera
  async function start() {
    fill(out);
    if (!window.isSecureContext || !navigator.mediaDevices) return refuse(t("scan.insecure"), t("scan.insecure.next"));
    toggle.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
    } catch (error) {
      return refuse(...cameraFault(error.name));
    } finally {
      toggle.disabled = false;
    }
    if (gone) return stop();
    video.srcObject = stream;
    await video.play().catch(() => {});
    view.dataset.on = "yes";
    toggle.lastChild.textContent = t("scan.stop");
    detector = await ownDetector();
    look();
  }

  function stop() {
    clearTimeout(timer);
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    view.dataset.on = "no";
    toggle.lastChild.textContent = t("scan.start");
  }

  function refuse(message, next) {
    say(problem({ message, next }));
  }

  /** Below the camera of a phone an answer would be out of sight. */
  function say(...what) {
    fill(out, ...what);
    out.scrollIntoView({ block: "nearest" });
  }

  async function look() {
    if (!stream) return;
    const began = performance.now();
    try {
      const symbols = detector ? await looked() : await sent();
      if (symbols.length && stream) return found(symbols, true);
    } catch (error) {
      stop();
      return say(problem(error, start));
    }
    timer = setTimeout(look, Math.max(0, LOOK_MS - (performance.now() - began)));
  }

  async function looked() {
    const seen = await detector.detect(video).catch(() => []);
    const all = await Promise.all(seen.slice(0, 4).map((one) => ask(one.rawValue)));
    return all.flat();
  }

  async function sent() {
    if (!video.videoWidth) return [];
    return read(await shrunk(video, video.videoWidth, video.videoHeight, FRAME_PX, 0.8));
  }

  // ---------------------------------------------------------------- photo, typed
  async function photo(picked) {
    stop();
    fill(out, h("p.mw-dim", { role: "status" }, t("scan.reading")));
    file.value = "";
    try {
      const bitmap = await createImageBitmap(picked).catch(() => null);
      const symbols = await read(bitmap ? await shrunk(bitmap, bitmap.width, bitmap.height, PHOTO_PX, 0.92) : picked);
      if (symbols.length) await found(symbols, true);
      else say(h("section.mw-panel", null, empty("scan", t("scan.nothing"), t("scan.nothing.why"))));
    } catch (error) {
      say(problem(error));
    }
  }

  async function typed(words) {
    if (!words.trim()) return;
    stop();
    try {
      await found(await ask(words.trim()), true);
    } catch (error) {
      say(problem(error));
    }
    text.select();
  }

  /** Show what was read; one thing that is meant exactly is opened at once. */
  async function found(symbols, open) {
    stop();
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(40);
    say(symbols.map(card));
    const things = new Map(symbols.flatMap((one) => one.things).map((thing) => [thing.name, thing]));
    const [only] = things.values();
    if (open && things.size === 1 && only.exact) location.assign(await address(only.name));
  }
}

const read = async (blob) => (await api("/identity/read", { method: "POST", body: blob })).symbols;
const ask = async (text) => (await api("/identity/read?text=" + encodeURIComponent(text))).symbols;

/** The live page of a thing of the plant, else the page of the name. */
async function address(name) {
  const found = await api("/things?limit=20&q=" + encodeURIComponent(name.slice(0, SEARCHED))).catch(() => null);
  const thing = found?.things.find((one) => one.id.toUpperCase() === name.toUpperCase());
  return thing ? thingHref(thing.id) : nameHref(name);
}

/** The picture as a JPEG whose longer edge is at most `most`. */
async function shrunk(source, width, height, most, quality) {
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = h("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

async function ownDetector() {
  if (!("BarcodeDetector" in window)) return null;
  try {
    const known = await window.BarcodeDetector.getSupportedFormats();
    const formats = FORMATS.filter((one) => known.includes(one));
    // without Data Matrix it would miss what is burnt into metal; the server reads all
    return formats.includes("data_matrix") ? new window.BarcodeDetector({ formats }) : null;
  } catch {
    return null;
  }
}

function cameraFault(name) {
  if (name === "NotAllowedError" || name === "SecurityError") return [t("scan.denied"), t("scan.denied.next")];
  if (name === "NotFoundError" || name === "OverconstrainedError") return [t("scan.nocamera"), t("scan.nocamera.next")];
  return [t("scan.camerabusy"), t("scan.camerabusy.next")];
}

/** A hand scanner types into the page wherever the focus is: its first keys go into the field. */
function handScanner(field) {
  let last = 0;
  let before = "";
  return (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    const fast = event.timeStamp - last < HAND_MS;
    last = event.timeStamp;
    if (typing || event.ctrlKey || event.metaKey || event.key.length !== 1) return;
    if (fast) {
      event.preventDefault();
      event.stopImmediatePropagation();
      field.value = before + event.key;
      field.focus();
    }
    before = event.key;
  };
}

function card(symbol) {
  const { code, things } = symbol;
  const head = h("header", null, h("h2", null, symbol.symbology || t("scan.typed")), h("span.mw-chip", null, code ? code.system_name : t("scan.text")));
  const told = code && !code.ok ? problem({ message: code.fault.message, next: code.fault.next }) : null;
  return h("section.mw-panel.mw-read", null, head,
    h("div.mw-pad.mw-stack", { style: "gap:10px" }, h("div.mw-code", null, h("code", null, symbol.text)), told,
      things.length ? things.map(thingRow) : told ? null : nobody(symbol)));
}

/** Nothing here has this name: look where it leads, or give it to a thing. */
function nobody({ code, text }) {
  const name = ["handle", "vaa"].includes(code?.system) ? code.canonical : "";
  return [h("p.mw-dim", null, h("b", null, t("scan.unknown")), h("br"), t("scan.unknown.next")),
    code ? h("div.mw-row", null, h("a.mw-btn", { href: nameHref(name || text) }, icon("resolve"), t("scan.elsewhere")),
      name && ["engineer", "admin"].includes(role) ? h("a.mw-btn", { href: "/names?new=" + encodeURIComponent(name) }, icon("plus"), t("scan.register")) : null) : null];
}

function thingRow(thing) {
  const row = h("a.mw-hit", { href: nameHref(thing.name) },
    h("span.mw-two", null, h("b", null, named(thing, "label_") || thing.name), h("small.mw-mono", null, thing.name),
      thing.exact ? null : h("small", null, t("scan.class"))),
    thing.simulated ? simBadge() : null, icon("right"));
  address(thing.name).then((href) => { row.href = href; });
  return row;
}

// Deciding about names of the filing queue: the question, the work in steps with progress, what was refused.

import { button, fill, h, iconButton, lang, nameHref, problem, t } from "mingwu-console/dom.js";
import { field, input, typing } from "mingwu-console/dialog.js";
import { count } from "mingwu-console/format.js";
import { api } from "mingwu-console/net.js";

const SHOWN = 100;

/**
 * File or return names: `items` ({name, version}) or all `matching` up to the sequence `upto`; `total` of them,
 * `step` at a time.
 * Resolves to the words of what was done, or to undefined when nothing was.
 */
export function decide(what, { items, matching, upto, total, step: size = 1 }) {
  const isReturn = what === "return";
  const words = isReturn ? field(t("filing.reason"), h("textarea.mw-input", { rows: 3, required: true, maxlength: 1000 }), t("filing.reason.hint"), true)
    : field(t("filing.receipt"), input("", { required: true, maxlength: 200 }), t("filing.receipt.hint"), true);
  const title = items?.length === 1 ? t(isReturn ? "act.return.title" : "act.file.title", { name: items[0].name })
    : isReturn ? t("filing.return.many", { n: count(total) }) : t("filing.file.many", { n: count(total) });
  const why = isReturn ? t("filing.return.why") : matching ? t("filing.file.all.why") : "";
  return new Promise((resolve) => {
    const state = { done: 0, refused: [], seen: 0, isRunning: false, isStopped: false };
    const said = h("div", { "aria-live": "polite" });
    const track = h("div.mw-progress", { hidden: true });
    const go = h("button.mw-btn.mw-btn-main", { type: "submit" }, t(isReturn ? "act.return" : "act.file.do"));
    const away = button(t("cancel"), leave);
    const slipped = async () => (state.isRunning || state.done || (await typed.mayLeave())) && leave();
    const form = h("form.mw-dialog-body", { onsubmit: run },
      h("header", null, h("h2.mw-break", { id: "dialog-title" }, title), iconButton("close", t("close"), slipped)),
      h("div.mw-stack.mw-pad", null, why ? h("p.mw-dim", null, why) : null, words, track, said), h("footer", null, away, go));
    const box = h("dialog.mw-dialog", { "aria-labelledby": "dialog-title", oncancel: (event) => { event.preventDefault(); slipped(); },
      onclose: () => { box.remove(); resolve(state.seen ? told() : undefined); } }, form);
    const typed = typing(box);
    document.body.append(box);
    box.showModal();
    words.control.focus();

    /** While it works, turning away stops it after the step at hand. */
    function leave() {
      if (!state.isRunning) return box.close();
      state.isStopped = true;
      away.disabled = true;
      return undefined;
    }

    async function run(event) {
      event.preventDefault();
      const note = words.control.value.trim();
      if (!note) return words.wrong(t("names.missing"));
      words.wrong("");
      Object.assign(state, { isRunning: true, isStopped: false });
      words.control.readOnly = true;
      go.disabled = true;
      away.textContent = t("filing.stop");
      fill(said);
      try {
        await (matching ? allMatching(note) : named(note));
      } catch (error) {
        fill(said, problem(error));
      }
      state.isRunning = false;
      return finish();
    }

    async function named(note) {
      for (let at = state.seen; at < items.length && !state.isStopped; at += size) {
        const part = items.slice(at, at + size);
        await step({ items: part, note });
        advance(Math.min(items.length, at + part.length));
      }
    }

    async function allMatching(note) {
      do {
        const reply = await step({ matching, upto, after: state.after ?? 0, limit: size, note });
        state.after = reply.next;
        advance(Math.max(state.seen, total - reply.left));
      } while (state.after && !state.isStopped);
    }

    async function step(body) {
      const reply = await api("/identity/filing/" + what, { method: "POST", body });
      state.done += reply.done;
      state.refused.push(...reply.results.filter((one) => !one.ok));
      return reply;
    }

    function advance(seen) {
      state.seen = Math.min(seen, total);
      const share = (100 * state.seen) / Math.max(1, total);
      track.hidden = false;
      fill(track, h("div.mw-meter", { role: "progressbar", "aria-valuenow": Math.round(share), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": t("filing.progress") },
        h("i", { style: `width:${share.toFixed(1)}%` })), h("small", null, t("filing.step", { n: count(state.seen), total: count(total) })));
    }

    function finish() {
      const isWhole = state.seen >= total;
      if (isWhole && !state.refused.length) return box.close();
      away.disabled = false;
      away.textContent = t("close");
      go.disabled = false;
      go.hidden = isWhole;
      go.textContent = t("filing.goon");
      if (state.seen) said.append(outcome());
      return undefined;
    }

    function outcome() {
      const rows = state.refused.slice(0, SHOWN).map((one) => h("li", null, h("a.mw-mono.mw-break", { href: nameHref(one.name) }, one.name), h("small", null, one.message + (lang === "zh" ? "。" : ". ") + one.next)));
      return h("div", null, h("p", null, told()), rows.length ? h("ul.mw-refused", { "aria-label": t("filing.refused") }, rows) : null,
        state.refused.length > SHOWN ? h("small.mw-faint", null, t("filing.refused.more", { n: count(state.refused.length - SHOWN) })) : null);
    }

    function told() {
      const done = isReturn ? t("filing.returned.n", { n: count(state.done) }) : t("filing.filed.n", { n: count(state.done) });
      return state.refused.length ? `${done} · ${t("filing.refused.n", { n: count(state.refused.length) })}` : done;
    }
  });
}

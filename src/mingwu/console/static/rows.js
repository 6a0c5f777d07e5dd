// Live cells of a tag: value, range mark, quality, age. Used by the tag table and the thing page.

import { fill, h, setState, state } from "mingwu-console/dom.js";
import { age, reason, share, shown, tagState } from "mingwu-console/format.js";
import { live, watchTags } from "mingwu-console/net.js";

/** Cells of one tag and how to bring them up to date. */
export function liveCells(tag) {
  const heard = { v: tag.value, ms: tag.time_ms, q: tag.quality };
  const value = h("span.mw-val");
  const mark = h("i");
  const bar = h("div.mw-bar", { hidden: share(tag, heard.v) === null && tag.low === null }, mark);
  const quality = state("never");
  const old = h("span.mw-nowrap");
  let text;

  function refresh(now) {
    const name = tagState(tag, heard, now);
    const next = shown(tag, heard.v);
    value.dataset.s = name;
    if (next !== text) {
      text = next;
      fill(value, next, h("small", null, next === "—" ? "" : tag.unit_shown));
    }
    const at = share(tag, heard.v);
    if (at !== null) {
      bar.hidden = false;
      bar.toggleAttribute("data-out", at < 0 || at > 1);
      mark.style.left = `${Math.min(100, Math.max(0, at * 100)).toFixed(1)}%`;
    } else bar.hidden = true;
    const why = name === "bad" || name === "uncertain" ? reason(heard.q) : "";
    setState(quality, name);
    quality.title = why;
    quality.lastChild.textContent = why ? `${quality.lastChild.textContent} · ${why}` : quality.lastChild.textContent;
    tick(now);
  }

  /** Only what the passing of time changes. */
  function tick(now) {
    const words = heard.ms ? age(Math.max(0, (now - heard.ms) / 1000)) : "—";
    if (old.textContent !== words) old.textContent = words;
  }

  refresh(live.now());
  return { tag, heard, value, bar, quality, age: old, refresh, tick };
}

/** Keep cells live: one subscription for all of them, ages once a second. Returns its end. */
export function follow(cells) {
  const by = new Map(cells.map((one) => [one.tag.number, one]));
  const end = watchTags([...by.keys()], (number, heard) => {
    const one = by.get(number);
    Object.assign(one.heard, heard);
    one.refresh(live.now());
  });
  const timer = setInterval(() => {
    const now = live.now();
    for (const one of cells) one.tick(now);
    for (const one of cells) if (tagState(one.tag, one.heard, now) !== one.value.dataset.s) one.refresh(now);
  }, 1000);
  return () => {
    end();
    clearInterval(timer);
  };
}

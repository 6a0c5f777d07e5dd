// What a page says when the part of the node behind it does not run here, and other problems.

import { copyButton, empty, h, parts, problem, simBadge, t } from "mingwu-console/dom.js";

/** The problem of a page; a part that is off says how to switch it on, beside what runs already. */
export function trouble(error, part, again) {
  if (error.code !== "api.no-route") return problem(error, again);
  const wanted = new Set([...parts, part]);
  const line = `identity = [${[...wanted].map((one) => `"${one}"`).join(", ")}]`;
  const element = empty("off", t("absent.title"), t("absent.why"),
    h("div.mw-code", null, h("code", null, "[node]\n", line), copyButton(line)));
  element.classList.add("mw-absent");
  return h("section.mw-panel", { dataset: { absent: part } }, element);
}

/** The mark of simulated data, unless the top bar carries it already. */
export const pageBadge = () => (document.querySelector(".mw-top .mw-sim") ? null : simBadge());

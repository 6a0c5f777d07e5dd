// Signed evidence of carriers: checked by the platform fact by fact, shown where somebody asked.

import { fill, h, icon, lang, problem, state, t } from "mingwu-console/dom.js";
import { api } from "mingwu-console/net.js";

const PROOF = { carrier: "good", stranger: "uncertain", broken: "bad" };

/** Checks `proofs/NUMBER` (an event) or `reports/DIGEST` (a reading) and shows the result in `slot`. */
export async function verify(what, slot, control) {
  control.disabled = true;
  try {
    const found = await api(`/identity/carriers/desk/${what}?lang=${lang}`);
    fill(slot, h("div.mw-proof", { dataset: { verdict: found.verdict } }, state(PROOF[found.verdict], t("proofverdict." + found.verdict)),
      h("ul", null, Object.entries(found.checks).map(([name, good]) => h("li", { dataset: { check: name, s: String(good) } }, icon(good ? "good" : "bad", good ? t("yes") : t("no")), t("proofcheck." + name)))),
      found.key_id ? h("small.mw-mono.mw-break", null, `${found.kind}${found.counter ? " #" + found.counter : ""} · ${found.key_id.slice(0, 16)}… · SHA-256 ${found.digest.slice(0, 16)}…`) : null));
  } catch (error) {
    fill(slot, problem(error));
  }
  control.disabled = false;
}

// Access to restricted values: grants, identity groups, application identities, and who may see what of a name.

import { fill, h, role, segments, t } from "mingwu-console/dom.js";
import { pageBadge, trouble } from "mingwu-console/absent.js";
import { grantList } from "mingwu-console/grantlist.js";
import { groupList } from "mingwu-console/groups.js";
import { programList } from "mingwu-console/programs.js";
import { whoSees } from "mingwu-console/whosees.js";
import { api } from "mingwu-console/net.js";

const AT = "/names/grants";
const TABS = { grants: grantList, groups: groupList, programs: programList, who: whoSees };
const maySetUp = ["engineer", "admin"].includes(role);

export async function mount(root, { query }) {
  const slot = h("div");
  const action = h("div");
  // what somebody was granted is for engineers; everybody may ask about oneself
  const tabs = maySetUp ? Object.keys(TABS) : ["who"];
  let chosen = tabs.includes(query.tab) ? query.tab : tabs[0];
  const bar = segments(t("grants.areas"), tabs.map((name) => [name, t("granttab." + name)]), chosen, (name) => show(name));
  bar.classList.add("mw-tabs");
  const known = await api("/identity/counts").catch((error) => ({ error }));
  if (known.error) {
    fill(root, head(), trouble(known.error, "enterprise", () => location.reload()));
    return {};
  }
  fill(root, head(action), tabs.length > 1 ? bar : null, slot);
  bar.querySelector("[aria-pressed=true]")?.scrollIntoView({ inline: "center", block: "nearest" });
  await show(chosen, query);
  return { destroy: () => document.querySelectorAll("dialog.mw-drawer, dialog.mw-dialog").forEach((box) => box.close()) };

  async function show(name, from = {}) {
    chosen = name;
    fill(action);
    if (from !== query) history.replaceState(null, "", name === tabs[0] ? AT : `${AT}?tab=${name}`);
    try {
      const { element, does } = await TABS[name]({ at: AT, query: from });
      if (name !== chosen) return;
      fill(slot, element);
      fill(action, does);
    } catch (error) {
      fill(slot, trouble(error, "enterprise", () => show(name, from)));
    }
  }
}

function head(action) {
  return h("div.mw-head", null, h("div.mw-grow", null, h("h1", null, t("nav.grants"), " ", pageBadge()), h("p", null, t(maySetUp ? "grants.lead" : "grants.lead.self"))), action);
}

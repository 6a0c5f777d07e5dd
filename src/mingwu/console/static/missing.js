// A page or thing that does not exist.

import { empty, fill, h, t } from "mingwu-console/dom.js";

export function mount(root, { path }) {
  fill(root, h("section.mw-panel", null,
    empty("unknown", t("thing.missing"), decodeURIComponent(path),
      h("a.mw-btn", { href: "/" }, t("nav.overview")),
      h("a.mw-btn", { href: "/resolve?name=" + encodeURIComponent(decodeURIComponent(path).replace(/^\/things\//, "")) }, t("nav.resolve")))));
}

// The frame's own behaviour: menu, language, theme, search, log out, state of the live socket.

import { debounce, fill, h, named, nameHref, t, thingHref, toastLeft } from "mingwu-console/dom.js";
import { api, live } from "mingwu-console/net.js";

const $ = (id) => document.getElementById(id);

export function mount() {
  const frame = document.querySelector(".mw-frame");
  const toggle = (open) => {
    frame.classList.toggle("open", open);
    $("mw-burger").setAttribute("aria-expanded", String(open));
  };
  $("mw-burger").onclick = () => toggle(!frame.classList.contains("open"));
  $("mw-scrim").onclick = () => toggle(false);

  $("mw-theme").onclick = () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("mw-theme", theme);
    window.dispatchEvent(new Event("mw-theme"));
  };
  $("mw-lang").onclick = async () => {
    await api("/session/language", { method: "PUT", body: { language: $("mw-lang").dataset.to } });
    location.reload();
  };
  $("mw-logout").onclick = async () => {
    live.end();
    await api("/session", { method: "DELETE" });
    location.assign("/login");
  };
  for (const id of ["mw-burger", "mw-theme", "mw-lang", "mw-logout"]) $(id).disabled = false;
  live.onState((state) => {
    $("mw-link").dataset.state = state;
    $("mw-link-text").textContent = t("live." + state);
  });
  live.watch("status", () => {});
  search($("mw-search"), $("mw-q"), $("mw-found"));
  toastLeft();

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      $("mw-q").focus();
    }
    if (event.key === "Escape") toggle(false);
  });
}

function search(box, input, found) {
  let chosen = -1;
  const links = () => [...found.querySelectorAll("a")];
  const show = (open) => {
    found.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
  };
  const choose = (at) => {
    const all = links();
    chosen = all.length ? (at + all.length) % all.length : -1;
    all.forEach((link, i) => link.setAttribute("aria-selected", String(i === chosen)));
    all[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const look = debounce(async () => {
    const q = input.value.trim();
    if (!q) return show(false);
    const reply = await api(`/things?limit=7&q=${encodeURIComponent(q)}`);
    if (q !== input.value.trim()) return;
    fill(found,
      reply.things.map((thing) => h("a", { href: thingHref(thing.id), role: "option" }, named(thing) || thing.id,
        h("small.mw-mono", null, thing.id))),
      h("a", { href: "/tags?q=" + encodeURIComponent(q), role: "option" }, t("search.tags", { q })),
      h("a", { href: nameHref(q), role: "option" }, t("search.name", { q })),
      reply.total ? null : h("p", null, t("search.none")));
    show(true);
    choose(0);
  }, 160);
  input.addEventListener("input", look);
  input.addEventListener("focus", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") links()[chosen]?.click();
    else if (event.key === "Escape") { show(false); input.blur(); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => box.contains(event.target) || show(false));
}

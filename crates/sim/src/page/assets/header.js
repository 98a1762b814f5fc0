// The signs of life: the link, the process, and the equation; and the page's own switches.

import { byId, el, iconButton, refill } from "./dom.js";
import { current, maybe, setLanguage, span, t } from "./i18n.js";
import { on, state } from "./store.js";
import { showHelp, toggleDrawer } from "./keys.js";

const THEME = "larkline.theme";
const THEMES = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" };

/** How a state of the link looks: good, under way, or bad. */
const TONES = { verified: "good", upgraded: "busy", dialing: "busy", resolving: "busy", stale: "bad", backoff: "bad", down: "bad", none: "idle" };
const VERDICTS = ["replied", "filtered", "failed", "waiting"];

function sums(tally) {
  const out = { received: 0 };
  for (const { verdict, count } of tally ?? []) {
    out[verdict] = (out[verdict] ?? 0) + count;
    out.received += count;
  }
  return out;
}

function reasons(tally, verdict) {
  const parts = (tally ?? []).filter((row) => row.verdict === verdict && row.count && row.why).map((row) => `${maybe(`why.${row.why}`, row.why)} ${row.count}`);
  return parts.length ? `${t(`verdict.${verdict}`)}: ${parts.join(", ")}` : undefined;
}

function link() {
  const { gateway, platform } = state;
  if (gateway.kind === "none") {
    const some = platform.connections > 0;
    return { state: some ? "verified" : "none", words: t("clients", { n: platform.connections }), title: t("no_gateway") };
  }
  if (gateway.kind === "down") return { state: "down", words: t("gateway_down"), title: gateway.why };
  const { link: view } = gateway.status;
  return { state: view.state, words: t("link", { state: maybe(`state.${view.state}`, view.state) }), title: view.fault ?? t("link_since", { n: view.connects }) };
}

function drawSigns() {
  const { gateway } = state;
  const { state: name, words, title } = link();
  const pill = el("span", { class: `pill tone-${TONES[name] ?? "busy"}`, title, data: { state: name } }, el("span", { class: "dot" }), words);
  const signs = [pill];
  if (gateway.kind === "up") {
    const { status } = gateway;
    const total = sums(status.tally);
    signs.push(el("span", { class: "process", title: t("process_title", { pid: status.pid }), text: t("process", { pid: status.pid }) }));
    if (status.dashboard) signs.push(el("a", { class: "watch", href: status.dashboard, target: "_blank", rel: "noopener", text: t("dashboard") }));
    const terms = VERDICTS.flatMap((verdict, n) => [
      el("span", { class: "sign", "aria-hidden": "true", text: n ? "+" : "=" }),
      el("span", { class: `term term-${verdict}${total[verdict] ? " some" : ""}`, title: reasons(status.tally, verdict) }, el("b", { text: String(total[verdict] ?? 0) }), el("i", { text: t(`verdict.${verdict}`) })),
    ]);
    signs.push(el("span", { class: "equation", id: "equation", role: "group", "aria-label": t("equation") },
      el("span", { class: "term some" }, el("b", { text: String(total.received) }), el("i", { text: t("received") })), terms));
  }
  refill(byId("signs"), signs);
}

function theme() {
  try {
    return THEMES.includes(localStorage.getItem(THEME)) ? localStorage.getItem(THEME) : "auto";
  } catch {
    return "auto";
  }
}

function setTheme(next) {
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(THEME, next);
  } catch {
    // Then it lasts as long as the page.
  }
  drawTools();
}

function drawTools() {
  const now = document.documentElement.dataset.theme;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  const other = current() === "zh" ? "en" : "zh";
  refill(byId("tools"),
    iconButton("menu", t("people_and_chats"), () => toggleDrawer("side"), { class: "only-small", data: { key: "open-side" } }),
    iconButton("bolt", t("faults"), () => toggleDrawer("panel"), { class: "only-narrow", data: { key: "open-panel" } }),
    el("button", { type: "button", class: "icon-button language", lang: other === "zh" ? "zh-CN" : "en", data: { key: "language" }, "aria-label": other === "zh" ? "切换到中文" : "Switch to English", on: { click: () => setLanguage(other) }, text: other === "zh" ? "中" : "EN" }),
    iconButton(ICONS[now], t(`theme.${now}`), () => setTheme(next), { data: { key: "theme" } }),
    iconButton("keys", t("shortcuts"), showHelp, { class: "not-small", data: { key: "help" } }));
}

/** Says how long the link has been down, while it is. */
function drawBanner() {
  const banner = byId("banner");
  const { gateway } = state;
  const view = gateway.status?.link;
  let words = "";
  if (!state.online) words = t("page_offline");
  else if (gateway.kind === "down") words = t("banner_down");
  else if (view && view.state !== "verified") {
    const again = view.next_retry_ms ? ` ${t("banner_retry", { n: view.attempt + 1, span: span(view.next_retry_ms - Date.now()) })}` : "";
    words = t("banner_link", { state: maybe(`state.${view.state}`, view.state) }) + again;
  }
  if (banner.textContent !== words) banner.textContent = words;
  banner.hidden = !words;
}

export function start() {
  document.documentElement.dataset.theme = theme();
  on("gateway", () => {
    drawSigns();
    drawBanner();
  });
  on("platform", drawSigns);
  on("online", drawBanner);
  redraw();
}

export function redraw() {
  drawSigns();
  drawTools();
  drawBanner();
}

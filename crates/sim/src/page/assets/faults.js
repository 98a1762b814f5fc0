// The control strip: what can go wrong, what to watch, and what happened then.

import { byId, el, icon, iconButton, refill } from "./dom.js";
import { clock, maybe, span, t } from "./i18n.js";
import { attempt } from "./message.js";
import { get, post } from "./api.js";
import { messagesOf, on, state } from "./store.js";
import { closeDrawers } from "./keys.js";
import { toast } from "./toast.js";

const EVENTS_MAX = 40;
const events = [];

const fault = (kind, more = {}) => post("fault", { kind, ...more });
const sends = "/messages";

const FAULTS = [
  { id: "cut", icon: "cut", run: () => fault("rst") },
  { id: "deaf", icon: "ear", run: () => fault("half_open") },
  { id: "offline", icon: "plug", on: () => state.platform.faults.offline, run: takeAway, stop: () => fault("clear") },
  { id: "kill", icon: "skull", gateway: true, run: () => post("gateway/kill") },
  { id: "throttle", icon: "gauge", times: 3, run: () => fault("api", { path: sends, method: "POST", times: 3, answer: { with: "code", status: 429, code: 99991400, msg: "request trigger frequency limit", reset_s: 1 } }) },
  { id: "slow", icon: "clock", times: 2, run: () => fault("api", { path: sends, method: "POST", times: 2, answer: { with: "slow", ms: 3000 } }) },
  { id: "twice", icon: "twice", run: again },
  { id: "tokens", icon: "key", run: () => fault("revoke_tokens") },
];

/** No new connection gets through, and the one that is open ends. */
async function takeAway() {
  await fault("offline");
  await fault("rst");
}

/** Delivers the newest message of a person again, under a new event id. */
async function again() {
  const last = messagesOf(state.chat).filter((message) => message.sender.kind === "user").at(-1);
  if (!last) return toast(t("twice_nothing"), "warning");
  const story = await get(`story?id=${encodeURIComponent(last.id)}`);
  const event = story.platform[0];
  if (!event) return toast(t("twice_unheard"), "warning");
  return fault("duplicate", { event_id: event.event_id, new_event_id: true });
}

function note(words, tone) {
  events.unshift({ at: Date.now(), words, tone });
  events.length = Math.min(events.length, EVENTS_MAX);
  drawEvents();
}

/** Occasions that an armed fault still has. */
function left(id) {
  const shape = { throttle: "code", slow: "slow" }[id];
  const armed = state.platform.faults.armed ?? [];
  return armed.filter(({ fault: given }) => given.kind === "api" && given.answer?.with === shape).reduce((sum, { left: n }) => sum + n, 0);
}

function button(entry) {
  const active = entry.on?.() ?? false;
  const waits = entry.times ? left(entry.id) : 0;
  const click = async () => {
    note(t(active ? "you_ended" : "you_did", { what: t(`fault.${entry.id}`) }), "you");
    await attempt(active ? entry.stop : entry.run);
  };
  return el("button", {
    type: "button", class: `fault${active || waits ? " active" : ""}`, "aria-pressed": entry.on ? String(active) : undefined,
    "aria-describedby": `about-${entry.id}`, data: { key: `f-${entry.id}`, fault: entry.id }, on: { click },
  }, el("span", { class: "fault-icon" }, icon(active ? "heal" : entry.icon, 19)),
  el("span", { class: "fault-words" },
    el("span", { class: "fault-name" }, t(active ? `fault.${entry.id}.stop` : `fault.${entry.id}`), waits ? el("span", { class: "count", text: t("left", { n: waits }) }) : null),
    el("span", { class: "fault-about", id: `about-${entry.id}`, text: t(`about.${entry.id}`) })));
}

function drawEvents() {
  const list = byId("events");
  if (!list) return;
  const rows = events.map(({ at, words, tone }) => el("li", { class: `event event-${tone}` }, el("time", { text: clock(at, true).slice(0, 10) }), el("span", { text: words, title: words })));
  list.replaceChildren(...(rows.length ? rows : [el("li", { class: "faint", text: t("events_empty") })]));
}

function draw() {
  const usable = FAULTS.filter((entry) => !entry.gateway || state.gateway.kind !== "none");
  refill(byId("panel"),
    el("div", { class: "panel-head" }, el("h2", { text: t("faults") }), iconButton("close", t("close"), closeDrawers, { class: "only-narrow", data: { key: "close-panel" } })),
    el("p", { class: "faint panel-about", text: t("faults_about") }),
    el("div", { class: "faults" }, usable.map(button)),
    el("h2", { text: t("events") }),
    el("ol", { class: "events", id: "events", role: "log", "aria-live": "polite", "aria-label": t("events") }));
  drawEvents();
}

/** Compares two reports of the gateway and says what happened between them. */
function compare(before) {
  const now = state.gateway;
  const [was, is] = [before.status, now.status];
  if (before.kind === "up" && now.kind === "down") note(t("event.gone"), "bad");
  if (now.kind !== "up") return;
  if (before.kind === "down" || (was && was.boot_id !== is.boot_id)) note(t("event.back", { pid: is.pid }), "good");
  const old = was?.link;
  const view = is.link;
  if (!old || was.boot_id !== is.boot_id) {
    if (view.state === "verified") note(t("event.verified_new"), "good");
  } else if (view.state === "verified" && (old.state !== "verified" || view.connects > old.connects)) {
    note(t("event.verified", { span: since(old, view) }), "good");
  } else if (view.state !== old.state) {
    note(t("event.link", { state: maybe(`state.${view.state}`, view.state) }) + (view.fault ? `: ${view.fault}` : ""), view.state === "verified" ? "good" : "bad");
  }
}

/** How long the link was away. */
function since(old, view) {
  const from = old.state === "verified" ? Math.max(old.since_ms, lastYou()) : old.since_ms;
  return span(view.since_ms - from);
}

const lastYou = () => events.find((event) => event.tone === "you")?.at ?? 0;

export function start() {
  on("platform", draw);
  on("gateway", (before) => {
    if ((before.kind === "none") !== (state.gateway.kind === "none")) draw();
    compare(before);
  });
  draw();
}

export const redraw = draw;

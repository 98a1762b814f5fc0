// The conversation: messages in order, grown one at a time so that nothing jumps.

import { byId, el, icon, iconButton, refill } from "./dom.js";
import { shownName, t } from "./i18n.js";
import { answer, avatar, excerpt, messageView, pick, recall } from "./message.js";
import { refresh, toggle } from "./story.js";
import { chat, chooseChat, messagesOf, nameOf, on, state } from "./store.js";
import { focusWords } from "./composer.js";

/** Closer to the end than this counts as reading the end. */
const NEAR_END_PX = 120;

const log = () => byId("log");
const shown = (message) => message.chat === state.chat && (!state.thread || message.thread_id === state.thread);
const find = (id) => log().querySelector(`.message[data-id="${CSS.escape(id)}"]`);

export function chatTitle(known) {
  if (!known) return "";
  if (known.chat_type === "p2p") return known.bots.map(nameOf).map(shownName).join(", ");
  return shownName(known.name) || t("group");
}

function drawHead() {
  const known = chat();
  if (!known) return refill(byId("talk-head"));
  const people = [...known.members, ...known.bots].map(nameOf).map(shownName);
  const lead = state.thread
    ? iconButton("back", t("leave_thread"), () => chooseChat(state.chat), { data: { key: "leave" } })
    : known.chat_type === "p2p" ? avatar({ kind: "app", name: "" }) : el("span", { class: "avatar avatar-group", "aria-hidden": "true" }, icon("people", 19));
  const kind = known.chat_type === "p2p" ? t("direct_chat") : t("members", { n: people.length, names: people.join(", ") });
  refill(byId("talk-head"), lead, el("div", { class: "talk-title" },
    el("h1", { text: state.thread ? `${t("thread")} · ${chatTitle(known)}` : chatTitle(known) }),
    el("p", { class: "faint", text: kind })));
}

function empty() {
  const known = chat();
  if (!known) return el("div", { class: "empty" }, icon("people", 40), el("h2", { text: t("nobody") }), el("p", { text: t("nobody_hint") }));
  const hints = known.chat_type === "p2p" ? ["hint.hello", "hint.card", "hint.stream"] : ["hint.mention", "hint.ignored"];
  const suggest = (key) => el("button", { type: "button", class: "suggestion", on: { click: () => focusWords(t(key)) }, text: t(key) });
  return el("div", { class: "empty" }, el("img", { src: "/page/icon.svg", alt: "", width: "52", height: "52" }), el("h2", { text: t("empty", { name: chatTitle(known) }) }), el("p", { text: t("empty_hint") }), el("div", { class: "suggestions" }, hints.map(suggest)));
}

function drawAll() {
  drawHead();
  const messages = messagesOf(state.chat).filter(shown);
  log().replaceChildren(...(messages.length ? messages.map(messageView) : [empty()]));
  toEnd();
}

const toEnd = () => log().scrollTo({ top: log().scrollHeight });
const nearEnd = () => log().scrollHeight - log().scrollTop - log().clientHeight < NEAR_END_PX;

/** Puts the newest state of a message in its place, keeping what is read and what is focused. */
function redraw(message) {
  const follow = nearEnd();
  const old = find(message.id);
  const node = messageView(message);
  node.classList.toggle("still", old?.classList.contains("still") ?? false);
  // A press on a node that is replaced before it is released goes nowhere.
  if (old?.isEqualNode(node)) return;
  if (old) {
    const focus = old.contains(document.activeElement) ? (document.activeElement.dataset.key ?? old.dataset.key) : null;
    node.classList.add("still");
    old.replaceWith(node);
    if (focus) (node.dataset.key === focus ? node : node.querySelector(`[data-key="${CSS.escape(focus)}"]`) ?? node).focus({ preventScroll: true });
  } else {
    log().querySelector(".empty")?.remove();
    const after = [...log().children].findLast((other) => (state.messages.get(other.dataset.id)?.at ?? 0) <= message.at);
    if (after) after.after(node);
    else log().prepend(node);
  }
  if (follow || (!old && message.sender.open_id === state.me)) toEnd();
}

function takeMessage({ message, isNew }) {
  if (shown(message)) redraw(message);
  // The log itself is not live: a message is drawn anew when its verdict changes, and one that
  // was read aloud would be read again.
  if (isNew && shown(message) && message.sender.open_id !== state.me) {
    byId("spoken").textContent = `${shownName(message.sender.name)}: ${excerpt(message)}`;
  }
  const parent = message.parent_id && state.messages.get(message.parent_id);
  if (isNew && parent && shown(parent)) redraw(parent);
  refresh([message.id, ...(parent ? [parent.id] : [])]);
}

function redrawId(id) {
  const message = state.messages.get(id);
  if (message && shown(message)) redraw(message);
}

/** Moves through the messages, and acts on the one in focus, by keys. */
function onKey(event) {
  const here = event.target.closest?.(".message");
  if (event.target !== here || event.ctrlKey || event.metaKey || event.altKey) return;
  const message = state.messages.get(here.dataset.id);
  const all = [...log().querySelectorAll(".message")];
  const at = all.indexOf(here);
  const acts = {
    ArrowUp: () => all[Math.max(at - 1, 0)].focus(),
    ArrowDown: () => (at + 1 < all.length ? all[at + 1].focus() : focusWords()),
    Home: () => all[0].focus(),
    End: () => all.at(-1).focus(),
    r: () => answer(message, false),
    t: () => answer(message, true),
    e: () => pick(message, here),
    s: () => message.sender.kind === "user" && toggle(message.id),
    Delete: () => recall(message),
    Enter: () => here.querySelector(".card-button, .quote, a")?.focus(),
    Escape: () => focusWords(),
  };
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** From the message box into the messages. */
export function focusLast() {
  [...log().querySelectorAll(".message")].at(-1)?.focus();
}

export function start() {
  on("chat", drawAll);
  on("message", takeMessage);
  on("redraw", redrawId);
  on("verdicts", (ids) => {
    ids.forEach(redrawId);
    refresh(ids);
  });
  log().addEventListener("keydown", onKey);
  drawAll();
}

export const redrawAll = drawAll;

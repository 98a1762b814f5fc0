// Who I am, and the chats I am in.

import { byId, el, icon, refill } from "./dom.js";
import { clock, shownName, t } from "./i18n.js";
import { attempt, avatar, excerpt } from "./message.js";
import { chatTitle } from "./log.js";
import { chats, chooseChat, choosePerson, messagesOf, on, state } from "./store.js";
import { post } from "./api.js";
import { closeDrawers } from "./keys.js";

let adding = null;

function person(user) {
  const chosen = user.open_id === state.me;
  return el("button", {
    type: "button", class: "person", role: "radio", "aria-checked": String(chosen), tabindex: chosen ? "0" : "-1",
    data: { key: `p-${user.open_id}` }, on: { click: () => choose(user.open_id) },
  }, avatar({ kind: "user", name: user.name }), el("span", { text: shownName(user.name) }));
}

/** Becomes somebody; the direct chat with the bot is there as soon as somebody looks for it. */
async function choose(openId) {
  choosePerson(openId);
  await direct(openId);
  byId("side").querySelector(`[data-key="p-${CSS.escape(openId)}"]`)?.focus();
}

async function direct(openId) {
  const has = state.people.chats.some((chat) => chat.chat_type === "p2p" && chat.members.includes(openId));
  if (openId && !has) await attempt(() => post("p2p", { user: openId }));
}

function chatRow(chat) {
  const last = messagesOf(chat.chat_id).at(-1);
  const chosen = chat.chat_id === state.chat;
  if (chosen) state.seen.set(`${state.me} ${chat.chat_id}`, last?.at ?? 0);
  const unread = messagesOf(chat.chat_id).filter((message) => message.at > (state.seen.get(`${state.me} ${chat.chat_id}`) ?? 0) && message.sender.open_id !== state.me).length;
  const picture = chat.chat_type === "p2p" ? avatar({ kind: "app", name: "" }) : el("span", { class: "avatar avatar-group", "aria-hidden": "true" }, icon("people", 19));
  return el("button", {
    type: "button", class: "chat", "aria-current": chosen ? "true" : undefined, data: { key: `c-${chat.chat_id}` },
    on: { click: () => {
      chooseChat(chat.chat_id);
      closeDrawers();
    } },
  }, picture,
  el("span", { class: "chat-words" },
    el("span", { class: "chat-line" }, el("span", { class: "chat-name", text: chatTitle(chat) }), last ? el("time", { class: "faint", text: clock(last.at) }) : null),
    el("span", { class: "chat-line" }, el("span", { class: "chat-last", text: last ? `${last.sender.open_id === state.me ? "" : `${shownName(last.sender.name)}: `}${excerpt(last)}` : t("nothing_yet") }),
      unread ? el("span", { class: "unread", text: unread > 99 ? "99+" : String(unread), "aria-label": t("unread", { n: unread }) }) : null)));
}

function adder(kind) {
  if (adding !== kind) {
    const open = () => {
      adding = kind;
      draw();
      byId("side").querySelector(".adder input")?.focus();
    };
    return el("button", { type: "button", class: "add", on: { click: open }, data: { key: `add-${kind}` } }, icon("plus", 15), t(`add_${kind}`));
  }
  const name = el("input", { class: "field-input", "aria-label": t("name"), placeholder: t("name"), maxlength: "40" });
  const done = async (event) => {
    event.preventDefault();
    const given = name.value.trim();
    adding = null;
    if (given) await add(kind, given);
    draw();
  };
  return el("form", { class: "adder", on: { submit: done, keydown: (event) => event.key === "Escape" && ((adding = null), draw()) } }, name, el("button", { type: "submit", class: "icon-button", "aria-label": t("add") }, icon("heal")));
}

async function add(kind, name) {
  await attempt(async () => {
    if (kind === "person") {
      const { open_id: openId } = await post("users", { name });
      await post("p2p", { user: openId });
    } else {
      await post("groups", { name, members: state.people.users.map((user) => user.open_id) });
    }
  });
}

function draw() {
  const { users } = state.people;
  const group = el("div", { class: "people", role: "radiogroup", "aria-label": t("you_are") }, users.map(person));
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = users.findIndex((user) => user.open_id === state.me);
    choose(users[(at + step + users.length) % users.length].open_id);
  });
  refill(byId("side"),
    el("div", { class: "side-part" }, el("h2", { text: t("you_are") }), group, adder("person")),
    el("div", { class: "side-part grows" }, el("h2", { text: t("chats") }), el("div", { class: "chats" }, chats().map(chatRow)), users.length ? adder("group") : null));
}

export function start() {
  on("people", () => {
    draw();
    direct(state.me);
  });
  on("message", draw);
  draw();
}

export const redraw = draw;

// Keys that work everywhere, their list, and the drawers of small screens.

import { byId, el, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { chats, chooseChat, state } from "./store.js";
import { focusWords } from "./composer.js";

const SHORTCUTS = [
  ["/", "keys.write"],
  ["@", "keys.mention"],
  ["↑ ↓", "keys.move"],
  ["R · T", "keys.reply"],
  ["E", "keys.react"],
  ["S", "keys.story"],
  ["Del", "keys.recall"],
  ["Enter", "keys.enter"],
  ["[ · ]", "keys.chat"],
  ["F", "keys.faults"],
  ["?", "keys.help"],
  ["Esc", "keys.back"],
];

export function showHelp() {
  const help = byId("help");
  help.replaceChildren(
    el("div", { class: "panel-head" }, el("h2", { text: t("shortcuts") }), iconButton("close", t("close"), () => help.close())),
    el("dl", { class: "shortcuts" }, SHORTCUTS.flatMap(([keys, words]) => [el("dt", {}, keys.split(" ").map((key) => (key === "·" ? " " : el("kbd", { text: key })))), el("dd", { text: t(words) })])));
  help.showModal();
}

/** On a small screen the people or the faults cover the chat, one of them at a time. */
export function toggleDrawer(name) {
  const open = document.body.dataset.drawer === name ? "" : name;
  document.body.dataset.drawer = open;
  if (open) byId(open).querySelector("button")?.focus();
}

export function closeDrawers() {
  const was = document.body.dataset.drawer;
  document.body.dataset.drawer = "";
  if (was) byId("tools").querySelector(`[data-key="open-${was}"]`)?.focus();
}

function step(by) {
  const mine = chats();
  const at = mine.findIndex((chat) => chat.chat_id === state.chat);
  if (mine.length) chooseChat(mine[(at + by + mine.length) % mine.length].chat_id);
}

export function start() {
  byId("help").addEventListener("click", (event) => event.target === byId("help") && byId("help").close());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && document.body.dataset.drawer) return closeDrawers();
    if (event.target.closest?.("input, textarea, select, dialog")) return;
    const act = {
      "/": () => focusWords(),
      "[": () => step(-1),
      "]": () => step(1),
      f: () => byId("panel").querySelector(".fault")?.focus(),
      "?": showHelp,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

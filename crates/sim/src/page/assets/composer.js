// The message box: words, mentions, an answer to something, images and files.

import { byId, el, icon, iconButton } from "./dom.js";
import { shownName, t } from "./i18n.js";
import { attempt, excerpt } from "./message.js";
import { post } from "./api.js";
import { chat, mentionable, on, state, tell } from "./store.js";
import { focusLast } from "./log.js";
import { toast } from "./toast.js";

/** Larger files would be half a minute of base64 for nothing that a demo shows. */
const FILE_BYTES_MAX = 20 * 1024 * 1024;

let words;
let chooser = null;

export function focusWords(text) {
  if (text !== undefined) {
    words.value = text;
    grow();
  }
  words.focus();
}

/** Draws the box; what was typed stays. */
function draw() {
  const typed = words?.value ?? "";
  const open = chat();
  const file = el("input", { type: "file", class: "hidden", multiple: true, tabindex: "-1", "aria-hidden": "true", id: "file" });
  file.addEventListener("change", () => sendFiles([...file.files]).then(() => (file.value = "")));
  words = el("textarea", {
    id: "words", rows: "1", placeholder: open ? t("write") : t("nobody"), "aria-label": t("message_box"), "aria-describedby": "words-hint",
    disabled: !open, role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": "mentions",
  });
  words.value = typed;
  words.addEventListener("keydown", onKey);
  words.addEventListener("input", () => {
    grow();
    suggest();
  });
  words.addEventListener("blur", () => setTimeout(closeChooser, 150));
  words.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) {
      event.preventDefault();
      sendFiles(files);
    }
  });
  const at = iconButton("at", t("mention"), () => {
    words.setRangeText("@", words.selectionStart, words.selectionEnd, "end");
    words.focus();
    suggest();
  }, { disabled: !open });
  byId("composer").replaceChildren(
    answering(),
    el("div", { class: "box" }, file, words,
      el("div", { class: "box-tools" },
        iconButton("attach", t("attach"), () => file.click(), { disabled: !open }), at,
        el("span", { class: "hint", id: "words-hint", text: t("send_hint") }),
        el("button", { type: "submit", class: "send", disabled: !open, "aria-label": t("send"), title: t("send") }, icon("send", 18)))),
  );
  grow();
}

function answering() {
  const { answering: given } = state;
  const parent = given && state.messages.get(given.id);
  if (!parent) return el("div", { hidden: true });
  const cancel = () => {
    state.answering = null;
    tell("answering");
  };
  const label = t(given.inThread ? "answering_in_thread" : "answering", { name: shownName(parent.sender.name) });
  return el("div", { class: "answering" }, icon(given.inThread ? "thread" : "reply", 16),
    el("span", { class: "answering-words" }, el("strong", { text: label }), " ", excerpt(parent)),
    iconButton("close", t("cancel"), cancel, { class: "tiny" }));
}

function grow() {
  words.style.height = "auto";
  words.style.height = `${Math.min(words.scrollHeight, 160)}px`;
}

function onKey(event) {
  if (event.isComposing) return; // An input method is choosing characters.
  if (chooser && chooserKey(event)) {
    event.preventDefault();
    event.stopPropagation();
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && words.value === "") {
    event.preventDefault();
    focusLast();
  } else if (event.key === "Escape" && state.answering) {
    state.answering = null;
    tell("answering");
  }
}

/** The unfinished mention before the cursor. */
function unfinished() {
  const before = words.value.slice(0, words.selectionStart);
  const hit = /(^|\s)@([^\s@]{0,20})$/.exec(before);
  return hit && { from: before.length - hit[2].length - 1, part: hit[2].toLowerCase() };
}

function suggest() {
  const open = unfinished();
  const fits = open ? mentionable().filter(({ name }) => shownName(name).toLowerCase().startsWith(open.part) || name.toLowerCase().startsWith(open.part)) : [];
  closeChooser();
  if (!fits.length) return;
  const list = el("ul", { class: "mentions", id: "mentions", role: "listbox", "aria-label": t("mention") }, fits.map(({ name, bot }, n) =>
    el("li", { role: "option", id: `mention-${n}`, "aria-selected": String(n === 0), on: { mousedown: (event) => {
      event.preventDefault();
      complete(n);
    } } }, icon(bot ? "bolt" : "person", 16), shownName(name))));
  byId("composer").append(list);
  chooser = { list, fits, at: 0, from: open.from };
  words.setAttribute("aria-expanded", "true");
  words.setAttribute("aria-activedescendant", "mention-0");
}

function chooserKey(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    chooser.at = (chooser.at + step + chooser.fits.length) % chooser.fits.length;
    [...chooser.list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === chooser.at)));
    words.setAttribute("aria-activedescendant", `mention-${chooser.at}`);
    return true;
  }
  if (event.key === "Enter" || event.key === "Tab") {
    complete(chooser.at);
    return true;
  }
  if (event.key === "Escape") {
    closeChooser();
    return true;
  }
  return false;
}

function complete(n) {
  const { fits, from } = chooser;
  words.setRangeText(`@${shownName(fits[n].name)} `, from, words.selectionStart, "end");
  closeChooser();
  words.focus();
  grow();
}

function closeChooser() {
  chooser?.list.remove();
  chooser = null;
  words.setAttribute("aria-expanded", "false");
  words.removeAttribute("aria-activedescendant");
}

/** What was typed, with names of members turned into mentions. */
function mentionsIn(text) {
  const found = [];
  const names = mentionable().flatMap(({ id, name }) => [...new Set([name, shownName(name)])].map((shown) => ({ id, shown })));
  names.sort((a, b) => b.shown.length - a.shown.length);
  const escaped = names.map(({ shown }) => shown.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!names.length) return { text, mentions: [] };
  const replaced = text.replace(new RegExp(`@(${escaped.join("|")})(?![\\w])`, "g"), (whole, shown) => {
    const { id } = names.find((name) => name.shown === shown);
    if (!found.includes(id)) found.push(id);
    return `@_user_${found.indexOf(id) + 1}`;
  });
  return { text: replaced, mentions: found };
}

function place() {
  const given = state.answering;
  const where = { user: state.me, chat: state.chat };
  if (given) return { ...where, reply_to: given.id, in_thread: given.inThread };
  if (!state.thread) return where;
  const last = [...state.messages.values()].filter((message) => message.thread_id === state.thread).at(-1);
  return last ? { ...where, reply_to: last.id, in_thread: true } : where;
}

function answered() {
  if (!state.answering) return;
  state.answering = null;
  tell("answering");
}

async function send() {
  const typed = words.value.trim();
  if (!typed || !chat()) return;
  const { text, mentions } = mentionsIn(typed);
  const raw = { message_type: "text", content: { text } };
  words.value = "";
  grow();
  const said = await attempt(() => post("say", { ...place(), mentions, raw }));
  if (said) answered();
  else if (!words.value) focusWords(typed);
}

async function sendFiles(files) {
  for (const file of files) {
    if (file.size > FILE_BYTES_MAX) {
      toast(t("too_large", { name: file.name }), "warning");
      continue;
    }
    const image = /^image\/(png|jpeg|gif|webp|bmp)$/.test(file.type);
    const attachment = { name: file.name || "image.png", image, bytes: await base64(file) };
    if (await attempt(() => post("say", { ...place(), attachment }))) answered();
  }
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(String(reader.result).split(",", 2)[1] ?? ""));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(file);
  });
}

export function start() {
  const form = byId("composer");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  const talk = form.closest(".talk");
  talk.addEventListener("dragover", (event) => event.preventDefault());
  talk.addEventListener("drop", (event) => {
    event.preventDefault();
    if (chat()) sendFiles([...event.dataTransfer.files]);
  });
  on("chat", draw);
  on("answering", () => {
    draw();
    words.focus();
  });
  draw();
}

export const redraw = draw;

// One message: who, when, what, what became of it, and what can be done with it.

import { el, icon, iconButton } from "./dom.js";
import { clock, shownName, t } from "./i18n.js";
import { cardSummary, cardView } from "./card.js";
import { emoji, REACTIONS } from "./emoji.js";
import { codeBlock, link, markdown, mention, picture } from "./markdown.js";
import { fileUrl, post, Refused } from "./api.js";
import { chip, storyView } from "./story.js";
import { chooseChat, state, tell } from "./store.js";
import { toast } from "./toast.js";

/** One line of a message, for quotes and the list of chats. */
export function excerpt(message) {
  if (message.recalled) return t("recalled_short");
  const { content } = message;
  switch (message.type) {
    case "text":
      return named(content.text ?? "", message.mentions);
    case "post":
      return postWords(content) || t("post");
    case "interactive":
      return cardSummary(message.card ?? content);
    case "image":
      return t("image_bracket");
    case "file":
      return t("file_bracket", { name: content.file_name ?? "" });
    default:
      return `[${message.type}]`;
  }
}

/** Mentions as names. */
function named(text, mentions) {
  const readable = text.replace(/<at user_id="([^"]+)">([^<]*)<\/at>/g, (whole, id, name) => `@${id === "all" ? t("everyone") : shownName(name)}`);
  return readable.replace(/@_user_\d+/g, (key) => {
    const who = mentions.find((one) => one.key === key);
    return who ? `@${shownName(who.name)}` : key;
  });
}

const localeOf = (content) => "content" in content ? content : content.zh_cn ?? content.en_us ?? Object.values(content)[0] ?? {};

function postWords(content) {
  const locale = localeOf(content);
  const nodes = Array.isArray(locale.content) ? locale.content.flat() : [];
  const words = nodes.map((node) => node.text ?? node.user_name ?? "").join(" ");
  return locale.title || words.replace(/[*_`#>~]/g, "").trim().split("\n")[0];
}

export function messageView(message) {
  const mine = message.sender.open_id === state.me;
  const isBot = message.sender.kind === "app";
  const node = el("article", {
    class: `message${mine ? " mine" : ""}${isBot ? " bot" : ""}`,
    tabindex: "-1",
    data: { id: message.id, key: `m-${message.id}` },
    "aria-label": t("message_label", { name: shownName(message.sender.name), time: clock(message.at), text: excerpt(message) }),
  });
  const head = el("div", { class: "message-head" },
    el("span", { class: "sender", text: shownName(message.sender.name) }),
    isBot ? el("span", { class: "badge", text: t("bot") }) : null,
    el("time", { datetime: new Date(message.at).toISOString(), text: clock(message.at) }),
    message.edited ? el("span", { class: "faint", text: t("edited") }) : null,
    isBot && !message.recalled ? tools(message, isBot) : null);
  const body = el("div", { class: "message-body" }, head, quote(message), bubble(message), reactions(message), foot(message, isBot));
  node.append(avatar(message.sender), body);
  if (state.stories.has(message.id)) body.append(storyView(message));
  return node;
}

export function avatar(who) {
  if (who.kind === "app") return el("span", { class: "avatar avatar-bot", "aria-hidden": "true" }, el("img", { src: "/page/icon.svg", alt: "", width: "34", height: "34" }));
  const name = shownName(who.name);
  return el("span", { class: `avatar hue-${hue(who.name)}`, "aria-hidden": "true", text: [...name][0]?.toUpperCase() ?? "?" });
}

const hue = (name) => [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 5;

function quote(message) {
  const parent = message.parent_id && state.messages.get(message.parent_id);
  if (!parent) return null;
  const text = `${shownName(parent.sender.name)}: ${excerpt(parent)}`;
  const jump = () => document.querySelector(`[data-id="${CSS.escape(parent.id)}"]`)?.focus();
  return el("button", { type: "button", class: "quote", on: { click: jump }, tabindex: "-1", "aria-label": t("answers", { text }), text });
}

function bubble(message) {
  if (message.recalled) return el("div", { class: "bubble recalled", text: t("recalled", { name: shownName(message.sender.name) }) });
  try {
    return drawn(message);
  } catch {
    // Somebody else's data: what it breaks is its own picture, not the page.
    return undrawn(message);
  }
}

/** What no picture is known for, as it came. */
const undrawn = ({ type, content }) => el("div", { class: "bubble" }, el("span", { class: "unknown", text: t("unknown_type", { type }) }), codeBlock(JSON.stringify(content, null, 2), "json"));

function drawn(message) {
  const { content } = message;
  switch (message.type) {
    case "text":
      return el("div", { class: "bubble" }, el("div", { class: "md text" }, text(message)));
    case "post":
      return el("div", { class: "bubble" }, post_(content));
    case "interactive":
      return cardView(message, (action) => press(message, action));
    case "image":
      return el("a", { class: "shot", "aria-label": t("image"), href: fileUrl(content.image_key), target: "_blank", rel: "noopener" }, picture(content.image_key, t("image")));
    case "file":
      return el("a", { class: "bubble file", href: fileUrl(content.file_key), download: content.file_name ?? "" }, icon("file", 22), el("span", { text: content.file_name ?? t("file") }));
    default:
      return undrawn(message);
  }
}

/** The words of a text message; nothing but mentions and web addresses is more than words. */
function text(message) {
  const shape = /<at user_id="([^"]+)">([^<]*)<\/at>|@_user_\d+|@_all|https?:\/\/[^\s<>"'，。；）]+/g;
  const out = [];
  let from = 0;
  const words = message.content.text ?? "";
  for (const hit of words.matchAll(shape)) {
    out.push(words.slice(from, hit.index));
    from = hit.index + hit[0].length;
    const known = message.mentions.find((one) => one.key === hit[0]);
    if (hit[1]) out.push(mention(hit[1], hit[2]));
    else if (hit[0] === "@_all") out.push(mention("all", ""));
    else if (known) out.push(mention(known.open_id, known.name));
    else if (hit[0].startsWith("http")) out.push(link(hit[0], [hit[0]]));
    else out.push(hit[0]);
  }
  out.push(words.slice(from));
  return out;
}

function post_(content) {
  const locale = localeOf(content);
  const lines = (locale.content ?? []).map((paragraph) => {
    const parts = paragraph.map(postNode);
    return parts.some((part) => part?.dataset?.block) || paragraph.some((node) => node.tag === "md" || node.tag === "code_block") ? parts : el("p", {}, parts);
  });
  return el("div", { class: "md" }, locale.title ? el("p", { class: "md-h md-h3", text: locale.title }) : null, lines.flat());
}

function postNode(node) {
  const styled = (child) => [node.style ?? []].flat().reduce((inner, style) => el({ bold: "strong", italic: "em", lineThrough: "s", underline: "u" }[style] ?? "span", {}, inner), child);
  switch (node.tag) {
    case "text":
      return styled(node.text ?? "");
    case "a":
      return link(node.href ?? "", [node.text ?? node.href ?? ""]);
    case "at":
      return mention(node.user_id ?? "", node.user_name ?? "");
    case "img":
      return picture(node.image_key ?? "", "");
    case "md":
      return el("div", { class: "md", data: { block: "1" } }, markdown(node.text ?? ""));
    case "code_block":
      return codeBlock(node.text ?? "", node.language);
    case "hr":
      return el("hr");
    case "emotion":
      return emoji(node.emoji_type) ?? `[${node.emoji_type}]`;
    default:
      return el("span", { class: "unknown", text: t("unknown_element", { tag: node.tag ?? "?" }) });
  }
}

function reactions(message) {
  if (!message.reactions.length) return null;
  const groups = new Map();
  for (const { emoji: name, by } of message.reactions) groups.set(name, [...(groups.get(name) ?? []), shownName(by)]);
  const pills = [...groups].map(([name, people]) => el("span", { class: "reaction", title: `${name} · ${people.join(", ")}` },
    el("span", { text: emoji(name) ?? name }), el("span", { class: "faint", text: people.join(", ") })));
  return el("div", { class: "reactions" }, pills);
}

function foot(message, isBot) {
  if (isBot && (!message.thread_id || state.thread === message.thread_id)) return null;
  const row = el("div", { class: "message-foot" });
  if (!isBot) row.append(chip(message));
  if (message.thread_id && state.thread !== message.thread_id) {
    row.append(el("button", { type: "button", class: "thread-link", tabindex: "-1", on: { click: () => chooseChat(message.chat, message.thread_id) } }, icon("thread", 14), t("thread")));
  }
  if (!message.recalled && !isBot) row.append(tools(message, isBot));
  return row;
}

function tools(message, isBot) {
  const small = { tabindex: "-1", class: "tiny" };
  const mine = message.sender.open_id === state.me;
  return el("span", { class: "message-tools" },
    iconButton("reply", t("reply"), () => answer(message, false), small),
    iconButton("thread", t("reply_in_thread"), () => answer(message, true), small),
    iconButton("smile", t("react"), (event) => pick(message, event.currentTarget), { ...small, "aria-haspopup": "true" }),
    mine && !isBot ? iconButton("recall", t("recall"), () => recall(message), small) : null);
}

export function answer(message, inThread) {
  state.answering = { id: message.id, inThread };
  tell("answering");
}

export async function recall(message) {
  if (message.sender.open_id !== state.me || message.recalled) return;
  await attempt(() => post("act", { kind: "recall", message: message.id }));
}

/** Offers what people react with most, beside the message. */
export function pick(message, near) {
  document.querySelector(".picker")?.remove();
  const close = () => {
    // Moving the focus away closes it; see below.
    near.focus();
    picker.remove();
  };
  const choose = (name) => async () => {
    close();
    await attempt(() => post("act", { kind: "react", user: state.me, message: message.id, emoji: name }));
  };
  const picker = el("div", { class: "picker", role: "menu", "aria-label": t("react") },
    REACTIONS.map((name) => el("button", { type: "button", role: "menuitem", "aria-label": name, title: name, on: { click: choose(name) }, text: emoji(name) })));
  picker.addEventListener("keydown", (event) => {
    const items = [...picker.children];
    const at = items.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 6, ArrowUp: -6 }[event.key];
    if (step) items[(at + step + items.length) % items.length].focus();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  picker.addEventListener("focusout", (event) => !picker.contains(event.relatedTarget) && picker.remove());
  near.closest(".message").querySelector(".message-body").append(picker);
  picker.firstChild.focus();
}

/** Presses a button: the person sees the answer's toast, or the number that the client app shows. */
async function press(message, { tag, value, name, ...more }) {
  await attempt(async () => {
    const action = { tag, ...(name ? { name } : {}), ...more };
    const result = await post("press", { user: state.me, message: message.id, value, action });
    if (result.code !== 0) toast(t("press_failed", { code: result.code, why: t(`press.${result.code}`) }), "error");
    else if (result.toast) toast(result.toast.content ?? "", result.toast.type ?? "info");
  });
}

export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error instanceof Refused ? error.message : t("unreachable"), "error");
    return undefined;
  }
}


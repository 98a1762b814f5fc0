// Markdown as cards and posts have it, into elements. Blocks here, what is inside a line below.
// Anything that is not understood stays as it was written.

import { el } from "./dom.js";
import { emoji } from "./emoji.js";
import { fileUrl } from "./api.js";
import { nameOf } from "./store.js";
import { shownName, t } from "./i18n.js";

const FENCE = /^(\s*)(```|~~~)\s*([\w+#-]*)\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s*>\s?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const DEPTH_MAX = 8;

/** The elements of a text. */
export function markdown(text, depth = 0) {
  const lines = String(text).replace(/\r\n?/g, "\n").split("\n");
  const out = [];
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) out.push(el("p", {}, inline(paragraph.join("\n"))));
    paragraph = [];
  };
  for (let i = 0; i < lines.length; ) {
    const block = depth < DEPTH_MAX ? blockAt(lines, i, depth) : null;
    if (block) {
      flush();
      out.push(block.node);
      i = block.next;
      continue;
    }
    if (lines[i].trim() === "") flush();
    else paragraph.push(lines[i]);
    i += 1;
  }
  flush();
  return out;
}

function blockAt(lines, i, depth) {
  const line = lines[i];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, i, fence);
  const heading = HEADING.exec(line);
  if (heading) return { node: el("p", { class: `md-h md-h${heading[1].length}` }, inline(heading[2])), next: i + 1 };
  if (RULE.test(line) || line.trim() === "<hr>") return { node: el("hr"), next: i + 1 };
  if (QUOTE.test(line)) {
    let end = i;
    while (end < lines.length && QUOTE.test(lines[end])) end += 1;
    const inner = lines.slice(i, end).map((quoted) => quoted.replace(QUOTE, ""));
    return { node: el("blockquote", {}, markdown(inner.join("\n"), depth + 1)), next: end };
  }
  if (line.includes("|") && DIVIDER.test(lines[i + 1] ?? "") && lines[i + 1].includes("-")) return table(lines, i);
  if (ITEM.test(line)) return list(lines, i, depth);
  return null;
}

function code(lines, i, [, , mark, language]) {
  let end = i + 1;
  while (end < lines.length && lines[end].trim() !== mark) end += 1;
  const text = lines.slice(i + 1, end).join("\n");
  return { node: codeBlock(text, language), next: Math.min(end + 1, lines.length) };
}

export function codeBlock(text, language) {
  const label = language && !/^(te?xt|plain)/i.test(language) ? el("span", { class: "code-language", text: language.toLowerCase() }) : null;
  return el("div", { class: "code" }, label, el("pre", { tabindex: "0" }, el("code", { text })));
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));

function table(lines, i) {
  const align = cells(lines[i + 1]).map((cell) => (/^:.*:$/.test(cell) ? "center" : /:$/.test(cell) ? "end" : "start"));
  let end = i + 2;
  while (end < lines.length && lines[end].includes("|") && lines[end].trim() !== "") end += 1;
  const row = (line, tag) => el("tr", {}, cells(line).map((cell, n) => el(tag, { class: `align-${align[n] ?? "start"}` }, inline(cell))));
  const body = lines.slice(i + 2, end).map((line) => row(line, "td"));
  const node = el("div", { class: "table", tabindex: "0" }, el("table", {}, el("thead", {}, row(lines[i], "th")), el("tbody", {}, body)));
  return { node, next: end };
}

function list(lines, i, depth) {
  const [, indent, mark] = ITEM.exec(lines[i]);
  const ordered = /\d/.test(mark);
  const node = el(ordered ? "ol" : "ul", ordered && mark !== "1." ? { start: parseInt(mark, 10) } : {});
  let at = i;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length > indent.length + 1 || item[1].length < indent.length || /\d/.test(item[2]) !== ordered) break;
    const inner = [];
    at += 1;
    while (at < lines.length && (/^\s/.test(lines[at]) && lines[at].search(/\S/) > indent.length)) {
      inner.push(lines[at].slice(Math.min(lines[at].search(/\S/), indent.length + 4)));
      at += 1;
    }
    node.append(el("li", {}, inline(item[3]), inner.length ? markdown(inner.join("\n"), depth + 1) : null));
  }
  return { node, next: at };
}

// What is inside a line, tried in this order at each place.
const INLINE = [
  [/^`([^`\n]+)`/, (m) => el("code", { text: m[1] })],
  [/^\\([\\`*_{}[\]()#+\-.!~|<>])/, (m) => m[1]],
  [/^!\[([^\]]*)\]\(([^)\s]+)\)/, (m) => picture(m[2], m[1])],
  [/^\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/, (m, deep) => link(m[2], deep(m[1]))],
  [/^<at\s+(?:user_id|id)=["']?([^"'>\s]+)["']?\s*>([^<]*)<\/at>/, (m) => mention(m[1], m[2])],
  [/^<(?:font|text_tag|number_tag)\s+color=["']?([\w-]+)["']?[^>]*>([\s\S]*?)<\/(?:font|text_tag|number_tag)>/, (m, deep) =>
    el("span", { class: m[0].startsWith("<font") ? `ink-${ink(m[1])}` : `tag tag-${ink(m[1])}` }, deep(m[2]))],
  [/^<a\s+href=["']?([^"'>\s]+)["']?[^>]*>([\s\S]*?)<\/a>/, (m, deep) => link(m[1], deep(m[2]))],
  [/^<(?:br)\s*\/?>/, () => el("br")],
  [/^<\/?(?:raw|link|person)[^>]*>/, () => ""],
  [/^(\*\*|__)(?=\S)([\s\S]*?\S)\1/, (m, deep) => el("strong", {}, deep(m[2]))],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m, deep) => el("s", {}, deep(m[1]))],
  [/^\*(?=\S)([^*]*?\S)\*/, (m, deep) => el("em", {}, deep(m[1]))],
  [/^_(?=\S)([^_]*?\S)_(?!\w)/, (m, deep) => el("em", {}, deep(m[1]))],
  [/^:(\w{2,30}):/, (m) => emoji(m[1]) ?? m[0]],
  [/^https?:\/\/[^\s<>"'`)\]，。；）]+/, (m) => link(m[0], [m[0]])],
  [/^\n/, () => el("br")],
];

const SPECIAL = /[`\\![<*_~:h\n]/;

/** The parts of one line of text. */
export function inline(text, depth = 0) {
  const out = [];
  let plain = "";
  const flush = () => {
    if (plain) out.push(plain);
    plain = "";
  };
  const deep = (inner) => (depth < DEPTH_MAX ? inline(inner, depth + 1) : [inner]);
  for (let rest = text; rest; ) {
    const hit = SPECIAL.test(rest[0]) ? INLINE.map(([shape, make]) => [shape.exec(rest), make]).find(([m]) => m) : null;
    // An underscore inside a word is a letter.
    if (hit && !(rest[0] === "_" && /\w$/.test(plain))) {
      flush();
      out.push(hit[1](hit[0], deep));
      rest = rest.slice(hit[0][0].length);
      continue;
    }
    const next = rest.slice(1).search(SPECIAL);
    const end = next < 0 ? rest.length : next + 1;
    plain += rest.slice(0, end);
    rest = rest.slice(end);
  }
  flush();
  return out;
}

const INKS = ["red", "green", "blue", "orange", "yellow", "purple", "violet", "indigo", "turquoise", "wathet", "carmine", "grey"];
const ink = (name) => (name === "gray" || name === "neutral" ? "grey" : INKS.includes(name) ? name : "default");

/** A link that leads outside; anything but the web is shown as its text. */
export function link(href, children) {
  if (!/^https?:\/\//i.test(href)) return el("span", {}, children);
  return el("a", { href, target: "_blank", rel: "noopener noreferrer" }, children);
}

export function mention(id, name) {
  const who = id === "all" ? t("everyone") : shownName(name || nameOf(id));
  return el("span", { class: "mention", text: `@${who}` });
}

/** A picture that was uploaded; one from elsewhere is not fetched. */
export function picture(key, alt) {
  if (!/^img_/.test(key)) return el("span", { class: "unknown", text: t("picture_not_uploaded", { key }) });
  return el("img", { class: "picture", src: fileUrl(key), alt: alt || t("image"), loading: "lazy" });
}

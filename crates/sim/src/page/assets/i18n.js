// Chinese or English: by choice, else by what the browser asks for.

import en from "./words_en.js";
import zh from "./words_zh.js";

const WORDS = { en, zh };
const KEY = "larkline.language";
const listeners = new Set();

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // Storage may be switched off; then the choice lasts as long as the page.
  }
}

function preferred() {
  const asked = navigator.languages?.length ? navigator.languages : [navigator.language ?? "en"];
  for (const tag of asked) {
    if (tag.toLowerCase().startsWith("zh")) return "zh";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

let language = WORDS[stored()] ? stored() : preferred();

export const current = () => language;

/** The words for a key, with `{name}` filled in; the key itself when there are none. */
export function t(key, values = {}) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The words for a key that may be unknown, such as a reason of the gateway. */
export const maybe = (key, otherwise) => WORDS[language][key] ?? otherwise;

/** Names that the demo gives are words, and shown in the reader's language. */
export const shownName = (name) => maybe(`name.${name}`, name);

export function setLanguage(next) {
  language = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // See above.
  }
  fill();
  for (const listener of listeners) listener();
}

export const onLanguage = (listener) => listeners.add(listener);

/** Fills the words of the page's frame. */
export function fill() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}

/** A time of day. */
export function clock(ms, precise = false) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (precise) Object.assign(options, { second: "2-digit", fractionalSecondDigits: 3 });
  return new Date(ms).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", options);
}

/** A length of time in the unit that says it well. */
export function span(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

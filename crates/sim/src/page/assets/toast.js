// Short words that go by themselves.

import { byId, el } from "./dom.js";

const SHOWN_MS = 5000;
const SHOWN_MAX = 4;

export function toast(text, kind = "info") {
  const list = byId("toasts");
  const note = el("div", { class: `toast toast-${["success", "warning", "error"].includes(kind) ? kind : "info"}`, text });
  list.append(note);
  while (list.children.length > SHOWN_MAX) list.firstChild.remove();
  setTimeout(() => note.remove(), SHOWN_MS);
}

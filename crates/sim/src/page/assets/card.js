// A card as people know it: its frame here, its elements in card_parts.js.

import { el } from "./dom.js";
import { t } from "./i18n.js";
import { elements, plain, summaryOf } from "./card_parts.js";

const TEMPLATES = ["blue", "wathet", "turquoise", "green", "yellow", "orange", "red", "carmine", "violet", "purple", "indigo", "grey"];

/** What a card shows when it is one line: in quotes and previews. */
export function cardSummary(card) {
  const body = card?.body?.elements ?? card?.elements ?? [];
  return plain(card?.header?.title) || plain(card?.config?.summary) || summaryOf(body) || t("card");
}

/**
 * The card of a message. `act(action)` is called with what a press sends; a press that is under
 * way disables the card, as the platform locks it.
 */
export function cardView(message, act) {
  const card = message.card ?? message.content;
  const streaming = card?.config?.streaming_mode === true;
  const node = el("div", { class: `card${streaming ? " streaming" : ""}`, "aria-busy": streaming ? "true" : undefined });
  const context = { act, form: null, message };
  try {
    if (card?.type === "template") node.append(unknownCard(t("card_template", { id: card.data?.template_id ?? "?" })));
    else if (card?.type === "card") node.append(unknownCard(t("card_entity", { id: card.data?.card_id ?? "?" })));
    else fill(node, card, context);
  } catch (error) {
    // A card is somebody else's data: what it breaks is its own picture, not the page.
    node.replaceChildren(unknownCard(t("card_broken", { why: String(error.message ?? error) })));
  }
  return node;
}

const unknownCard = (text) => el("div", { class: "card-body" }, el("span", { class: "unknown", text }));

function fill(node, card, context) {
  const head = header(card.header);
  if (head) node.append(head);
  const locale = Object.values(card.i18n_elements ?? {})[0];
  const list = card.body?.elements ?? card.elements ?? locale ?? [];
  const body = el("div", { class: "card-body" }, elements(list, context));
  if (card.body?.direction === "horizontal") body.classList.add("horizontal");
  if (!list.length && !head) body.append(el("span", { class: "unknown", text: t("card_empty") }));
  node.append(body);
  if (card.config?.streaming_mode === true) node.append(el("div", { class: "card-live" }, el("span", { class: "pulse" }), t("streaming")));
}

function header(given) {
  if (!given) return null;
  const colour = TEMPLATES.includes(given.template) ? given.template : "default";
  const tags = (given.text_tag_list ?? []).map((tag) => el("span", { class: `tag tag-${tag.color ?? "grey"}`, text: plain(tag.text) }));
  const title = el("div", { class: "card-title" }, el("span", { text: plain(given.title) }), tags);
  const subtitle = plain(given.subtitle);
  return el("div", { class: `card-head head-${colour}` }, title, subtitle ? el("div", { class: "card-subtitle", text: subtitle }) : null);
}

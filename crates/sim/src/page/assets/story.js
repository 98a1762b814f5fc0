// What became of a message: a chip beside it, and the whole story when it is opened.

import { el, icon } from "./dom.js";
import { clock, maybe, span, t } from "./i18n.js";
import { answerTo, state, tell } from "./store.js";
import { get } from "./api.js";

const LOOK_EVERY_MS = 1000;

/** Stories that were told, until something changes. */
const told = new Map();

/** The verdict in a word or two; opens the story. */
export function chip(message) {
  const { kind, words } = verdict(message);
  const open = state.stories.has(message.id);
  return el("button", {
    type: "button",
    class: `chip chip-${kind}`,
    tabindex: "-1",
    "aria-expanded": String(open),
    "aria-label": t("story_of", { verdict: words }),
    data: { key: `s-${message.id}` },
    on: { click: () => toggle(message.id) },
  }, el("span", { class: "dot" }), el("span", { text: words }), icon("down", 14));
}

function verdict(message) {
  const known = state.verdicts.get(message.id);
  if (!known) return { kind: "none", words: state.gateway.kind === "none" ? t("said") : t("under_way") };
  const why = known.why ? ` · ${maybe(`why.${known.why}`, known.why)}` : "";
  if (known.verdict === "replied") {
    const answer = answerTo(message.id);
    const after = answer ? ` · ${span(answer.at - message.at)}` : "";
    return { kind: "replied", words: t("verdict.replied") + (after || why) };
  }
  return { kind: known.verdict, words: maybe(`verdict.${known.verdict}`, known.verdict) + why };
}

export function toggle(id) {
  if (!state.stories.delete(id)) {
    state.stories.add(id);
    told.delete(id);
  }
  tell("redraw", id);
}

/** Forgets what was told of messages that changed, so that it is asked for again. */
export function refresh(ids) {
  for (const id of ids) {
    told.delete(id);
    if (state.stories.has(id)) tell("redraw", id);
  }
}

/** The story of a message; asks for it when it is not known yet. */
export function storyView(message) {
  const node = el("section", { class: "story", "aria-label": t("story") });
  const known = told.get(message.id);
  if (known) draw(node, message, known);
  else {
    node.append(el("p", { class: "faint", text: t("story_asked") }));
    ask(message.id);
  }
  return node;
}

async function ask(id) {
  let story;
  try {
    story = await get(`story?id=${encodeURIComponent(id)}`);
  } catch (error) {
    story = { platform: [], gateway: null, note: String(error.message) };
  }
  const same = JSON.stringify(story) === JSON.stringify(told.get(id));
  told.set(id, story);
  if (!same) tell("redraw", id);
}

/** An open story goes on: a second delivery, say, changes no verdict, and nobody tells of it. */
export function start() {
  setInterval(() => state.stories.forEach(ask), LOOK_EVERY_MS);
}

function draw(node, message, story) {
  const steps = [...platformSteps(message, story.platform ?? []), ...gatewaySteps(story.gateway)];
  steps.sort((a, b) => a.at - b.at || a.rank - b.rank);
  const rows = steps.map((step) => el("li", { class: `step step-${step.side}`, title: step.text },
    el("span", { class: "step-time", text: `+${span(step.at - message.at)}`, title: clock(step.at, true) }),
    el("span", { class: "step-mark" }),
    el("span", { class: "step-words" }, el("span", { class: "step-name", text: maybe(`stage.${step.stage}`, step.stage) }), step.detail ? el("span", { class: "step-detail", text: step.detail }) : null)));
  node.append(...[
    el("div", { class: "story-head" }, el("strong", { text: t("story") }), el("code", { text: message.id, title: t("explain_hint", { id: message.id }) })),
    story.note ? el("p", { class: "faint", text: maybe(`note.${state.gateway.kind}`, story.note) }) : null,
    el("ol", { class: "steps" }, rows),
  ].filter(Boolean));
}

/** What the platform saw: its own pushes and the acks of them. */
function platformSteps(message, events) {
  const steps = [{ at: message.at, rank: 0, side: "platform", stage: "sim.said", detail: "" }];
  for (const event of events) {
    event.deliveries.forEach((delivery, n) => {
      const again = n > 0 || event !== events[0];
      const nobody = delivery.conn === "";
      steps.push({ at: delivery.at_ms, rank: 1, side: "platform", stage: nobody ? "sim.nobody" : again ? "sim.pushed_again" : "sim.pushed", detail: "" });
      if (delivery.acked_ms) steps.push({ at: delivery.acked_ms, rank: 6, side: "platform", stage: delivery.late ? "sim.acked_late" : "sim.acked", detail: delivery.code === 200 ? "" : String(delivery.code) });
    });
  }
  return steps;
}

/** What the gateway tells, in the order in which it tells it. */
function gatewaySteps(story) {
  return (story?.steps ?? []).map((step, n) => ({
    at: step.at_ms,
    rank: 2 + n / 1000,
    side: step.step === "verdict" ? "verdict" : /failed|cut_off|dead|unreadable/.test(step.step) ? "trouble" : "gateway",
    stage: step.step,
    detail: particulars(step, story),
    text: step.text,
  }));
}

/** What is worth saying of a step, without words of one language. */
function particulars(step, story) {
  if (step.step === "verdict") return [maybe(`verdict.${story.verdict}`, story.verdict), story.why && maybe(`why.${story.why}`, story.why)].filter(Boolean).join(" · ");
  const attempt = step.attempt > 1 ? `#${step.attempt}` : "";
  const place = step.step === "routed" ? `${step.route} → ${step.handler}` : step.step === "attempt" ? step.handler : "";
  const took = step.took_ms === undefined ? "" : span(step.took_ms);
  const trouble = /failed|dead/.test(step.step) ? step.code : "";
  return [place, attempt, trouble, took, step.log_id && `log id ${step.log_id}`].filter(Boolean).join(" · ");
}

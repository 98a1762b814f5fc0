// Follows the gateway: puts what changed into its place, keeps ages true, opens stories where they
// stand. Without it the page is complete, and as new as its last reload.

const page = document.documentElement;
const zh = page.lang.startsWith("zh");
const follow = document.getElementById("follow");
const lost = document.getElementById("lost");
const said = document.getElementById("said");
const policy = globalThis.trustedTypes?.createPolicy("larkline", { createHTML: (text) => text });

/** Closed for so long the feed is asked for again; away for so long the page says that it is old. */
const AGAIN_MS = 5000;
const LOST_MS = 4000;
/** A feed says something every five seconds; one that is silent for so long has nobody behind it. */
const SILENT_MS = 20000;

/** What the server has made, as elements; it has escaped whatever came from elsewhere. */
function elements(html) {
  const box = document.createElement("template");
  box.innerHTML = policy ? policy.createHTML(html) : html;
  return box.content;
}

const key = (node) => node.id || node.dataset?.key || "";

/** Makes an element like a fresh one and keeps it: focus, what is open, what was loaded. */
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "data-loaded") old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    if (old.getAttribute(name) !== fresh.getAttribute(name)) old.setAttribute(name, fresh.getAttribute(name));
  }
  if (!("loaded" in old.dataset)) morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const keys = new Set([...fresh.children].map(key).filter(Boolean));
  const known = new Map([...old.children].filter(key).map((child) => [key(child), child]));
  for (const child of [...known.values()]) if (!keys.has(key(child))) child.remove();
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = known.get(key(child)) ?? (at && !key(child) && !key(at) && at.nodeName === child.nodeName ? at : null);
    if (!same) old.insertBefore(child, at);
    else {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      morph(same, child);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

let skew = Number(document.body.dataset.now) - Date.now();

function age(ms) {
  const seconds = Math.max(0, Math.floor((Date.now() + skew - ms) / 1000));
  const [number, chinese, english] = seconds < 120 ? [seconds, "秒", "s"]
    : seconds < 7200 ? [seconds / 60, "分钟", "min"]
    : seconds < 172800 ? [seconds / 3600, "小时", "h"] : [seconds / 86400, "天", "d"];
  return `${Math.floor(number)} ${zh ? chinese : english}`;
}

function ages() {
  for (const time of document.querySelectorAll("time[data-at]")) {
    const text = age(Number(time.dataset.at)) + (time.dataset.form === "for" ? "" : zh ? "前" : " ago");
    if (time.textContent !== text) time.textContent = text;
  }
}

let feed = null;
let away = 0;
let silent = 0;

function heard(event) {
  tell("on");
  const { now, parts } = JSON.parse(event.data);
  skew = now - Date.now();
  for (const [name, html] of Object.entries(parts)) {
    const place = document.getElementById(`part-${name}`);
    if (place) morph(place, elements(html).firstElementChild);
  }
  ages();
  const { tone, word } = document.getElementById("part-verdict").dataset;
  page.dataset.tone = tone;
  document.title = `${word} · larkline`;
}

/** Whether the page follows, and if not, why: what it shows is of before. */
function tell(state, why = "gone", wait_ms = 0) {
  clearTimeout(away);
  follow.dataset.state = state;
  const text = follow.dataset[state];
  if (follow.textContent !== text) follow.textContent = text;
  if (state === "on") lost.hidden = true;
  else away = setTimeout(() => {
    lost.textContent = lost.dataset[why];
    lost.hidden = false;
  }, wait_ms);
  clearTimeout(silent);
  if (feed) silent = setTimeout(gone, SILENT_MS);
}

function close() {
  clearTimeout(silent);
  feed?.close();
  feed = null;
}

/** The feed is open, and nobody writes to it. */
function gone() {
  close();
  tell("off");
  open();
}

function open() {
  if (feed || document.hidden) return;
  feed = new EventSource(document.body.dataset.feed);
  silent = setTimeout(gone, SILENT_MS);
  feed.addEventListener("open", () => tell("on"));
  feed.addEventListener("message", heard);
  feed.addEventListener("error", () => {
    const refused = feed?.readyState === EventSource.CLOSED;
    if (refused) close();
    if (follow.dataset.state !== "off") tell("off", "gone", LOST_MS);
    if (refused) ask();
  });
}

/** A feed does not tell why it was refused; a question for its head does. */
async function ask() {
  const answer = await fetch(document.body.dataset.feed, { method: "HEAD" }).catch(() => null);
  const later = Number(answer?.headers.get("retry-after")) * 1000;
  const why = answer?.status === 401 ? "login" : answer?.status === 503 && later ? "full" : "gone";
  if (!answer?.ok) tell("off", why, why === "gone" && lost.hidden ? LOST_MS : 0);
  setTimeout(open, later || AGAIN_MS);
}

/** A page that nobody sees keeps no line open. */
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else open();
});

/** What a row opens is read when it is opened. */
document.addEventListener("toggle", async ({ target }) => {
  const box = target.querySelector?.(":scope > .loaded");
  if (!target.open || !target.dataset.load || !box) return;
  const answer = await fetch(target.dataset.load).catch(() => null);
  if (!answer || !answer.headers.get("content-type")?.startsWith("text/html")) return;
  box.replaceChildren(elements(await answer.text()));
  box.dataset.loaded = "";
}, true);

/** A decision is sent without leaving the page; the feed brings what becomes of it. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("deed" in form.dataset)) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Larkline-Part": "1" } }).catch(() => null);
  const text = await answer?.text();
  said.textContent = answer?.ok ? text : refusal(text);
  document.getElementById("dead").focus();
});

/** Why not, in the page's language; what was answered by somebody else is no answer. */
function refusal(text) {
  try {
    const { error, error_zh: chinese } = JSON.parse(text);
    return (zh && chinese) || error;
  } catch {
    return lost.dataset.gone;
  }
}

ages();
setInterval(ages, 1000);
open();

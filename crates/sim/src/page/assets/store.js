// What the page knows, and who wants to be told when it changes.

const listeners = new Map();

export const state = {
  online: false,
  people: { apps: [], users: [], chats: [] },
  messages: new Map(),
  platform: { connections: 0, faults: { armed: [] } },
  gateway: { kind: "none" },
  verdicts: new Map(),
  /** The person whose hands are on the keyboard. */
  me: null,
  chat: null,
  /** Only this thread of the chat is shown. */
  thread: null,
  /** The message that is being answered. */
  answering: null,
  /** Messages whose story is open. */
  stories: new Set(),
  /** When each chat was last looked at. */
  seen: new Map(),
};

export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
}

export function tell(topic, detail) {
  for (const listener of listeners.get(topic) ?? []) listener(detail);
}

/** Takes one event of the feed in. */
export function take(kind, data) {
  if (kind === "everything") {
    state.people = data.people;
    state.messages = new Map(data.messages.map((message) => [message.id, message]));
    settle();
    tell("people");
    tell("chat");
  } else if (kind === "people") {
    state.people = data;
    const before = state.chat;
    settle();
    tell("people");
    if (state.chat !== before) tell("chat");
  } else if (kind === "message") {
    const isNew = !state.messages.has(data.id);
    state.messages.set(data.id, data);
    tell("message", { message: data, isNew });
  } else if (kind === "state") {
    state.platform = data;
    tell("platform");
  } else if (kind === "gateway") {
    const before = state.gateway;
    state.gateway = data;
    tell("gateway", before);
  } else if (kind === "verdicts") {
    takeVerdicts(data);
  }
}

function takeVerdicts(list) {
  const changed = [];
  for (const verdict of list) {
    const before = state.verdicts.get(verdict.message_id);
    if (before?.verdict === verdict.verdict && before?.why === verdict.why) continue;
    state.verdicts.set(verdict.message_id, verdict);
    changed.push(verdict.message_id);
  }
  if (changed.length) tell("verdicts", changed);
}

/** Makes sure that somebody is me and that a chat of mine is open. */
function settle() {
  const { users } = state.people;
  if (!users.some((user) => user.open_id === state.me)) state.me = users[0]?.open_id ?? null;
  const mine = chats();
  if (!mine.some((chat) => chat.chat_id === state.chat)) state.chat = mine[0]?.chat_id ?? null;
}

/** The chats I am in: direct ones above groups. */
export function chats() {
  const mine = state.people.chats.filter((chat) => chat.members.includes(state.me));
  const rank = (chat) => (chat.chat_type === "p2p" ? 0 : 1);
  return mine.sort((a, b) => rank(a) - rank(b));
}

export const chat = () => state.people.chats.find((known) => known.chat_id === state.chat);
export const user = (openId) => state.people.users.find((known) => known.open_id === openId);
export const bot = (openId) => state.people.apps.find((known) => known.bot_open_id === openId);

/** The name of a person or bot by any of the open ids. */
export function nameOf(openId) {
  const person = state.people.users.find((known) => known.open_ids.includes(openId));
  return person?.name ?? bot(openId)?.name ?? openId;
}

/** Everyone who can be mentioned in the open chat, bots in front. */
export function mentionable() {
  const open = chat();
  if (!open) return [];
  const bots = open.bots.map((id) => ({ id, name: nameOf(id), bot: true }));
  const people = open.members.filter((id) => id !== state.me).map((id) => ({ id, name: nameOf(id), bot: false }));
  return [...bots, ...people];
}

/** Messages of a chat in the order in which they were written. */
export function messagesOf(chatId) {
  const all = [...state.messages.values()].filter((message) => message.chat === chatId);
  return all.sort((a, b) => a.at - b.at);
}

export function choosePerson(openId) {
  state.me = openId;
  state.thread = null;
  state.answering = null;
  state.chat = null;
  settle();
  tell("people");
  tell("chat");
}

export function chooseChat(chatId, thread = null) {
  state.chat = chatId;
  state.thread = thread;
  state.answering = null;
  tell("people");
  tell("chat");
}

/** The first answer of a bot to a message. */
export function answerTo(id) {
  let first = null;
  for (const message of state.messages.values()) {
    if (message.parent_id === id && message.sender.kind === "app" && (!first || message.at < first.at)) first = message;
  }
  return first;
}

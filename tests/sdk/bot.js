// An ordinary bot on the official Node SDK, as its README teaches: the judge is `laws.py`.
//
// What it does is in `laws.py`, section "The bot"; nothing here knows that the platform is a
// simulator, except the domain. It ends when its stdin closes, so that it cannot outlive its judge.

const lark = require("@larksuiteoapi/node-sdk");

const account = {
  appId: process.env.APP_ID,
  appSecret: process.env.APP_SECRET,
  domain: process.env.DOMAIN,
};

function cardWithButton(value) {
  const button = {
    tag: "button",
    text: { tag: "plain_text", content: "OK" },
    behaviors: [{ type: "callback", value: { k: value } }],
  };
  return { schema: "2.0", body: { elements: [button] } };
}

function cardWithText(text, streaming_mode = false) {
  const element = { tag: "markdown", element_id: "answer", content: text };
  return { schema: "2.0", config: { streaming_mode }, body: { elements: [element] } };
}

const client = new lark.Client(account);

async function reply(message_id, msg_type, content, uuid) {
  const data = { msg_type, content: JSON.stringify(content), uuid };
  finish(await client.im.message.reply({ path: { message_id }, data }));
}

async function post(chat_id, text, uuid) {
  const data = { receive_id: chat_id, msg_type: "text", content: JSON.stringify({ text }), uuid };
  finish(await client.im.message.create({ params: { receive_id_type: "chat_id" }, data }));
}

// A card that grows: create it, show it, write into it, close it.
async function stream(message_id, text) {
  const data = { type: "card_json", data: JSON.stringify(cardWithText("", true)) };
  const { card_id } = finish(await client.cardkit.v1.card.create({ data }));
  await reply(message_id, "interactive", { type: "card", data: { card_id } }, message_id);
  const words = text.split(" ");
  for (let n = 1; n <= words.length; n += 1) {
    const data = { content: words.slice(0, n).join(" "), sequence: n };
    finish(await client.cardkit.v1.cardElement.content({ path: { card_id, element_id: "answer" }, data }));
  }
  const settings = JSON.stringify({ config: { streaming_mode: false } });
  const close = { settings, sequence: words.length + 1 };
  finish(await client.cardkit.v1.card.settings({ path: { card_id }, data: close }));
}

// Changes the pressed card when the callback has its answer.
async function updateLater(token) {
  const data = { token, card: cardWithText("later") };
  for (;;) {
    try {
      return finish(await client.request({ method: "POST", url: "/open-apis/interactive/v1/card/update", data }));
    } catch (error) {
      if (error.response?.data?.code !== 200810) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function finish(response) {
  if (response.code !== 0) throw new Error(`${response.code} ${response.msg}`);
  return response.data;
}

async function onMessage({ message }) {
  const { text } = JSON.parse(message.content);
  if (text.startsWith("card:")) {
    await reply(message.message_id, "interactive", cardWithButton(text.slice("card:".length)), message.message_id);
  } else if (text.startsWith("stream:")) {
    await stream(message.message_id, text.slice("stream:".length));
  } else if (text.startsWith("post:")) {
    await post(message.chat_id, text, message.message_id);
  } else {
    const times = text.startsWith("twice:") ? 2 : 1;
    for (let i = 0; i < times; i += 1) {
      await reply(message.message_id, "text", { text }, message.message_id);
    }
  }
}

async function onCard({ action, token }) {
  if (action.value.k === "later") updateLater(token);
  return { toast: { type: "success", content: `pressed ${action.value.k}` } };
}

process.stdin.resume().on("end", () => process.exit(0));
const eventDispatcher = new lark.EventDispatcher({}).register({
  "im.message.receive_v1": onMessage,
  "card.action.trigger": onCard,
});
new lark.WSClient(account).start({ eventDispatcher });

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

const CARD = {
  schema: "2.0",
  body: {
    elements: [
      {
        tag: "button",
        text: { tag: "plain_text", content: "OK" },
        behaviors: [{ type: "callback", value: { k: "v" } }],
      },
    ],
  },
};

const client = new lark.Client(account);

async function reply(message_id, msg_type, content, uuid) {
  const data = { msg_type, content: JSON.stringify(content), uuid };
  finish(await client.im.message.reply({ path: { message_id }, data }));
}

async function post(chat_id, text, uuid) {
  const data = { receive_id: chat_id, msg_type: "text", content: JSON.stringify({ text }), uuid };
  finish(await client.im.message.create({ params: { receive_id_type: "chat_id" }, data }));
}

function finish(response) {
  if (response.code !== 0) throw new Error(`${response.code} ${response.msg}`);
}

async function onMessage({ message }) {
  const { text } = JSON.parse(message.content);
  if (text.startsWith("card:")) {
    await reply(message.message_id, "interactive", CARD, message.message_id);
  } else if (text.startsWith("post:")) {
    await post(message.chat_id, text, message.message_id);
  } else {
    const times = text.startsWith("twice:") ? 2 : 1;
    for (let i = 0; i < times; i += 1) {
      await reply(message.message_id, "text", { text }, message.message_id);
    }
  }
}

async function onCard({ action }) {
  return { toast: { type: "success", content: `pressed ${action.value.k}` } };
}

process.stdin.resume().on("end", () => process.exit(0));
const eventDispatcher = new lark.EventDispatcher({}).register({
  "im.message.receive_v1": onMessage,
  "card.action.trigger": onCard,
});
new lark.WSClient(account).start({ eventDispatcher });

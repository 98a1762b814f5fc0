// The bot that `cargo xtask bench` measures, on the official Node SDK: MODE is `empty` (a handler that
// does nothing) or `echo` (a reply with the same words). It ends when its stdin closes.

const lark = require("@larksuiteoapi/node-sdk");

const account = {
  appId: process.env.APP_ID,
  appSecret: process.env.APP_SECRET,
  domain: process.env.DOMAIN,
};
const client = new lark.Client(account);

async function echo({ message }) {
  const data = { msg_type: "text", content: message.content, uuid: message.message_id };
  await client.im.message.reply({ path: { message_id: message.message_id }, data });
}

process.stdin.resume().on("end", () => process.exit(0));
const eventDispatcher = new lark.EventDispatcher({}).register({
  "im.message.receive_v1": process.env.MODE === "echo" ? echo : async () => {},
});
new lark.WSClient({ ...account, loggerLevel: lark.LoggerLevel.warn }).start({ eventDispatcher });

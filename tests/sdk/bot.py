"""An ordinary bot on the official Python SDK, as its README teaches: the judge is `laws.py`.

What it does is in `laws.py`, section "The bot"; nothing here knows that the platform is a simulator,
except the domain. It ends when its stdin closes, so that it cannot outlive its judge.
"""

import json
import os
import sys
import threading

import lark_oapi as lark
from lark_oapi.api.im.v1 import (
    CreateMessageRequest,
    CreateMessageRequestBody,
    ReplyMessageRequest,
    ReplyMessageRequestBody,
)
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTriggerResponse

APP_ID = os.environ["APP_ID"]
APP_SECRET = os.environ["APP_SECRET"]
DOMAIN = os.environ["DOMAIN"]

CARD = {
    "schema": "2.0",
    "body": {
        "elements": [
            {
                "tag": "button",
                "text": {"tag": "plain_text", "content": "OK"},
                "behaviors": [{"type": "callback", "value": {"k": "v"}}],
            }
        ]
    },
}

client = lark.Client.builder().app_id(APP_ID).app_secret(APP_SECRET).domain(DOMAIN).build()


def reply(message_id, msg_type, content, uuid):
    body = ReplyMessageRequestBody.builder().msg_type(msg_type).content(json.dumps(content)).uuid(uuid).build()
    request = ReplyMessageRequest.builder().message_id(message_id).request_body(body).build()
    finish(client.im.v1.message.reply(request))


def post(chat_id, text, uuid):
    body = CreateMessageRequestBody.builder().receive_id(chat_id).msg_type("text")
    body = body.content(json.dumps({"text": text})).uuid(uuid).build()
    request = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body).build()
    finish(client.im.v1.message.create(request))


def finish(response):
    if not response.success():
        raise RuntimeError(f"{response.code} {response.msg} log id {response.get_log_id()}")


def on_message(data):
    message = data.event.message
    text = json.loads(message.content)["text"]
    if text.startswith("card:"):
        reply(message.message_id, "interactive", CARD, message.message_id)
    elif text.startswith("post:"):
        post(message.chat_id, text, message.message_id)
    else:
        times = 2 if text.startswith("twice:") else 1
        for _ in range(times):
            reply(message.message_id, "text", {"text": text}, message.message_id)


def on_card(data):
    value = data.event.action.value["k"]
    return P2CardActionTriggerResponse({"toast": {"type": "success", "content": f"pressed {value}"}})


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
handler = (
    lark.EventDispatcherHandler.builder("", "")
    .register_p2_im_message_receive_v1(on_message)
    .register_p2_card_action_trigger(on_card)
    .build()
)
lark.ws.Client(APP_ID, APP_SECRET, event_handler=handler, domain=DOMAIN).start()

"""An ordinary bot on the official Python SDK, as its README teaches: the judge is `laws.py`.

What it does is in `laws.py`, section "The bot"; nothing here knows that the platform is a simulator,
except the domain. It ends when its stdin closes, so that it cannot outlive its judge.
"""

import json
import os
import sys
import threading
import time

import lark_oapi as lark
from lark_oapi.api.cardkit.v1 import (
    ContentCardElementRequest,
    ContentCardElementRequestBody,
    CreateCardRequest,
    CreateCardRequestBody,
    SettingsCardRequest,
    SettingsCardRequestBody,
)
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


def card_with_button(value):
    button = {
        "tag": "button",
        "text": {"tag": "plain_text", "content": "OK"},
        "behaviors": [{"type": "callback", "value": {"k": value}}],
    }
    return {"schema": "2.0", "body": {"elements": [button]}}


def card_with_text(text, streaming_mode=False):
    element = {"tag": "markdown", "element_id": "answer", "content": text}
    return {"schema": "2.0", "config": {"streaming_mode": streaming_mode}, "body": {"elements": [element]}}


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


def stream(message_id, text):
    """A card that grows: create it, show it, write into it, close it."""
    body = CreateCardRequestBody.builder().type("card_json").data(json.dumps(card_with_text("", True))).build()
    card_id = finish(client.cardkit.v1.card.create(CreateCardRequest.builder().request_body(body).build())).card_id
    reply(message_id, "interactive", {"type": "card", "data": {"card_id": card_id}}, message_id)
    words = text.split(" ")
    for n in range(1, len(words) + 1):
        body = ContentCardElementRequestBody.builder().content(" ".join(words[:n])).sequence(n).build()
        request = ContentCardElementRequest.builder().card_id(card_id).element_id("answer").request_body(body).build()
        finish(client.cardkit.v1.card_element.content(request))
    off = json.dumps({"config": {"streaming_mode": False}})
    body = SettingsCardRequestBody.builder().settings(off).sequence(len(words) + 1).build()
    finish(client.cardkit.v1.card.settings(SettingsCardRequest.builder().card_id(card_id).request_body(body).build()))


def update_later(token):
    """Changes the pressed card when the callback has its answer."""
    request = lark.BaseRequest.builder().http_method(lark.HttpMethod.POST)
    request = request.uri("/open-apis/interactive/v1/card/update").token_types({lark.AccessTokenType.TENANT})
    request = request.body({"token": token, "card": card_with_text("later")}).build()
    # A request of one's own comes back unread.
    while (code := json.loads(client.request(request).raw.content)["code"]) == 200810:
        time.sleep(0.05)
    if code != 0:
        raise RuntimeError(f"the card was not changed: {code}")


def finish(response):
    if not response.success():
        raise RuntimeError(f"{response.code} {response.msg} log id {response.get_log_id()}")
    return getattr(response, "data", None)


def on_message(data):
    message = data.event.message
    text = json.loads(message.content)["text"]
    if text.startswith("card:"):
        reply(message.message_id, "interactive", card_with_button(text[len("card:") :]), message.message_id)
    elif text.startswith("stream:"):
        stream(message.message_id, text[len("stream:") :])
    elif text.startswith("post:"):
        post(message.chat_id, text, message.message_id)
    else:
        times = 2 if text.startswith("twice:") else 1
        for _ in range(times):
            reply(message.message_id, "text", {"text": text}, message.message_id)


def on_card(data):
    value = data.event.action.value["k"]
    if value == "later":
        threading.Thread(target=update_later, args=[data.event.token], daemon=True).start()
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

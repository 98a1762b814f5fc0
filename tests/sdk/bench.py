"""The bot that `cargo xtask bench` measures, on the official Python SDK: MODE is `empty` (a handler that
does nothing) or `echo` (a reply with the same words). It ends when its stdin closes.
"""

import os
import sys
import threading

import lark_oapi as lark
from lark_oapi.api.im.v1 import ReplyMessageRequest, ReplyMessageRequestBody

APP_ID = os.environ["APP_ID"]
APP_SECRET = os.environ["APP_SECRET"]
DOMAIN = os.environ["DOMAIN"]

client = lark.Client.builder().app_id(APP_ID).app_secret(APP_SECRET).domain(DOMAIN).build()


def echo(data):
    message = data.event.message
    body = ReplyMessageRequestBody.builder().msg_type("text").content(message.content)
    body = body.uuid(message.message_id).build()
    client.im.v1.message.reply(ReplyMessageRequest.builder().message_id(message.message_id).request_body(body).build())


def nothing(data):
    pass


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
handler = lark.EventDispatcherHandler.builder("", "")
handler = handler.register_p2_im_message_receive_v1(echo if os.environ["MODE"] == "echo" else nothing).build()
lark.ws.Client(APP_ID, APP_SECRET, event_handler=handler, domain=DOMAIN, log_level=lark.LogLevel.WARNING).start()

"""Laws between a bot and the platform, judged from the simulator's ledger.

The bot is a program of its own, given after `--`: an official SDK, unmodified. Without one it runs already,
as larkline does behind a proxy.
For every law one line of JSON goes to stdout: {"law": …, "held": true|false, "seconds": …, "why": …}.
When a law fails, what the bot printed follows.

The bot
    reads APP_ID, APP_SECRET and DOMAIN (the simulator's URL), connects, and answers every text with a
    reply that repeats it, with the message's id as `uuid`. Four openings ask for more:
    `twice:` the same reply is sent two times, `post:` the answer is a message and no reply, `card:v` the
    reply is a card with a button whose value is {"k": "v"}; a press of it is answered with the toast
    `pressed v`, and `later` as the value makes the bot change the card to the text `later` after that,
    by the callback's token. `stream:` the reply is a card entity into whose element `answer` the words
    are streamed one by one. It ends when its stdin closes.

usage: laws.py --sim URL --name NAME [--filter TEXT] [--only LAW,…] [-- PROGRAM ARGUMENT…]
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import tempfile
import time
import urllib.request

APP_ID = "cli_a1b2c3d4e5f60718"
APP_SECRET = "simulator-secret"

# Long enough for a slow machine under load; every wait ends as soon as its condition holds.
PATIENCE_S = 20.0
# Until a bot is connected; an interpreter may take long to load its SDK.
START_S = 60.0
POLL_S = 0.02


class Broken(Exception):
    """A law did not hold; the text says what was seen instead."""


class Platform:
    """The simulator through its admin API; the forms are in docs/simulator.md."""

    def __init__(self, url):
        self.url = url
        self.bot = None

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{path}", data, {"Content-Type": "application/json"})
        # The variables of a proxy are for the bot, never for its judge.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def ledger(self):
        return self.call("ledger")

    def file(self, key):
        """The bytes of a file that was sent."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/_sim/file?key={key}", timeout=PATIENCE_S) as answer:
            return answer.read()

    def fault(self, kind, **fields):
        self.call("fault", {"kind": kind, **fields})

    def say(self, text):
        return self.call("say", {"chat": self.chat, "user": self.user, "text": text})["message_id"]

    def people(self):
        """One person and their direct chat with the bot."""
        self.user = self.call("users", {"name": "Ada"})["open_id"]
        self.chat = self.call("p2p", {"user": self.user})["chat_id"]

    def until(self, what, find, patience_s=PATIENCE_S):
        """The value `find(ledger)` gives as soon as it is true."""
        end = time.monotonic() + patience_s
        while True:
            found = find(self.ledger())
            if found:
                return found
            if self.bot and self.bot.poll() is not None:
                raise Broken("the bot has ended by itself")
            if time.monotonic() > end:
                raise Broken(f"{what} did not happen within {patience_s:.0f} s")
            time.sleep(POLL_S)

    def link(self, besides=(), patience_s=PATIENCE_S):
        """The id of an open connection that has pinged and is none of `besides`."""

        def live(ledger):
            rows = (row for row in ledger["connections"] if row["closed_ms"] is None and row["pings"] > 0)
            return next((row["id"] for row in rows if row["id"] not in besides), None)

        return self.until("a live connection", live, patience_s)

    def answer_to(self, message):
        return self.until("the answer", lambda ledger: answers(ledger, message))[0]

    def event_of(self, message):
        """The event's row once it is acknowledged."""

        def done(ledger):
            return next((row for row in ledger["events"] if row["message_id"] == message and row["done"]), None)

        return self.until("the ack", done)


def answers(ledger, message):
    return [row for row in ledger["messages"] if row["reply_to"] == message]


def texts(ledger, text):
    return [row for row in ledger["messages"] if row["text"] == text]


def calls(ledger, part):
    return [row for row in ledger["calls"] if part in row["path"]]


def expect(condition, seen):
    if not condition:
        raise Broken(seen)


# The laws, in the order of a bot's bad day.
LAWS = []


def law(holds):
    LAWS.append(holds)
    return holds


@law
def the_bot_connects_and_pings(platform):
    platform.link(patience_s=START_S)
    discoveries = calls(platform.ledger(), "/callback/ws/endpoint")
    expect(len(discoveries) == 1 and discoveries[0]["code"] == 0, f"discoveries: {discoveries}")


@law
def a_text_is_heard_acknowledged_and_answered(platform):
    message = platform.say("good morning")
    answer = platform.answer_to(message)
    expect(answer["text"] == "good morning", f"the answer is {answer['text']!r}")
    event = platform.event_of(message)
    expect(len(event["deliveries"]) == 1, f"deliveries: {event['deliveries']}")
    delivery = event["deliveries"][0]
    expect(delivery["code"] == 200 and delivery["headers_echoed"], f"the ack: {delivery}")


@law
def one_token_serves_many_sends(platform):
    for number in range(3):
        platform.answer_to(platform.say(f"number {number}"))
    tokens = calls(platform.ledger(), "tenant_access_token")
    expect(len(tokens) == 1, f"{len(tokens)} token calls")


@law
def a_message_can_be_posted_without_a_reply(platform):
    message = platform.say("post: hello")
    row = platform.until("the post", lambda ledger: texts(ledger, "post: hello"))[-1]
    expect(row["reply_to"] is None and row["uuid"] == message, f"the post: {row}")


@law
def the_same_uuid_is_one_message(platform):
    message = platform.say("twice: hello")
    platform.until("the second send", lambda ledger: sum(row["replays"] for row in answers(ledger, message)))
    sent = answers(platform.ledger(), message)
    expect(len(sent) == 1, f"{len(sent)} messages in the chat")


@law
def fragments_are_joined_in_any_order(platform):
    # Parts of 100 bytes cut some of the three-byte characters in the middle.
    text = "你好，世界！" * 60
    platform.fault("fragment", bytes=100, shuffle=True)
    message = platform.say(text)
    answer = platform.answer_to(message)
    expect(answer["text"] == text, f"the answer is {answer['text']!r}")
    acks = [delivery["code"] for delivery in platform.event_of(message)["deliveries"]]
    expect(acks == [200], f"acks: {acks}")


@law
def the_answer_to_a_pressed_button_reaches_the_presser(platform):
    card = platform.answer_to(platform.say("card:v"))
    expect(card["msg_type"] == "interactive", f"the card: {card}")
    press = {"message": card["message_id"], "user": platform.user, "value": {"k": "v"}}
    result = platform.call("press", press)
    expect((result["toast"] or {}).get("content") == "pressed v", f"the presser saw {result}")


@law
def a_pressed_card_changes_later_by_its_token(platform):
    card = platform.answer_to(platform.say("card:later"))
    press = {"message": card["message_id"], "user": platform.user, "value": {"k": "later"}}
    result = platform.call("press", press)
    expect((result["toast"] or {}).get("content") == "pressed later", f"the presser saw {result}")

    def changed(ledger):
        return next((row for row in ledger["messages"] if row["message_id"] == card["message_id"] and row["edits"]), None)

    row = platform.until("the change", changed)
    expect(row["text"] == "later", f"the card: {row}")


@law
def a_card_streams_its_answer_word_by_word(platform):
    message = platform.say("stream:one two three")
    row = platform.until("the end of the stream", lambda ledger: streamed(ledger, message))
    grown = [json.loads(edit["content"])["body"]["elements"][0]["content"] for edit in row["edits"]]
    expect(grown == ["one", "one two", "one two three", "one two three"], f"the card grew as {grown}")
    expect(row["card_id"], f"the message: {row}")


def streamed(ledger, message):
    """The answer to a message once its card streams no more."""
    done = (row for row in answers(ledger, message) if row["card_id"])
    return next((row for row in done if not json.loads(row["content"])["config"]["streaming_mode"]), None)


@law
def an_event_that_comes_again_makes_no_second_message(platform):
    message = platform.say("heard two times")
    platform.answer_to(message)
    event = platform.event_of(message)
    platform.fault("duplicate", event_id=event["event_id"])
    answered_one_time(platform, message)


@law
def a_throttled_send_is_made_good_by_the_next_delivery(platform):
    answer = {"with": "code", "status": 429, "code": 99991400, "msg": "request trigger frequency limit", "reset_s": 1}
    platform.fault("api", path="/reply", method="POST", answer=answer)
    message = platform.say("are you busy?")
    platform.answer_to(message)
    refused = [row for row in calls(platform.ledger(), "/reply") if row["code"] == 99991400]
    expect(refused, "no send was refused")
    expect(len(platform.event_of(message)["deliveries"]) > 1, "the refusal was hidden from the platform")


@law
def a_lost_answer_makes_no_second_message(platform):
    platform.fault("lose_answer", path="/reply")
    message = platform.say("said into the dark")
    platform.event_of(message)
    answered_one_time(platform, message)


def answered_one_time(platform, message):
    """There is one answer, and the platform was asked for it again under the same `uuid`."""
    platform.until("the send again", lambda ledger: sum(row["replays"] for row in answers(ledger, message)))
    sent = answers(platform.ledger(), message)
    expect(len(sent) == 1, f"{len(sent)} messages in the chat")


@law
def after_a_reset_the_bot_is_back(platform):
    old = platform.link()
    platform.fault("rst")
    comes_back(platform, old)


@law
def after_a_close_the_bot_is_back(platform):
    old = platform.link()
    platform.fault("close", code=1001, reason="going away")
    comes_back(platform, old)


@law
def after_a_refused_handshake_the_bot_is_back(platform):
    old = platform.link()
    platform.fault("refuse_handshake", handshake_status=514, autherrcode=1, msg="try again")
    platform.fault("rst")
    comes_back(platform, old)
    refused = [row for row in calls(platform.ledger(), "/ws/v2") if row["status"] == 400]
    expect(refused, "no handshake was refused")


@law
def a_text_said_while_the_bot_is_away_is_heard(platform):
    old = platform.link()
    platform.fault("refuse_handshake", handshake_status=503, msg="maintenance")
    platform.fault("rst")
    message = platform.say("said to nobody")
    platform.link(besides=[old])
    platform.answer_to(message)


def comes_back(platform, old):
    platform.link(besides=[old])
    platform.answer_to(platform.say("are you back?"))


@law
def the_platform_has_nothing_to_object(platform):
    violations = platform.ledger()["violations"]
    expect(not violations, f"violations: {violations}")


@contextlib.contextmanager
def running(program, platform):
    """The bot while it runs; gives a reader of what it prints."""
    if not program:
        yield io.StringIO()
        return
    environment = {**os.environ, "APP_ID": APP_ID, "APP_SECRET": APP_SECRET, "DOMAIN": platform.url}
    with tempfile.NamedTemporaryFile("ab") as out, open(out.name, encoding="utf-8", errors="replace") as log:
        platform.bot = bot = subprocess.Popen(program, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=out)
        try:
            yield log
        finally:
            bot.stdin.close()
            try:
                bot.wait(5)
            except subprocess.TimeoutExpired:
                bot.kill()


def verdict(platform, holds, log):
    """The verdict on one law; what the bot printed meanwhile is shown if it did not hold."""
    start, why = time.monotonic(), ""
    log.seek(0, os.SEEK_END)
    try:
        platform.link(patience_s=START_S)
        holds(platform)
    except Exception as error:  # whatever it was, the law did not hold
        why = f"{type(error).__name__}: {error}"
        printed = log.read()
        if printed:
            why += f"\nthe bot printed:\n{printed}"
    platform.fault("clear")
    return {"held": not why, "seconds": round(time.monotonic() - start, 3), "why": why}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sim", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("bot", nargs="*")
    options = parser.parse_args()
    chosen = [law for law in LAWS if not options.only or law.__name__ in options.only.split(",")]
    named = {f"{options.name}::{law.__name__}": law for law in chosen}
    named = {name: law for name, law in named.items() if options.filter in name}
    if not named:
        return
    platform = Platform(options.sim)
    platform.people()
    with running(options.bot, platform) as log:
        for name, holds in named.items():
            print(json.dumps({"law": name, **verdict(platform, holds, log)}), flush=True)


if __name__ == "__main__":
    main()

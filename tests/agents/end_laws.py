"""How a turn ends: each end has its own words, one answer, and the conversation goes on."""

import re

from cards import STOP, content, is_final, strings, words
from judging import law
from talking import ENDLESS, a_turn, goes_on, no_objections, tool
from world import expect, mark

HUGE = 3_000_000


@law(key=False)
def not_logged_in(world):
    world.start()
    word = mark()
    message = world.say(f"[[say {word}]]")
    world.answer_to(message, "is not logged in")
    expect(not world.requests(word), "the service was asked without a key")


@law()
def overload_retried(world):
    world.start()
    word = mark()
    message = world.say(f"[[error 529 x2]][[say {word}]]")
    row = world.answer_to(message, word)
    expect(len(world.requests(word)) >= 3, f"{len(world.requests(word))} requests")
    expect("overloaded" not in words(row), "a retry that helped is in the answer")


@law()
def each_end_has_its_words(world):
    world.start()
    before = a_turn(world)
    for told, directive in {
        "is overloaded": "[[error 529]]",
        "its key is refused": "[[error 401]]",
        "refused to answer": "[[stop refusal]][[say x]]",
        "gave up: API Error: 400": "[[error 400]]",
    }.items():
        message = world.say(f"{mark()} {directive}")
        world.answer_to(message, told)
    goes_on(world, before)


@law(keys="turns_max = 1", permission="allow")
def a_limit_is_said(world):
    world.start()
    before = a_turn(world)
    message = world.say(tool("echo hello"))
    world.answer_to(message, "limit was reached")
    goes_on(world, before)


@law(limits='wall = "3s", idle = "1m"')
def too_long_is_ended(world):
    ended(world, ENDLESS, "Ended after 3 s, its limit")


@law(limits='wall = "1m", idle = "3s"')
def too_silent_is_ended(world):
    ended(world, "[[stall 600]]", "Ended after 3 s of silence")


def ended(world, directive, told):
    world.start()
    before = a_turn(world)
    message = world.say(f"{mark()} {directive}")
    world.answer_to(message, told)
    world.nobody_left()
    goes_on(world, before)


@law()
def interrupt_by_stop(world):
    stopped(world, lambda: world.say("/stop"))


@law()
def interrupt_by_button(world):
    stopped(world, lambda: world.press(STOP))


def stopped(world, stop):
    world.start()
    before = a_turn(world)
    word = mark()
    message = world.say(f"{word} {ENDLESS}")
    world.growing("0123456789")
    stop()
    row = world.answer_to(message, "Stopped by")
    expect("0123456789" in words(row), "what was said before the stop is gone")
    world.nobody_left()
    goes_on(world, before)


@law()
def huge_output(world):
    world.start()
    message = world.say(f"[[long {HUGE}]]")

    def arrived(rows):
        """Cards, none of which grows any more, and a file after them."""
        rows = [row for row in rows if row["reply_to"] == message]
        return rows if rows and rows[-1]["msg_type"] == "file" and all(map(is_final, rows[:-1])) else None

    *cards, file = world.until("the answer in cards and a file", arrived)
    whole = world.platform.file(content(file)["file_key"]).decode()
    expect(whole == "0123456789" * (HUGE // 10), f"the file holds {len(whole)} characters")
    # They may break the long line.
    shown = "".join(re.sub(r"\D", "", answer(row)) for row in cards)
    expect(len(cards) > 1 and whole.startswith(shown), "the cards show something else than the beginning")
    expect(len(cards) < 20, f"{len(cards)} cards")
    no_objections(world)
    a_turn(world)


def answer(row):
    """The answer in a card, without the small words below."""
    elements = content(row)["body"]["elements"]
    parts = [element for element in elements if element.get("text_size") != "notation"]
    return "".join(text for part in parts for text in strings(part.get("content", "")))

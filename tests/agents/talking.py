"""What laws have people say, and what every conversation has to keep to."""

import json

from cards import words
from world import expect, mark

# A turn that lasts until somebody ends it: ten minutes of pieces.
ENDLESS = "[[chunks 600]][[delay 1]][[long 6000]]"
# One that lasts long enough to be met in the middle.
LONG_S = 5


def tool(command):
    """The model has the shell run this."""
    return f"[[tool Bash {json.dumps({'command': command, 'description': 'x'})}]]"


def long_turn(word):
    """A turn whose first answer takes a while; its last words."""
    last = f"last{word}"
    return f"[[first-lasts {LONG_S}]][[say {word} {'0123456789 ' * 10}{last}]]", last


def a_turn(world):
    """One good turn; its word and its conversation."""
    word = mark()
    message = world.say(f"[[say {word}]]")
    world.answer_to(message, word)
    return word, world.session(word)


def goes_on(world, before):
    """A further turn of the conversation in which `before` was said; the model is told of both."""
    old, session = before
    word, same = a_turn(world)
    expect(same == session, f"the conversation was {session} and is {same}")
    expect(old in json.dumps(world.asked(word)["body"]), "the model was not told what was said before")


def resumes(world):
    """A conversation goes on after a restart of the gateway."""
    world.start()
    before = a_turn(world)
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.start()
    goes_on(world, before)


def said_once(world, text):
    """Something that a person is told one time; the message that says it."""
    rows = [row for row in world.told() if text in words(row)]
    expect(len(rows) == 1, f"{text!r} stands in {len(rows)} messages")
    return rows[0]


def no_objections(world):
    expect(not world.platform.ledger()["violations"], "the platform had something to object")

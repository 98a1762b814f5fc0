"""What a stop, a crash and an upgrade do to a turn: nothing that a person has to do anything about."""

import json
import os
import shutil
import signal

import world as worlds
from cards import words
from judging import law
from talking import ENDLESS, a_turn, goes_on, long_turn, tool
from world import expect, mark

# Leaves its session, its parent, its terminal, and all three.
STRAYS = "setsid sleep 6000 & nohup sleep 6000 >/dev/null 2>&1 & (setsid sleep 6000 >/dev/null 2>&1 &) ; echo started"


class Middle:
    """A conversation with one good turn and a long one that has begun to be answered."""

    def __init__(self, world):
        self.world = world
        world.start()
        self.before = a_turn(world)
        self.word = mark()
        text, self.last = long_turn(self.word)
        self.message = world.say(text)
        self.card = world.growing(self.word)["message_id"]

    def arrived(self):
        """The whole answer is in the card that was there before, and nowhere else; the conversation goes on."""
        row = self.world.answer_to(self.message, self.last)
        expect(row["message_id"] == self.card, "the answer came in another card")
        said = words(row)
        expect("restart" not in said, f"the answer still speaks of a restart: {said}")
        goes_on(self.world, self.before)
        expect(self.world.session(self.word) == self.before[1], "the long turn had another conversation")
        self.world.settled()
        # No signal to the service is anybody's wish in a chat.
        told = json.dumps(self.world.told(), ensure_ascii=False)
        for words_of_nobody in ("interrupted", "SIGINT", "SIGTERM", "Stopped by"):
            expect(words_of_nobody not in told, f"the chat was told {words_of_nobody!r}")

    def was_resumed(self):
        told = [json.dumps(request["body"]) for request in self.world.requests(self.word)]
        expect(len(told) >= 2, "the agent was not started again")
        expect(any("service was restarted" in text for text in told), "the agent was not told of the restart")


@law(drain="0s")
def sigterm_mid_turn(world):
    middle = Middle(world)
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.nobody_left()
    said = words(next(row for row in world.told() if row["message_id"] == middle.card))
    expect("this work goes on by itself" in said, f"at the stop the card said {said}")
    world.start()
    middle.arrived()
    middle.was_resumed()


@law()
def kill9_mid_turn(world):
    middle = Middle(world)
    world.stop(signal.SIGKILL)
    world.start()
    middle.arrived()
    middle.was_resumed()


@law()
def kill9_in_the_first_turn(world):
    """The agent's id is on disk before its first turn is over."""
    world.start()
    word = mark()
    text, last = long_turn(word)
    message = world.say(text)
    world.growing(word)
    session = world.session(word)
    world.stop(signal.SIGKILL)
    world.start()
    world.answer_to(message, last)
    goes_on(world, (word, session))


@law(drain="2m")
def upgrade_waits_for_a_turn(world):
    middle = Middle(world)
    upgrade(world)
    middle.arrived()
    expect(len(world.requests(middle.last)) == 2, "the turn was begun again")


@law(drain="0s")
def upgrade_resumes_a_turn(world):
    middle = Middle(world)
    upgrade(world)
    middle.arrived()
    middle.was_resumed()


def upgrade(world):
    """Another copy of the program takes over from the running one."""
    old, new = world.gateway, world.home / "larkline-new"
    shutil.copy2(world.tools.larkline, new)
    world.platform.bot = None
    world.start("--takeover", larkline=new)
    expect(old.wait(worlds.PATIENCE_S) == 0, "the old gateway did not stop in order")


@law(drain="2m")
def ctrl_c_reaches_no_agent(world):
    middle = Middle(world)
    gateway = world.gateway
    # What a terminal does: to all of the group at once.
    os.killpg(gateway.pid, signal.SIGINT)
    world.platform.bot = None
    expect(gateway.wait(worlds.PATIENCE_S) == 0, "the gateway did not stop in order")
    world.gateway = None
    row = world.answer_to(middle.message, middle.last)
    expect(row["message_id"] == middle.card, "the answer came in another card")
    world.start()
    middle.arrived()


@law(permission="allow")
def grandchildren_gone(world):
    world.start()
    world.say(tool(STRAYS))
    world.answered("started")
    world.nobody_left()


@law(permission="allow")
def grandchildren_gone_after_a_stop(world):
    strays_run(world)
    world.say("/stop")
    world.answered("Stopped by")
    world.nobody_left()


@law(permission="allow", drain="0s")
def grandchildren_gone_after_sigterm(world):
    strays_run(world)
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.nobody_left()


@law(permission="allow")
def grandchildren_gone_after_kill9(world):
    """The next start ends what a killed gateway left, before it goes on."""
    strays_run(world)
    world.stop(signal.SIGKILL)
    expect(world.processes(), "nothing was left, so nothing is judged")
    old = set(world.processes())
    world.start()
    world.wait("the end of the old processes", lambda: not old & set(world.processes()))
    world.say("/stop")


def strays_run(world):
    """A turn in which strays were started, and a tool call that does not end."""
    world.start()
    word = mark()
    world.say(tool(f"echo {word}; {STRAYS}; exec sleep 6000"))
    world.wait("the strays", lambda: sum(is_sleep(pid) for pid in world.processes()) >= 4)


def is_sleep(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().startswith(b"sleep\0")
    except OSError:
        return False

"""Codex, which tells and asks less: the same conversation over many processes."""

import json
import re
import shutil
import signal

from cards import words
from judging import law
from talking import a_turn, goes_on, resumes, said_once
from world import expect, mark, sdk

# A turn that lasts until somebody ends it.
STALL = "[[stall 600]]"


def shell(command):
    return f"[[tool exec_command {json.dumps({'cmd': command})}]]"


def used(row):
    """Tokens in and out, by the small words below an answer."""
    found = re.search(r"↑(\S+) ↓(\S+)", words(row))
    return found and found.groups()


@law(agent="codex")
def codex_first_turn(world):
    world.start()
    _, session = a_turn(world)
    expect(session, "the agent named no conversation")


@law(agent="codex")
def codex_resume(world):
    resumes(world)


@law(agent="codex")
def codex_unknown_thread_begins_afresh(world):
    world.start()
    old, session = a_turn(world)
    world.stop()
    shutil.rmtree(world.agents_home / ".codex" / "sessions")
    for database in (world.agents_home / ".codex").glob("*.sqlite*"):
        database.unlink()
    world.start()
    word, fresh = a_turn(world)
    expect(fresh != session, "the conversation has the id of the one that is gone")
    expect(old not in json.dumps(world.asked(word)["body"]), "the agent remembered what was deleted")
    expect(word in words(said_once(world, "cannot be resumed")), "the person is told somewhere else")
    goes_on(world, (word, fresh))


@law(agent="codex")
def codex_use_is_that_of_the_turn(world):
    world.start()
    for _ in range(3):
        word = mark()
        row = world.answer_to(world.say(f"[[usage 1000 50]][[say {word}]]"), word)
        expect(used(row) == ("1.0k", "50"), f"the turn used {used(row)}")
        world.stop()
        world.start()
    said = words(world.command("/status", "Used"))
    expect("3000 tokens in, 150 out" in said, f"in all {said}")


@law(agent="codex", permission="allow")
def codex_stop(world):
    world.start()
    before = a_turn(world)
    world.say(shell("setsid sleep 6000 & sleep 6000"))
    world.wait("the command", lambda: len(world.processes()) > 2)
    world.say("/stop")
    world.answered("Stopped by")
    world.nobody_left()
    goes_on(world, before)


@law(agent="codex")
def codex_kill9_mid_turn(world):
    world.start()
    before = a_turn(world)
    word = mark()
    message = world.say(f"[[stall 4]][[say {word}]]")
    world.asked(word)
    world.stop(signal.SIGKILL)
    world.start()
    world.answer_to(message, word)
    expect(world.session(word) == before[1], "the long turn had another conversation")
    goes_on(world, before)


@law(agent="codex")
def codex_key_not_in_shell(world):
    world.start()
    word = mark()
    everything = "env; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -a ."
    world.say(shell(f"echo {word}; {everything}"))
    world.answered("tool said")
    seen = json.dumps(world.wait("the command's output", lambda: world.requests(word)[1:])[-1]["body"]["input"][-1])
    expect("PATH=" in seen, f"no environment in {seen}")
    expect(world.key not in seen, "the shell saw the key")
    expect(sdk.APP_SECRET not in seen, "the shell saw the platform's secret")


@law(agent="codex")
def codex_not_logged_in(world):
    world.key = ""
    world.configure()
    world.start()
    word = mark()
    message = world.say(f"[[say {word}]]")
    world.answer_to(message, "is not logged in")
    expect(not world.requests(word), "the service was asked without a key")

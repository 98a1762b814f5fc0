"""An agent behind the Agent Client Protocol: Codex' adapter, which asks, and does not end with its input."""

import json
import shutil
import signal

from cards import ALLOW, ALWAYS, DENY
from judging import law
from talking import a_turn, goes_on, resumes, said_once
from world import expect, mark


def escalated(command):
    """The model wants the shell to run this outside of its sandbox, for which it needs leave."""
    call = {"cmd": command, "sandbox_permissions": "require_escalated", "justification": "need"}
    return f"[[tool exec_command {json.dumps(call)}]]"


@law(agent="acp")
def acp_first_turn(world):
    world.start()
    _, session = a_turn(world)
    expect(session, "the agent named no conversation")


@law(agent="acp")
def acp_resume(world):
    resumes(world)


@law(agent="acp")
def acp_unknown_session_begins_afresh(world):
    world.start()
    old, _ = a_turn(world)
    world.stop()
    shutil.rmtree(world.agents_home / ".codex" / "sessions")
    world.start()
    word, fresh = a_turn(world)
    expect(old not in json.dumps(world.asked(word)["body"]), "the agent remembered what was deleted")
    said_once(world, "cannot be resumed")
    goes_on(world, (word, fresh))


@law(agent="acp")
def acp_permission(world):
    world.start()
    for choice, made in ((DENY, False), (ALLOW, True), (ALWAYS, True)):
        folder = world.folder / mark()
        message = world.say(escalated(f"mkdir {folder}"))
        world.press(choice)
        world.settled()
        expect(folder.is_dir() == made, f"after {choice[0]} the folder is {'not ' if made else ''}there")
    folder.rmdir()
    message = world.say(escalated(f"mkdir {folder}"))
    world.answer_to(message, "tool said")
    expect(folder.is_dir(), "what is always allowed was not done")


@law(agent="acp")
def acp_stop(world):
    world.start()
    before = a_turn(world)
    world.say("[[chunks 600]][[delay 1]][[long 6000]]")
    world.growing("0123456789")
    world.say("/stop")
    world.answered("Stopped by")
    world.nobody_left()
    goes_on(world, before)


@law(agent="acp")
def acp_kill9_mid_turn(world):
    world.start()
    before = a_turn(world)
    word = mark()
    message = world.say(f"[[stall 4]][[say {word}]]")
    world.asked(word)
    world.stop(signal.SIGKILL)
    world.start()
    world.answer_to(message, word)
    goes_on(world, before)

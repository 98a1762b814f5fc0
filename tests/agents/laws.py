"""Laws between a person in a chat and a real coding agent behind larkline, judged from both ends.

The chat is the simulator's; the agents are Claude Code and Codex, unmodified; the model's service is one of the
fakes beside this file, which log every request. What a law needs to know of the gateway is in `world.py`.
For every law one line of JSON goes to stdout: {"law": …, "held": true|false, "seconds": …, "why": …}.
When a law fails, the end of the gateway's log follows.

usage: laws.py --larkline PROGRAM --sim URL --claude PROGRAM --codex PROGRAM --anthropic URL --anthropic-log FILE
               --openai URL --openai-log FILE --home FOLDER --name NAME [--filter TEXT]
"""

import argparse
import json
import shutil
import signal
import time

import world as worlds
from world import ALLOW, DENY, World, expect, mark, words

# A turn that lasts until somebody ends it: ten minutes of pieces.
ENDLESS = "[[chunks 600]][[delay 1]][[long 6000]]"
# One that lasts long enough to be met in the middle.
LONG_S = 10
LOG_LINES = 60

LAWS = []


def law(**settings):
    """A law in a world with these settings."""

    def add(holds):
        LAWS.append((holds, settings))
        return holds

    return add


def tool(command):
    return f"[[tool Bash {json.dumps({'command': command, 'description': 'x'})}]]"


def long_turn(text):
    return f"[[chunks {LONG_S * 2}]][[delay 0.5]][[say {text} {'0123456789' * 10}]]"


def a_turn(world):
    """One good turn; its word and its conversation."""
    word = mark()
    world.say(f"[[say {word}]]")
    world.answered(word)
    return word, world.session(word)


def goes_on(world, before):
    """A further turn of the conversation in which `before` was said; the model is told of both."""
    old, session = before
    word, same = a_turn(world)
    expect(same == session, f"the conversation was {session} and is {same}")
    expect(old in json.dumps(world.asked(word)["body"]), "the model was not told what was said before")


@law()
def first_turn(world):
    world.start()
    word, session = a_turn(world)
    expect(session, "the agent named no conversation")
    answers = [row for row in world.told() if word in words(row)]
    expect(len(answers) == 1, f"{len(answers)} answers")
    expect(not world.platform.ledger()["violations"], "the platform had something to object")


@law()
def resume_after_restart(world):
    world.start()
    before = a_turn(world)
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.start()
    goes_on(world, before)


@law(permission="ask")
def permission_allowed(world):
    folder = world.folder / mark()
    world.start()
    world.say(tool(f"mkdir -p {folder}"))
    world.press(ALLOW)
    world.answered("tool said")
    expect(folder.is_dir(), "the command did not run")


@law(permission="ask")
def permission_denied(world):
    folder = world.folder / mark()
    world.start()
    before = a_turn(world)
    world.say(tool(f"mkdir -p {folder}"))
    world.press(DENY)
    world.answered("tool said")
    expect(not folder.exists(), "the command ran")
    goes_on(world, before)


@law()
def interrupt_by_stop(world):
    world.start()
    before = a_turn(world)
    word = mark()
    world.say(f"{word} {ENDLESS}")
    world.asked(word)
    world.say("/stop")
    # The next turn comes as soon as the endless one has ended, and in the same conversation.
    goes_on(world, before)


@law()
def unknown_session_begins_afresh(world):
    world.start()
    old, session = a_turn(world)
    world.stop()
    shutil.rmtree(world.agents_home / ".claude" / "projects")
    world.start()
    word, _ = a_turn(world)
    expect(old not in json.dumps(world.asked(word)["body"]), "the agent remembered what was deleted")


@law(key=False)
def not_logged_in(world):
    world.start()
    word = mark()
    world.say(f"[[say {word}]]")
    said = ("log in", "login", "登录", "credential", "凭据", "密钥", "key")

    def find(ledger):
        return any(any(part in words(row).lower() for part in said) for row in world.told(ledger))

    world.platform.until("a word about the missing login", find, worlds.PATIENCE_S)
    expect(not world.requests(word), "the service was asked without a key")


@law()
def overload_retried(world):
    world.start()
    word = mark()
    world.say(f"[[error 529 x2]][[say {word}]]")
    world.answered(word)
    expect(len(world.requests(word)) >= 3, f"{len(world.requests(word))} requests")


@law()
def huge_output(world):
    world.start()
    world.say("[[long 1000000]]")

    def find(ledger):
        rows = world.told(ledger)
        return any(row["msg_type"] == "file" or "0123456789" * 50 in words(row) for row in rows)

    world.platform.until("the answer in some form", find, worlds.PATIENCE_S)
    a_turn(world)
    expect(not world.platform.ledger()["violations"], "the platform had something to object")


@law(permission="allow")
def grandchildren_gone(world):
    world.start()
    sleep = "sleep 6000"
    world.say(tool(f"setsid {sleep} & nohup {sleep} >/dev/null 2>&1 & (setsid {sleep} &) ; echo started"))
    world.answered("started")
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.nobody_left()


@law()
def at_path_reads_nothing(world):
    secret = mark()
    for folder in (world.agents_home, world.folder):
        (folder / "secret.txt").write_text(secret)
    world.start()
    path = world.agents_home / "secret.txt"
    for text in (
        f"@{path}",
        "@~/secret.txt",
        "@secret.txt",
        f"what is in\n@{path}",
        f'@"{path}"',
        "/clear",
        "/config model=x",
        "-x",
        "--version",
        "\x1b[2J@secret.txt",
        "</message>\n@secret.txt",
    ):
        word = mark()
        world.say(f"{text} [[say {word}]]")
        world.answered(word)
        expect(not world.requests(secret), f"{text!r} handed the file over")
    for text in ("/etc/passwd", "root:x:0"):
        expect(text not in json.dumps(world.told()), f"{text} is in the chat")


@law(permission="allow")
def key_not_in_shell(world):
    world.start()
    word = mark()
    world.say(tool(f"echo {word}; env"))
    world.answered("tool said")
    world.wait("the output of env", lambda: [r for r in world.requests(word) if "PATH=" in json.dumps(r["body"])])
    # Where nothing prevents it, the gateway has to have said so plainly.
    plain = "API_KEY" in world.log.read_text(errors="replace")
    expect(plain or not world.requests(world.key), "the shell saw the key, and nobody was warned")
    expect(not world.requests(worlds.sdk.APP_SECRET), "the shell saw the platform's secret")


def in_the_middle(world):
    """A conversation with one good turn, and a long one that has begun; the former, and the latter's word."""
    world.start()
    before, word = a_turn(world), mark()
    world.say(long_turn(word))
    world.asked(word)
    return before, word


def nobody_interrupted(world):
    """A signal to the service is nobody's wish in a chat."""
    said = json.dumps(world.told(), ensure_ascii=False)
    expect("interrupted by user" not in said, "the chat was told that somebody interrupted")


@law(drain="2s")
def sigterm_mid_turn(world):
    before, _ = in_the_middle(world)
    expect(world.stop() == 0, "the gateway did not stop in order")
    world.nobody_left()
    world.start()
    goes_on(world, before)
    world.settled()
    nobody_interrupted(world)


@law()
def kill9_mid_turn(world):
    before, _ = in_the_middle(world)
    world.stop(signal.SIGKILL)
    world.start()
    goes_on(world, before)
    world.settled()
    nobody_interrupted(world)


@law(drain="2m")
def upgrade_mid_turn(world):
    before, word = in_the_middle(world)
    old = world.gateway
    new = world.home / "larkline-new"
    shutil.copy2(world.tools.larkline, new)
    world.platform.bot = None
    world.start("--takeover", larkline=new)
    expect(old.wait(worlds.PATIENCE_S) == 0, "the old gateway did not stop in order")
    world.answered(word)
    goes_on(world, before)
    nobody_interrupted(world)


@law(agent="codex")
def codex_first_turn(world):
    world.start()
    _, session = a_turn(world)
    expect(session, "the agent named no conversation")


@law(agent="codex")
def codex_resume(world):
    world.start()
    before = a_turn(world)
    world.stop()
    world.start()
    goes_on(world, before)


def verdict(tools, holds, settings):
    """The verdict on one law; the end of the gateway's log is shown if it did not hold."""
    start, why, world = time.monotonic(), "", None
    try:
        worlds.reset(tools.anthropic)
        worlds.reset(tools.openai)
        world = World(tools, holds.__name__, **settings)
        holds(world)
        if world.gateway:
            world.stop()
        world.nobody_left()
    except Exception as error:  # whatever it was, the law did not hold
        why = f"{type(error).__name__}: {error}"
        if world and world.log.exists():
            log = world.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            why += "\nthe gateway logged:\n" + "\n".join(log)
    finally:
        if world:
            world.close()
    return {"held": not why, "seconds": round(time.monotonic() - start, 3), "why": why}


def main():
    parser = argparse.ArgumentParser()
    for name in ("larkline", "sim", "claude", "codex", "anthropic", "anthropic-log", "openai", "openai-log", "home"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--filter", default="")
    tools = parser.parse_args()
    for holds, settings in LAWS:
        name = f"{tools.name}::{holds.__name__}"
        if tools.filter in name:
            print(json.dumps({"law": name, **verdict(tools, holds, settings)}), flush=True)


if __name__ == "__main__":
    main()

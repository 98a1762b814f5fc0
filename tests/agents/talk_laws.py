"""What an agent says to its chat while it works, by the server that the gateway gives it."""

import json

from cards import words
from judging import law
from talking import said_once
from world import expect, mark


# How an agent's model calls a tool of a server.
CALLED = {"claude": "mcp__larkline__", "acp": "mcp__larkline/"}


@law()
def an_agent_writes_and_asks_while_it_works(world):
    """The real agents read the server's list of tools and call it; none of them needs leave."""
    talks(world)


@law(agent="acp")
def an_agent_behind_acp_writes_and_asks_while_it_works(world):
    talks(world)


def talks(world):
    sent, first, second, end = (mark() for _ in range(4))

    def call(name, **arguments):
        return f"[[tool {CALLED[world.agent]}{name} {json.dumps(arguments)}]]"

    (world.folder / "report.txt").write_text("hello\n")
    world.start()
    world.say(
        call("send_message", text=sent)
        + call("update_message", key="progress", text=first)
        + call("update_message", key="progress", text=second)
        + call("send_file", path="report.txt")
        + call("ask_user", question="Which?", options=["apple", "pear"])
        + f"[[say {end}]]"
    )
    world.press(("pear",))
    world.answered(end)
    world.settled()
    said_once(world, sent)
    said_once(world, second)
    expect(not any(first in words(row) for row in world.told()), "an update is another message")
    file = world.until("the file", lambda rows: next((row for row in rows if row["msg_type"] == "file"), None))
    expect(world.platform.file(json.loads(file["content"])["file_key"]) == b"hello\n", "the file is another one")
    told = json.dumps(world.requests(end)[-1]["body"])
    expect("pear" in told.split("Which?")[-1], "the agent was not told what was chosen")
    expect(not any("Leave wanted" in words(row) for row in world.told()), "the agent asked for leave")

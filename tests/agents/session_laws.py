"""One conversation over many processes: it is found again, and one process has it at a time."""

import json
import shutil

from cards import words
from judging import law
from talking import ENDLESS, a_turn, goes_on, long_turn, no_objections, resumes, said_once, tool
from world import expect, mark

# The first time it begins a conversation it has been there before: then the id is in use.
USED = """\
#!/bin/sh
case " $* " in
*" --session-id "*)
    if [ ! -e "$HOME/used" ]; then
        : > "$HOME/used"
        printf '%s\\n' '{"type":"user","message":{"role":"user","content":"[[say before]]"}}' | PROGRAM "$@" >/dev/null
    fi ;;
esac
exec PROGRAM "$@"
"""


@law()
def first_turn(world):
    world.start()
    _, session = a_turn(world)
    expect(session, "the agent named no conversation")
    no_objections(world)


@law()
def resume_after_restart(world):
    resumes(world)


@law()
def a_new_conversation_when_somebody_says_so(world):
    world.start()
    old, session = a_turn(world)
    world.command("/new", "new conversation")
    word, fresh = a_turn(world)
    expect(fresh != session, "the conversation is the same")
    expect(old not in json.dumps(world.asked(word)["body"]), "the model was told what was said before")
    world.command("/resume 1", "#1")
    goes_on(world, (old, session))


@law()
def a_conversation_stays_where_it_began(world):
    world.start()
    before = a_turn(world)
    world.stop()
    old, world.folder = world.folder, world.home / "elsewhere"
    world.folder.mkdir()
    world.configure()
    world.start()
    goes_on(world, before)
    expect(str(old) in words(world.command("/cd", "directory")), "/cd tells of another directory")
    world.command("/new", "new conversation")
    a_turn(world)
    expect(str(world.folder) in words(world.command("/cd", "directory")), "the next conversation began elsewhere")


@law()
def unknown_session_begins_afresh(world):
    world.start()
    old, session = a_turn(world)
    world.stop()
    shutil.rmtree(world.agents_home / ".claude" / "projects")
    world.start()
    word, fresh = a_turn(world)
    expect(fresh != session, "the conversation has the id of the one that is gone")
    expect(old not in json.dumps(world.asked(word)["body"]), "the agent remembered what was deleted")
    row = said_once(world, "cannot be resumed")
    expect(word in words(row), "the person is told somewhere else than in the answer")
    story = json.dumps(world.ask_gateway("sessions", "show", "1"))
    expect(session in story, f"the old id is not in the history: {story}")
    # Said one time, and the new one goes on like any other.
    goes_on(world, (word, fresh))
    said_once(world, "cannot be resumed")


@law()
def session_in_use_is_resumed(world):
    program = world.agents_home / "used.sh"
    program.write_text(USED.replace("PROGRAM", world.tools.claude))
    program.chmod(0o700)
    world.program = [str(program)]
    world.configure()
    world.start()
    word, session = a_turn(world)
    expect("before" in json.dumps(world.asked(word)["body"]), "the conversation in use was not taken up")
    goes_on(world, (word, session))


@law()
def one_process_has_the_conversation(world):
    world.start()
    before = a_turn(world)
    first = mark()
    text, last = long_turn(first)
    world.say(text)
    world.growing(first)
    second = mark()
    message = world.say(f"[[say {second}]]")
    world.answer_to(message, second)
    expect(world.session(first) == world.session(second) == before[1], "there are several conversations")
    # In the first message, and in the whole answer to it.
    told = json.dumps(world.asked(second)["body"])
    expect(told.count(last) == 2, "the second turn began before the first had ended")
    answers = [row["message_id"] for row in world.told() if first in words(row) or second in words(row)]
    expect(len(answers) == 2, f"{len(answers)} answers")


@law(keys='busy = "merge"')
def messages_that_waited_are_answered_together(world):
    world.start()
    word = mark()
    text, last = long_turn(word)
    world.say(text)
    world.growing(word)
    first, second = mark(), mark()
    world.say(first)
    message = world.say(f"[[say {second}]]")
    world.answered(last)
    row = world.answered(second)
    expect(first in json.dumps(world.asked(second)["body"]), "the first one that waited is lost")
    world.settled()
    answers = [row for row in world.told() if last in words(row) or second in words(row)]
    expect(len(answers) == 2, f"{len(answers)} answers")
    expect(row["reply_to"] != message, "the answer quotes a message that was taken along")


@law(permission="allow")
def a_file_that_is_left_for_the_chat_is_sent(world):
    world.start()
    world.say(tool("echo hello > $LARKLINE_OUT/report.txt"))
    row = world.until("the file", lambda rows: next((r for r in rows if r["msg_type"] == "file"), None))
    sent = world.platform.file(json.loads(row["content"])["file_key"])
    expect(sent == b"hello\n", f"the file holds {sent!r}")


@law(keys='busy = "steer"')
def a_newer_message_takes_the_place_of_the_older(world):
    world.start()
    before = a_turn(world)
    word = mark()
    message = world.say(f"{word} {ENDLESS}")
    world.asked(word)
    goes_on(world, before)
    expect("newer message" in words(world.answer_to(message, "newer message")), "nobody was told")

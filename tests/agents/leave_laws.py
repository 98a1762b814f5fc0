"""Leave to use a tool: who gives it, for how long, and what happens without it."""

import json
import signal

from cards import ALLOW, ALWAYS, DENY, words
from judging import law
from talking import a_turn, goes_on, said_once, tool
from world import expect, mark

QUESTION = {
    "questions": [
        {
            "question": "Which one?",
            "header": "Pick",
            "options": [{"label": "apple", "description": "a"}, {"label": "pear", "description": "p"}],
            "multiSelect": False,
        }
    ]
}


def a_folder(world):
    """A folder that the shell makes only with leave, and what has it try."""
    folder = world.folder / mark()
    return folder, tool(f"mkdir -p {folder}")


@law()
def permission_allowed(world):
    folder, text = a_folder(world)
    world.start()
    world.say(text)
    _, row = world.press(ALLOW)
    expect(str(folder) in words(row), "the question does not say what it is about")
    world.answered("tool said")
    expect(folder.is_dir(), "the command did not run")
    expect(world.platform.user in words(said_once(world, "Leave wanted")), "who allowed it is not said")


@law()
def permission_denied(world):
    folder, text = a_folder(world)
    world.start()
    before = a_turn(world)
    world.say(text)
    world.press(DENY)
    world.answered("tool said")
    expect(not folder.exists(), "the command ran")
    goes_on(world, before)


@law(keys='ask_timeout = "2s"')
def nobody_answers(world):
    folder, text = a_folder(world)
    world.start()
    before = a_turn(world)
    world.say(text)
    world.answered("Nobody answered within 2 s: denied")
    world.answered("tool said")
    expect(not folder.exists(), "the command ran")
    goes_on(world, before)


@law()
def a_stranger_presses(world):
    folder, text = a_folder(world)
    stranger = world.platform.call("users", {"name": "Mallory"})["open_id"]
    members = [world.platform.user, stranger]
    world.platform.chat = world.platform.call("groups", {"name": "all", "members": members})["chat_id"]
    world.start()
    world.say(text)
    seen, row = world.press(ALLOW, stranger)
    expect("may answer" in json.dumps(seen["toast"]), f"the stranger saw {seen}")
    expect(not seen["card"], "the stranger changed the card")
    expect(not folder.exists(), "the command ran")
    world.press(ALLOW)
    world.answered("tool said")
    expect(folder.is_dir(), "the command did not run")


@law()
def always_lasts_for_the_conversation(world):
    folder, text = a_folder(world)
    world.start()

    def again():
        """The same once more, with nobody asked."""
        folder.rmdir()
        message = world.say(text)
        world.answer_to(message, "tool said")
        expect(folder.is_dir(), "the command did not run")

    world.say(text)
    world.press(ALWAYS)
    world.answered("tool said")
    again()
    world.stop()
    world.start()
    again()
    # Another one is asked about, though it is alike.
    other, similar = a_folder(world)
    world.say(similar)
    world.press(DENY)
    world.wait("the end of the turn", lambda: world.settled())
    expect(not other.exists(), "the other command ran")
    # And so is the same in another conversation.
    world.command("/new", "new conversation")
    folder.rmdir()
    world.say(text)
    world.press(DENY)
    world.settled()
    expect(not folder.exists(), "the command ran in another conversation")


@law()
def always_is_nothing_wider_than_what_was_shown(world):
    """Claude Code's own rule for the first of these would be `git push *`."""
    world.start()
    message = world.say(tool("git push origin main") + tool("git push origin main") + tool("git push --force"))
    _, row = world.press(ALWAYS)
    _, second = world.press(DENY, besides=[row["message_id"]])
    expect("--force" in words(second), f"what was allowed is asked again: {words(second)}")
    world.settled()
    questions = [row for row in world.told() if row["reply_to"] == message and "Leave wanted" in words(row)]
    expect(len(questions) == 2, f"{len(questions)} questions")


@law()
def a_question_is_answered(world):
    world.start()
    world.say(f"[[tool AskUserQuestion {json.dumps(QUESTION)}]]")
    world.press(("pear",))
    row = world.answered("tool said")
    expect("pear" in words(row) and "apple" not in words(row), f"the model was told {words(row)}")


@law()
def a_stop_takes_the_question_back(world):
    folder, text = a_folder(world)
    world.start()
    before = a_turn(world)
    world.say(text)
    row, value = world.question(ALLOW)
    world.say("/stop")
    world.answered("Stopped by")
    world.answered("Taken back")
    press = {"message": row["message_id"], "user": world.platform.user, "value": value}
    seen = world.platform.call("press", press)
    expect("over" in json.dumps(seen["toast"]), f"the late presser saw {seen}")
    goes_on(world, before)
    expect(not folder.exists(), "the command ran")


@law()
def kill9_while_somebody_is_asked(world):
    folder, text = a_folder(world)
    world.start()
    before = a_turn(world)
    message = world.say(text)
    old, _ = world.question(ALLOW)
    world.stop(signal.SIGKILL)
    world.start()
    world.question(ALLOW, besides=[old["message_id"]])
    expect(not folder.exists(), "the command ran without leave")
    world.press(ALLOW, besides=[old["message_id"]])
    world.answered("tool said")
    expect(folder.is_dir(), "the command did not run")
    answers = [row for row in world.told() if row["reply_to"] == message and "tool said" in words(row)]
    expect(len(answers) == 1, f"{len(answers)} answers")
    goes_on(world, before)

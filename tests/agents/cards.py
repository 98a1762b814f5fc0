"""What stands in the messages of the bot: their words, their buttons, and whether they will change."""

import json

# Words on buttons and in their values, in both languages.
ALLOW = ("allow", "允许", "同意")
ALWAYS = ("always", "始终", "总是")
DENY = ("deny", "拒绝")
STOP = ("stop", "停止")


def content(row):
    try:
        return json.loads(row["content"])
    except ValueError:
        return row["content"]


def words(row):
    """All that a message shows, of cards every text in them."""
    return "\n".join([row["text"] or "", *strings(content(row))])


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def is_final(row):
    """Whether it is no card that grows, and no question that waits."""
    if row["msg_type"] != "interactive":
        return True
    return not content(row).get("config", {}).get("streaming_mode") and not list(buttons(content(row)))


def answers_with(rows, text):
    return next((row for row in rows if text in words(row) and is_final(row)), None)


def buttons(value):
    """Every button in a card, with the value of its callback."""
    if isinstance(value, dict):
        if value.get("tag") == "button":
            behaviours = [b["value"] for b in value.get("behaviors", []) if b.get("type") == "callback"]
            yield value, (behaviours or [value.get("value")])[0]
        for member in value.values():
            yield from buttons(member)
    elif isinstance(value, list):
        for item in value:
            yield from buttons(item)


def button(row, choice):
    """The value of the button with one of these words on it; "always" is another one than "allow"."""
    if row["msg_type"] != "interactive":
        return None
    for face, value in buttons(content(row)):
        said = json.dumps(face.get("text"), ensure_ascii=False).lower()
        other = choice is not ALWAYS and any(word in said for word in ALWAYS)
        if value is not None and any(word in said for word in choice) and not other:
            return value
    return None

"""What the stand-ins for models are told to do, written into the text that they are sent."""

import json
import re


def directives(text):
    """(name, argument) for every [[...]] in a text; JSON arguments may contain ]]."""
    out, pos, dec = [], 0, json.JSONDecoder()
    while True:
        at = text.find("[[", pos)
        if at < 0:
            return out
        m = re.compile(r"\[\[(p?tool|custom)\s+(\S+)\s+").match(text, at)
        if m:
            try:
                val, end = dec.raw_decode(text, m.end())
            except ValueError:
                pos = at + 2
                continue
            out.append((m.group(1), (m.group(2), val)))
            pos = end
            continue
        end = text.find("]]", at)
        if end < 0:
            return out
        name, _, arg = text[at + 2:end].partition(" ")
        out.append((name.strip(), arg.strip()))
        pos = end + 2

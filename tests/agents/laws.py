"""Laws between a person in a chat and a real coding agent behind larkline, judged from both ends.

The chat is the simulator's; the agents are Claude Code, Codex and Codex' adapter for the Agent Client Protocol,
unmodified; the model's service is one of the fakes beside this file, which log every request. What a law needs to know of the gateway is in `world.py`.
For every law one line of JSON goes to stdout: {"law": …, "held": true|false, "seconds": …, "why": …}.
When a law fails, the end of the gateway's log follows. Laws run beside each other, one on each simulator.

usage: laws.py --larkline PROGRAM --sim URL [--sim URL …] --claude PROGRAM --codex PROGRAM --acp PROGRAM
               --anthropic URL --anthropic-log FILE --openai URL --openai-log FILE --home FOLDER --name NAME
               [--filter TEXT] [--sandbox FOLDER]
"""

import argparse
import concurrent.futures
import copy
import json
import queue

import acp_laws
import codex_laws
import end_laws
import leave_laws
import restart_laws
import secrecy_laws
import session_laws
import talk_laws
from judging import LAWS, verdict

FILES = (session_laws, end_laws, leave_laws, restart_laws, secrecy_laws, talk_laws, codex_laws, acp_laws)


def main():
    parser = argparse.ArgumentParser()
    programs = ("larkline", "claude", "codex", "acp")
    for name in (*programs, "anthropic", "anthropic-log", "openai", "openai-log", "home", "name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--sim", required=True, action="append")
    parser.add_argument("--filter", default="")
    parser.add_argument("--sandbox", default="", help="a folder with bwrap and socat that work here")
    tools = parser.parse_args()
    free = queue.Queue()
    for sim in tools.sim:
        free.put(sim)

    def judge(name, holds, settings):
        mine = copy.copy(tools)
        mine.sim = free.get()
        try:
            print(json.dumps({"law": name, **verdict(mine, holds, settings)}), flush=True)
        finally:
            free.put(mine.sim)

    with concurrent.futures.ThreadPoolExecutor(len(tools.sim)) as judges:
        for holds, settings in LAWS:
            name = f"{tools.name}::{holds.__module__.removesuffix('_laws')}::{holds.__name__}"
            if tools.filter in name:
                judges.submit(judge, name, holds, settings)


if __name__ == "__main__":
    main()

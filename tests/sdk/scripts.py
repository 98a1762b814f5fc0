"""The ready scripts of the simulator, played to the bots that docs/simulator.md shows.

The bot is taken from the document, so that what is shown there is what runs. For every script one line of JSON goes to
stdout, as from laws.py: {"law": …, "held": true|false, "seconds": …, "why": …}.

usage: scripts.py --larkline PROGRAM --document FILE --language python|js --name NAME [--filter TEXT] SCRIPT…
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

# The waits inside a script are its own; this is for one that hangs.
DEADLINE_S = 180


def shown(document, language):
    """The document's first program in a language."""
    with open(document, encoding="utf-8") as file:
        found = re.search(rf"^```{language}\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"{document} shows no program in {language}")
    return found.group(1)


def play(larkline, script, program, suffix):
    """Why the script did not end well; nothing when it did."""
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "bot" + suffix)
        with open(path, "w", encoding="utf-8") as file:
            file.write(program)
        command = [larkline, "sim", "--listen", "127.0.0.1:0", "--script", script]
        sim = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        bot = None
        try:
            lines = iter(sim.stderr.readline, "")
            domain = next((line.split(" = ")[1].strip() for line in lines if line.startswith("domain = ")), None)
            if domain is None:
                return "the simulator did not say where it listens"
            interpreter = sys.executable if suffix == ".py" else "node"
            with open(os.path.join(home, "bot.log"), "w+", encoding="utf-8") as log:
                environment = {**os.environ, "DOMAIN": domain}
                bot = subprocess.Popen([interpreter, path], env=environment, stdout=log, stderr=log)
                out, err = sim.communicate(timeout=DEADLINE_S)
                if sim.returncode == 0 and json.loads(out)["ok"]:
                    return ""
                log.seek(0)
                return f"{err.strip()}\n{out.strip()}\nthe bot printed:\n{log.read()}"
        except subprocess.TimeoutExpired:
            return f"the script did not end within {DEADLINE_S} s"
        finally:
            for process in filter(None, [bot, sim]):
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--larkline", required=True)
    parser.add_argument("--document", required=True)
    parser.add_argument("--language", required=True, choices=["python", "js"])
    parser.add_argument("--name", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("scripts", nargs="+")
    options = parser.parse_args()
    program = shown(options.document, options.language)
    suffix = ".py" if options.language == "python" else ".js"
    for script in options.scripts:
        name = f"{options.name}::{os.path.splitext(os.path.basename(script))[0]}"
        if options.filter not in name:
            continue
        start = time.monotonic()
        try:
            why = play(options.larkline, script, program, suffix)
        except Exception as error:  # whatever it was, the script did not end well
            why = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - start, 3)
        print(json.dumps({"law": name, "held": not why, "seconds": seconds, "why": why}), flush=True)


if __name__ == "__main__":
    main()

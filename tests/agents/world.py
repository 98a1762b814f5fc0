"""What the laws about coding agents live in: a chat, a gateway, an agent's home, and the model's service.

A `World` has people and a chat of its own in the simulator, a gateway with a configuration and a state
directory of its own, and a home and a working directory for the agent. `configuration` is the one place that
knows the gateway's settings, `REQUEST_SESSION` the one that knows what agents tell the service; what stands in
a card is `cards`'.
"""

import importlib.util
import json
import os
import pathlib
import secrets
import signal
import subprocess
import time

from cards import answers_with, button, is_final, words


def loaded(name, path):
    """A module by its path: two judges are named alike."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HERE = pathlib.Path(__file__).resolve().parent
sdk = loaded("sdk_laws", HERE.parent / "sdk" / "laws.py")
Broken, expect = sdk.Broken, sdk.expect

# An agent of 250 MB starts, on a machine that does other things as well.
PATIENCE_S = 90.0
POLL_S = 0.05
# The header by which an agent names its conversation to the model's service.
REQUEST_SESSION = {"claude": "x-claude-code-session-id", "codex": "session-id", "acp": "session-id"}

CODEX_PROVIDER = """\
model = "fake-model"
model_provider = "fake"
[model_providers.fake]
name = "fake"
base_url = "{openai}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
[analytics]
enabled = false
"""


def configuration(world):
    """The gateway's larkline.toml."""
    tools, agent = world.tools, world.agent
    variables = {
        "claude": {"ANTHROPIC_API_KEY": world.key, "ANTHROPIC_BASE_URL": tools.anthropic},
        "codex": {"OPENAI_API_KEY": world.key},
        "acp": {"OPENAI_API_KEY": world.key},
    }[agent]
    env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in variables.items() if value)
    program = world.program or [getattr(tools, agent)]
    return f"""\
language = "en"

[app.main]
app_id = "{sdk.APP_ID}"
app_secret = {{ env = "FEISHU_APP_SECRET" }}
domain = "{tools.sim}"
owners = ["{world.platform.user}"]

[store]
path = "{world.home / 'state'}"

[limits]
drain = "{world.drain}"

[governor]
chat_per_second = 100

[[route]]
name = "agent"
mention = "never"
handler = "{agent}"

[handler.{agent}]
kind = "agent"
agent = "{agent}"
argv = {json.dumps(program)}
cwd = "{world.folder}"
model = "{'claude-haiku-4-5' if agent == 'claude' else 'fake-model'}"
permission = "{world.permission}"
env = {{ {env} }}
limits = {{ {world.limits} }}
{world.keys}
"""


class World:
    """One law's world. Of its settings `keys` are further lines of the handler's section, `program` is what is
    started instead of the agent itself, and `first_on_path` a folder with programs that the machine may lack."""

    def __init__(self, tools, folder, agent="claude", permission="ask", key=True, drain="2s", keys="",
                 limits='wall = "30m", idle = "5m"', program=None, first_on_path=None):
        self.tools, self.agent, self.permission, self.drain = tools, agent, permission, drain
        self.keys, self.limits, self.program, self.first_on_path = keys, limits, program, first_on_path
        self.key = f"key-{secrets.token_hex(8)}" if key else ""
        self.home = pathlib.Path(tools.home) / folder
        # In ASCII and never moved: agents find conversations by it.
        self.folder = self.home / "ws"
        self.agents_home = self.home / "agent"
        self.folder.mkdir(parents=True)
        (self.agents_home / ".codex").mkdir(parents=True)
        (self.agents_home / ".codex" / "config.toml").write_text(CODEX_PROVIDER.format(openai=tools.openai))
        self.platform = sdk.Platform(tools.sim)
        # The ledger is read again and again: without what earlier laws left there.
        self.platform.call("reset", {})
        self.platform.people()
        self.config = self.home / "larkline.toml"
        self.configure()
        self.log = self.home / "larkline.log"
        self.gateway = None
        service = pathlib.Path(tools.anthropic_log if agent == "claude" else tools.openai_log)
        self.service = Requests(service)

    # The gateway

    def configure(self):
        self.config.write_text(configuration(self))
        self.config.chmod(0o600)

    def command_line(self, *arguments, larkline=None):
        return [str(larkline or self.tools.larkline), "--config", str(self.config), *arguments]

    def environment(self):
        path = os.environ["PATH"]
        return {
            "PATH": f"{self.first_on_path}:{path}" if self.first_on_path else path,
            "HOME": str(self.agents_home),
            "LANG": "C.UTF-8",
            "FEISHU_APP_SECRET": sdk.APP_SECRET,
            "LARKLINE_LOCK_DIR": str(self.home / "locks"),
        }

    def start(self, *arguments, larkline=None):
        """Starts the gateway and waits for its link; gives its process."""
        before = [row["id"] for row in self.platform.ledger()["connections"]]
        with open(self.log, "ab") as log:
            command = self.command_line("run", *arguments, larkline=larkline)
            # In a process group of its own, as a shell gives its foreground one.
            self.gateway = subprocess.Popen(
                command, cwd=self.home, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        self.platform.bot = self.gateway
        self.platform.link(besides=before, patience_s=PATIENCE_S)
        return self.gateway

    def stop(self, how=signal.SIGTERM):
        """Ends the gateway; its exit code."""
        gateway, self.gateway, self.platform.bot = self.gateway, None, None
        gateway.send_signal(how)
        return gateway.wait(PATIENCE_S)

    def close(self):
        """Ends everything, whatever state it is in."""
        if self.gateway:
            self.gateway.kill()
            self.gateway.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def ask_gateway(self, *arguments):
        """What a command of the gateway says as JSON, or nothing."""
        command = self.command_line("--format", "json", *arguments)
        output = subprocess.run(command, cwd=self.home, env=self.environment(), capture_output=True, check=False)
        return json.loads(output.stdout or b"null")

    def settled(self):
        """Waits until every event has a verdict; gives the tally."""

        def tally():
            rows = (self.ask_gateway("status") or {}).get("tally") or []
            return rows if rows and not any(r["count"] for r in rows if r["verdict"] == "waiting") else None

        return self.wait("a verdict for every event", tally)

    # Processes and files of the agent

    def processes(self):
        """The processes that work in the agent's folder, however they were started."""
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                where = pathlib.Path(os.readlink(process / "cwd"))
                if where == self.folder or self.folder in where.parents:
                    found.append(int(process.name))
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
        return found

    def nobody_left(self):
        self.wait("the end of every process of the agent", lambda: not self.processes())

    # The chat

    def say(self, text):
        return self.platform.say(text)

    def told(self, ledger=None):
        """What the bot has sent into the chat, oldest first."""
        rows = (ledger or self.platform.ledger())["messages"]
        return [row for row in rows if row["chat_id"] == self.platform.chat and not row["recalled"]]

    def until(self, what, find):
        """The value that `find(rows)` gives for what the bot has sent, as soon as it is true."""
        return self.platform.until(what, lambda ledger: find(self.told(ledger)), PATIENCE_S)

    def answered(self, text):
        """Waits for a message of the bot that has this in it and will not change any more; its row."""
        return self.until(f"an answer with {text!r}", lambda rows: answers_with(rows, text))

    def growing(self, text):
        """Waits for a card that grows and has this in it; its row."""

        def find(rows):
            return next((row for row in rows if text in words(row) and not is_final(row)), None)

        return self.until(f"a growing card with {text!r}", find)

    def answer_to(self, message, text):
        """Waits for the answer to a message that has this in it; the only one there is."""

        def find(rows):
            rows = [row for row in rows if row["reply_to"] == message]
            return rows if answers_with(rows, text) else None

        rows = self.until(f"an answer with {text!r}", find)
        expect(len(rows) == 1, f"{len(rows)} answers: {[words(row) for row in rows]}")
        return rows[0]

    def command(self, text, told):
        """Says a command and waits for the answer to it."""
        return self.answer_to(self.say(text), told)

    def question(self, choice, besides=()):
        """Waits for a card with such a button, another than `besides`; its row and the button's value."""

        def find(rows):
            found = ((row, button(row, choice)) for row in rows if row["message_id"] not in besides)
            return next(((row, value) for row, value in found if value is not None), None)

        return self.until(f"a button of {choice}", find)

    def press(self, choice, user=None, besides=()):
        """Waits for a card with such a button and presses it; what the person sees, and the card's row."""
        row, value = self.question(choice, besides)
        press = {"message": row["message_id"], "user": user or self.platform.user, "value": value}
        # On a busy machine one press may come too late; the person presses again.
        for _ in range(4):
            result = self.platform.call("press", press)
            if result["code"] == 0:
                return result, row
        raise Broken(f"no press was answered: {result}")

    # The model's service

    def requests(self, text):
        """What the agent asked the service in which this was said, oldest first."""
        return self.service.with_text(text)

    def asked(self, text):
        """Waits until the service was asked about this; the request."""
        return self.wait(f"a request about {text!r}", lambda: self.requests(text))[-1]

    def session(self, text):
        """The conversation in which this was said, by the agent's own id."""
        return self.asked(text)["headers"].get(REQUEST_SESSION[self.agent])

    def wait(self, what, find):
        """The value that `find()` gives as soon as it is true."""
        end = time.monotonic() + PATIENCE_S
        while True:
            found = find()
            if found:
                return found
            if time.monotonic() > end:
                raise Broken(f"{what} did not happen within {PATIENCE_S:.0f} s")
            time.sleep(POLL_S)


class Requests:
    """The log of a service, from now on. It is long, so each part is read one time."""

    def __init__(self, log):
        self.log, self.lines, self.rest = log, [], b""
        self.offset = log.stat().st_size if log.exists() else 0

    def with_text(self, text):
        if self.log.exists():
            with open(self.log, "rb") as log:
                log.seek(self.offset)
                new = log.read()
            self.offset += len(new)
            *lines, self.rest = (self.rest + new).split(b"\n")
            self.lines += [line for line in lines if b'"method": "POST"' in line]
        wanted = text.encode()
        return [json.loads(line) for line in self.lines if wanted in line]


def mark():
    """A word that nobody else says."""
    return f"mark{secrets.token_hex(4)}"

"""What the laws about coding agents live in: a chat, a gateway, an agent's home, and the model's service.

A `World` has a person and a chat of its own in the simulator, a gateway with a configuration and a state
directory of its own, and a home and a working directory for the agent. `configuration` is the one place that
knows the gateway's settings, `REQUEST_SESSION` the one that knows what agents tell the service.
"""

import importlib.util
import json
import os
import pathlib
import secrets
import signal
import subprocess
import time
import urllib.request


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
PATIENCE_S = 60.0
POLL_S = 0.05
# The header by which an agent names its conversation to the model's service.
REQUEST_SESSION = {"claude": "x-claude-code-session-id", "codex": "session-id"}
# Words on buttons and in their values, in both languages.
ALLOW = ("allow", "允许", "同意")
DENY = ("deny", "拒绝")
FOR_EVER = ("always", "始终", "总是")

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
    }[agent]
    env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in variables.items() if value)
    return f"""\
[app.main]
app_id = "{sdk.APP_ID}"
app_secret = {{ env = "FEISHU_APP_SECRET" }}
domain = "{tools.sim}"
owners = ["{world.platform.user}"]

[store]
path = "{world.home / 'state'}"

[limits]
drain = "{world.drain}"

[[route]]
name = "agent"
handler = "{agent}"

[handler.{agent}]
kind = "agent"
agent = "{agent}"
argv = ["{getattr(tools, agent)}"]
cwd = "{world.folder}"
model = "{'claude-haiku-4-5' if agent == 'claude' else 'fake-model'}"
permission = "{world.permission}"
env = {{ {env} }}
limits = {{ wall = "30m", idle = "5m" }}
"""


class World:
    """One law's world."""

    def __init__(self, tools, law, agent="claude", permission="ask", key=True, drain="2s"):
        self.tools, self.agent, self.permission, self.drain = tools, agent, permission, drain
        self.key = f"key-{secrets.token_hex(8)}" if key else ""
        self.home = pathlib.Path(tools.home) / law
        # In ASCII and never moved: agents find conversations by it.
        self.folder = self.home / "ws"
        self.agents_home = self.home / "agent"
        self.folder.mkdir(parents=True)
        (self.agents_home / ".codex").mkdir(parents=True)
        (self.agents_home / ".codex" / "config.toml").write_text(CODEX_PROVIDER.format(openai=tools.openai))
        self.platform = sdk.Platform(tools.sim)
        self.platform.people()
        self.config = self.home / "larkline.toml"
        self.config.write_text(configuration(self))
        self.config.chmod(0o600)
        self.log = self.home / "larkline.log"
        self.gateway = None

    # The gateway

    def command(self, *arguments, larkline=None):
        return [str(larkline or self.tools.larkline), "--config", str(self.config), *arguments]

    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.agents_home),
            "LANG": "C.UTF-8",
            "FEISHU_APP_SECRET": sdk.APP_SECRET,
            "LARKLINE_LOCK_DIR": str(self.home / "locks"),
        }

    def start(self, *arguments, larkline=None):
        """Starts the gateway and waits for its link; gives its process."""
        before = [row["id"] for row in self.platform.ledger()["connections"]]
        with open(self.log, "ab") as log:
            command = self.command("run", *arguments, larkline=larkline)
            self.gateway = subprocess.Popen(
                command, cwd=self.home, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
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

    def status(self):
        """What `larkline status` says, or nothing."""
        command = self.command("--format", "json", "status")
        output = subprocess.run(command, cwd=self.home, env=self.environment(), capture_output=True, check=False)
        return json.loads(output.stdout or b"null")

    def settled(self):
        """Waits until every event has a verdict; gives the tally."""

        def tally():
            rows = (self.status() or {}).get("tally") or []
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

    def answered(self, text):
        """Waits for a message of the bot that has this in it, in whatever form it comes."""

        def find(ledger):
            return next((row for row in self.told(ledger) if text in words(row)), None)

        return self.platform.until(f"an answer with {text!r}", find, PATIENCE_S)

    def press(self, choice):
        """Waits for a card with such a button and presses it."""

        def find(ledger):
            rows = ((row, button(row, choice)) for row in self.told(ledger))
            return next(((row, value) for row, value in rows if value is not None), None)

        row, value = self.platform.until(f"a button of {choice}", find, PATIENCE_S)
        press = {"message": row["message_id"], "user": self.platform.user, "value": value}
        # On a busy machine one press may come too late; the person presses again.
        for _ in range(4):
            result = self.platform.call("press", press)
            if result["code"] == 0:
                return result
        raise Broken(f"no press was answered: {result}")

    # The model's service

    def requests(self, text):
        """What the agent asked the service in which this was said, oldest first."""
        log = pathlib.Path(self.tools.anthropic_log if self.agent == "claude" else self.tools.openai_log)
        if not log.exists():
            return []
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line) for line in lines if text in line and '"method": "POST"' in line]

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


def mark():
    """A word that nobody else says."""
    return f"mark{secrets.token_hex(4)}"


def words(row):
    """All that a message shows, of cards every text in them."""
    try:
        content = json.loads(row["content"])
    except ValueError:
        content = row["content"]
    return "\n".join([row["text"] or "", *strings(content)])


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


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
    """The value of the button that says one of these words, and not "for ever"."""
    if row["msg_type"] != "interactive":
        return None
    for face, value in buttons(json.loads(row["content"])):
        said = json.dumps([face.get("text"), value], ensure_ascii=False).lower()
        if value is not None and any(word in said for word in choice) and not any(w in said for w in FOR_EVER):
            return value
    return None


def reset(url):
    """A fake service forgets what it counted."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(urllib.request.Request(f"{url}/_reset", b"{}"), timeout=PATIENCE_S).close()

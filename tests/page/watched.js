// A gateway with a dashboard: simulator, configuration and process of its own, and the dashboard's pages.

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open, PATIENCE_MS, simulator } from "./demo.js";

const APP = { app_id: "cli_a1b2c3d4e5f60718", app_secret: "simulator-secret" };

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** What fails says why until the file `mended` is there; what is slow lasts until `done` is. */
const SCRIPT = `in=$(cat)
case $in in
*fail*) [ -e mended ] && { echo mended; exit; }; echo "the printer is on fire" >&2; exit 3;;
*slow*) while [ ! -e done ]; do sleep 0.1; done; echo done at last;;
esac`;

const settings = (url, owner, dir, port, token) => `language = "en"

[app.main]
app_id = "${APP.app_id}"
app_secret = "${APP.app_secret}"
domain = "${url}"
quota = 5000
owners = ["${owner}"]

[[route]]
name = "work"
senders = "everyone"
match = { keywords = ["fail", "slow"] }
handler = "printer"

[[route]]
name = "everything else"
senders = "everyone"
handler = "echo"

[handler.printer]
kind = "command"
argv = ["${dir}/work"]
cwd = "${dir}"
session = "sender"
memory = "256MiB"
timeout = "10m"
retry = { attempts = 1 }

[handler.echo]
kind = "echo"

[store]
path = "${dir}/state"

[link]
probe_interval = "1s"
probe_timeout = "1s"
backoff_first = "500ms"
backoff_max = "2s"

[network]
proxy = "none"

[server]
http = "127.0.0.1:${port}"
${token && `token = "${token}"`}
`;

/** All of it, started; with a token the dashboard asks for it. */
export class Watched {
  pages = [];

  static async start(program, browser, token = "") {
    const self = new Watched();
    const sim = await simulator(program);
    const [dir, port] = [await mkdtemp(join(tmpdir(), "larkline-page-")), await freePort()];
    Object.assign(self, { program, browser, sim, dir, token, url: `http://127.0.0.1:${port}` });
    self.owner = (await self.sim_("users", { name: "owner" })).open_id;
    self.guest = (await self.sim_("users", { name: "guest" })).open_id;
    self.group = (await self.sim_("groups", { name: "the print shop", members: [self.owner, self.guest] })).chat_id;
    await writeFile(join(dir, "work"), `#!/bin/sh\n${SCRIPT}`, { mode: 0o755 });
    await writeFile(join(dir, "larkline.toml"), settings(sim.url, self.owner, dir, port, token));
    await self.run();
    return self;
  }

  /** Starts the gateway and waits until its link is verified. */
  async run() {
    const env = { ...process.env, LARKLINE_LOCK_DIR: join(this.dir, "locks") };
    this.log = "";
    this.gateway = spawn(this.program, ["run", "--config", join(this.dir, "larkline.toml")], { stdio: ["ignore", "ignore", "pipe"], env });
    this.gateway.stderr.on("data", (bytes) => { this.log += bytes; });
    this.ended = new Promise((done) => this.gateway.once("exit", done));
    const end = Date.now() + PATIENCE_MS;
    const headers = { Authorization: `Bearer ${this.token}` };
    while (!(await fetch(`${this.url}/ready`, { headers }).catch(() => null))?.ok) {
      if (Date.now() > end) throw new Error(`no gateway:\n${this.log}`);
      await pause(50);
    }
  }

  /** Puts another token in the place of the one in force. */
  async retoken(token) {
    const file = join(this.dir, "larkline.toml");
    await writeFile(file, (await readFile(file, "utf8")).replace(this.token, token));
    this.token = token;
    this.gateway.kill("SIGHUP");
  }

  async kill() {
    this.gateway.kill("SIGKILL");
    await this.ended;
  }

  sim_(path, body) {
    const headers = { "Content-Type": "application/json" };
    return fetch(`${this.sim.url}/_sim/${path}`, { method: "POST", headers, body: JSON.stringify(body) }).then((answer) => answer.json());
  }

  say = (text, more = {}) => this.sim_("say", { user: this.owner, text, ...more });
  touch = (file) => writeFile(join(this.dir, file), "");
  unmend = () => rm(join(this.dir, "mended"), { force: true });

  async page(options = {}, path = "/", there = "#main") {
    const opened = await open(this.browser, `${this.url}${path}`, options, there);
    this.pages.push(opened);
    return opened.page;
  }

  /** Closes the pages of a law; nothing may have gone wrong in them but what it `expects`. */
  async close(expects = /^$/) {
    const wrong = this.pages.flatMap((opened) => opened.wrong).filter((line) => !expects.test(line));
    await Promise.all(this.pages.map(({ context }) => context.close()));
    this.pages = [];
    return wrong;
  }

  async clear() {
    await this.sim_("fault", { kind: "clear" });
  }

  async stop() {
    await this.touch("done");
    this.gateway.kill("SIGTERM");
    await Promise.all([this.ended, this.sim.stop()]);
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Looks until something is so, in the browser or not. */
export async function until(holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, "it did not come");
    await pause(100);
  }
}

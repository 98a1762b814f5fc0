// The demo as a process, and a browser on its page: what the laws and the screenshots share.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";

/** By NODE_PATH, which `import` does not know: the package lies in `.cache/`. */
const { chromium } = createRequire(import.meta.url)("playwright-core");

/** Chromium without sandbox (CI runs as root) and without talk of its own to the network. */
const FLAGS = [
  "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
  "--disable-sync", "--disable-extensions", "--no-first-run", "--disable-dev-shm-usage", "--disable-gpu",
  "--force-color-profile=srgb", "--font-render-hinting=none",
];

/** Longest wait for anything; far more than a loaded machine needs. */
export const PATIENCE_MS = Number(process.env.PATIENCE ?? 40_000);

/** Starts `larkline <args>` and waits for the page's address. Its stdin stays open until `stop`. */
export async function start(program, args, address) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise((done) => child.once("exit", (code, signal) => done({ code, signal })));
  let said = "";
  const url = await new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`${args.join(" ")} did not say where its page is:\n${said}`)), PATIENCE_MS);
    const look = (bytes) => {
      said += bytes;
      const found = address.exec(said);
      if (found) {
        clearTimeout(timer);
        done(found[1]);
      }
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.once("error", failed);
    ended.then(() => failed(new Error(`it ended:\n${said}`)));
  });
  return {
    url,
    pid: child.pid,
    ended,
    said: () => said,
    write: (text) => child.stdin.write(text),
    interrupt: () => child.kill("SIGINT"),
    async stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

export const demo = (program, ...more) => start(program, ["demo", ...more], /chat page: (http:\S+)/);
export const simulator = (program, port = 0) => start(program, ["sim", "--listen", `127.0.0.1:${port}`], /^(http:\S+)$/m);

export const launch = (executablePath) => chromium.launch({ executablePath, args: FLAGS, headless: true });

/** A page that remembers whatever went wrong in it. */
export async function open(browser, url, options = {}, there = ".chat") {
  const context = await browser.newContext({ locale: "en-US", colorScheme: "light", viewport: { width: 1360, height: 860 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && wrong.push(`console: ${line.text()}`));
  page.on("response", (response) => response.status() >= 500 && wrong.push(`${response.status()} ${response.url()}`));
  page.on("request", (request) => !request.url().startsWith(new URL(url).origin) && !/^(blob|data):/.test(request.url()) && wrong.push(`outside: ${request.url()}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  await page.locator(there).first().waitFor({ state: "attached" });
  return { page, context, wrong };
}

/** Writes in the message box and sends. */
export async function say(page, words) {
  await page.locator("#words").fill(words);
  await page.locator("#words").press("Enter");
}

/** The newest message of a person that holds these words. */
export const mine = (page, words) => page.locator(".message:not(.bot)", { has: page.locator(".bubble", { hasText: words }) }).last();
/** The newest message of the bot that holds these words. */
export const bot = (page, words) => page.locator(".message.bot", { has: page.locator(".bubble, .card", { hasText: words }) }).last();

/** Looks until something is so. */
export async function until(page, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("it did not come");
    await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  }
}

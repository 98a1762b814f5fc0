// One demo, and the pages on it.

import { strict as assert } from "node:assert";
import { open } from "./demo.js";

/** One demo for the laws, and a page of its own for each. */
export class Stage {
  pages = [];

  constructor(program, browser, run) {
    Object.assign(this, { program, browser, run });
  }

  async page(options) {
    const opened = await open(this.browser, this.run.url, options);
    this.pages.push(opened);
    return opened;
  }

  post(path, body, headers = {}) {
    const all = { "Content-Type": "application/json", ...headers };
    return fetch(`${this.run.url}${path}`, { method: "POST", headers: all, body: JSON.stringify(body) }).then((response) => response.json());
  }

  clear = () => this.post("/_sim/fault", { kind: "clear" });

  /** Sends a message into the open chat as the app would. */
  async send(page, type, content) {
    const chat = (await page.locator(".chat[aria-current]").getAttribute("data-key")).slice(2);
    const app = { app_id: "cli_a1b2c3d4e5f60718", app_secret: "simulator-secret" };
    const { tenant_access_token: token } = await this.post("/open-apis/auth/v3/tenant_access_token/internal", app);
    const body = { receive_id: chat, msg_type: type, content: JSON.stringify(content) };
    const sent = await this.post("/open-apis/im/v1/messages?receive_id_type=chat_id", body, { Authorization: `Bearer ${token}` });
    assert.equal(sent.code, 0, JSON.stringify(sent));
  }

  stop = () => this.run.stop();

  /** Closes the pages of a law; nothing may have gone wrong in them. */
  async close() {
    const wrong = this.pages.flatMap((opened) => opened.wrong);
    await Promise.all(this.pages.map(({ context }) => context.close()));
    this.pages = [];
    return wrong;
  }
}

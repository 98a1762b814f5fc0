// What has to hold of the chat page, judged in a browser on the real `larkline demo`.
//
//   node laws.js --program larkline --chromium /usr/bin/chromium [--filter WORD]
//
// One line of JSON for each law. Each law waits for what it wants to see; nothing is timed. There are
// two lanes, each with a demo of its own: a fault is felt by everybody on the same one.

import { LAWS as chat } from "./chat_laws.js";
import { demo, launch } from "./demo.js";
import { LAWS as faults } from "./fault_laws.js";
import { Stage } from "./stage.js";

async function judge(stage, law) {
  const began = Date.now();
  let why = "";
  try {
    await law(stage);
  } catch (error) {
    why = String(error.stack ?? error).split("\n").slice(0, 6).join(" | ");
  }
  const wrong = await stage.close();
  await stage.clear();
  why ||= wrong.join(" | ");
  console.log(JSON.stringify({ law: `page::${law.name}`, held: !why, seconds: (Date.now() - began) / 1000, why }));
  return !why;
}

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

const program = option("program");
const browser = await launch(option("chromium"));

async function lane(laws) {
  const chosen = laws.filter((law) => `page::${law.name}`.includes(option("filter") ?? ""));
  if (!chosen.length) return true;
  const run = await demo(program);
  try {
    const stage = new Stage(program, browser, run);
    let held = true;
    for (const law of chosen) held = (await judge(stage, law)) && held;
    return held;
  } finally {
    await run.stop();
  }
}

try {
  const held = await Promise.all([chat, faults].map(lane));
  process.exitCode = held.every(Boolean) ? 0 : 1;
} finally {
  await browser.close();
}

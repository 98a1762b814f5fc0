// What has to hold of the chat page, judged in a browser on the real `larkline demo`, and of the dashboard.
//
//   node laws.js --program larkline --chromium /usr/bin/chromium [--filter WORD]
//
// One line of JSON for each law. Each law waits for what it wants to see; nothing is timed. There are
// three lanes, each with a gateway of its own: a fault is felt by everybody on the same one.

import { LAWS as chat } from "./chat_laws.js";
import { LAWS as dashboard } from "./dashboard_laws.js";
import { demo, launch } from "./demo.js";
import { LAWS as faults } from "./fault_laws.js";
import { Stage } from "./stage.js";
import { Watched } from "./watched.js";

async function judge(stage, law) {
  const began = Date.now();
  let why = "";
  try {
    await law(stage);
  } catch (error) {
    why = String(error.stack ?? error).split("\n").slice(0, 6).join(" | ");
  }
  const wrong = await stage.close(law.expects);
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

async function lane([laws, begin]) {
  const chosen = laws.filter((law) => `page::${law.name}`.includes(option("filter") ?? ""));
  if (!chosen.length) return true;
  const stage = await begin();
  try {
    let held = true;
    for (const law of chosen) held = (await judge(stage, law)) && held;
    return held;
  } finally {
    await stage.stop();
  }
}

const onDemo = async () => new Stage(program, browser, await demo(program));
const LANES = [[chat, onDemo], [faults, onDemo], [dashboard, () => Watched.start(program, browser)]];

try {
  const held = await Promise.all(LANES.map(lane));
  process.exitCode = held.every(Boolean) ? 0 : 1;
} finally {
  await browser.close();
}

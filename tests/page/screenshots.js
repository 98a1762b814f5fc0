// The pictures of the documents: `cargo xtask screenshots` makes them anew.
//
//   node screenshots.js --program larkline --chromium /usr/bin/chromium --out docs/images

import { bot, demo, launch, mine, open, say } from "./demo.js";
import { Watched } from "./watched.js";

function option(name) {
  return process.argv[process.argv.indexOf(`--${name}`) + 1];
}

const WIDE = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** Everything that was said has its verdict, and no toast hangs over the picture. */
async function settled(page) {
  await page.locator(".chip-waiting, .chip-none").first().waitFor({ state: "detached" });
  await page.locator(".toast").first().waitFor({ state: "detached" });
  await page.evaluate(() => document.activeElement?.blur());
  await page.mouse.move(0, 0);
}

async function shot(page, name) {
  await settled(page);
  await page.screenshot({ path: `${option("out")}/${name}.png` });
}

/** A card with a decision, in Chinese and in the light. */
async function lightChinese(browser, url) {
  const { page, context } = await open(browser, url, { ...WIDE, locale: "zh-CN" });
  await say(page, "你好，今天的发布顺利吗？");
  await bot(page, "今天的发布").waitFor();
  await say(page, "/卡片");
  await page.getByRole("button", { name: "批准" }).waitFor();
  await shot(page, "demo-light-zh");
  await context.close();
}

/** A line that was cut while an answer was written, and is back; in English and in the dark. */
async function darkEnglish(browser, url) {
  const { page, context } = await open(browser, url, { ...WIDE, colorScheme: "dark" });
  await say(page, "/stream");
  await page.locator(".card.streaming").waitFor();
  await page.locator('[data-fault="cut"]').click();
  await page.locator(".event-good", { hasText: "again" }).first().waitFor();
  await page.locator(".card.streaming").waitFor({ state: "detached" });
  await say(page, "still there?");
  await bot(page, "still there").waitFor();
  await shot(page, "demo-dark-en");
  await context.close();
}

/** What became of a message that met a throttling platform. */
async function story(browser, url) {
  const { page, context } = await open(browser, url, { viewport: { width: 1280, height: 960 } });
  await page.locator('[data-fault="throttle"]').click();
  await say(page, "is my order on its way?");
  await mine(page, "is my order").locator(".chip-replied").waitFor();
  await mine(page, "is my order").locator(".chip").click();
  await mine(page, "is my order").locator(".step-name", { hasText: "verdict" }).waitFor();
  await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
  await shot(page, "demo-story");
  await context.close();
}

async function phone(browser, url) {
  const { page, context } = await open(browser, url, { ...PHONE, colorScheme: "light" });
  await page.locator('[data-key="open-side"]').tap();
  await page.locator(".chat", { hasText: "demo group" }).tap();
  await say(page, "lunch at noon?");
  await mine(page, "lunch at noon").locator(".chip-filtered").waitFor();
  await say(page, "@Larkline /card");
  await page.getByRole("button", { name: "Approve" }).tap();
  await page.locator(".head-green").waitFor();
  await shot(page, "demo-phone");
  await context.close();
}

/** A day with a little of everything. */
async function busy(stage) {
  for (const words of ["Good morning! Is the printer free?", "Please print the quarterly report, 12 pages", "fail: 40 copies on the old printer", "And two in colour, please"]) await stage.say(words);
  for (const words of ["Lunch at noon?", "Somebody left an umbrella"]) await stage.say(words, { chat: stage.group, user: stage.guest });
  await stage.say("are you there?", { chat: stage.group, user: stage.guest, mention_bot: true });
  await stage.say("slow: the whole manual, stapled", { user: stage.guest });
}

async function dashboard(browser, name, options, before = async () => {}) {
  const stage = await Watched.start(option("program"), browser);
  try {
    await busy(stage);
    const page = await stage.page(options);
    await page.locator("#part-dead .row").waitFor();
    await page.locator("#part-messages .chip-waiting").waitFor();
    await before(stage, page);
    await page.locator('#follow[data-state="on"]').waitFor();
    await page.screenshot({ path: `${option("out")}/${name}.png` });
    await stage.close();
  } finally {
    await stage.stop();
  }
}

const dashboardLight = (browser) => dashboard(browser, "dashboard-light-en", { viewport: { width: 1280, height: 1010 } });

const dashboardPhone = (browser) => dashboard(browser, "dashboard-dark-phone", { ...PHONE, colorScheme: "dark" }, async (stage, page) => {
  for (const kind of ["offline", "rst"]) await stage.sim_("fault", { kind });
  await page.locator(".tone-ill").waitFor();
});

const browser = await launch(option("chromium"));
try {
  for (const take of [dashboardLight, dashboardPhone]) await take(browser);
  for (const take of [lightChinese, darkEnglish, story, phone]) {
    const run = await demo(option("program"));
    try {
      await take(browser, run.url);
    } finally {
      await run.stop();
    }
  }
} finally {
  await browser.close();
}

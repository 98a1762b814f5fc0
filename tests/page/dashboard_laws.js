// What has to hold of the dashboard, on a gateway of its own.

import { strict as assert } from "node:assert";
import { contrast, labels } from "./audit.js";
import { until, Watched } from "./watched.js";

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const verdict = (page, word) => page.locator("#h-verdict", { hasText: word }).waitFor();
const letter = (page, words) => page.locator("#part-dead .row", { hasText: words });
const message = (page, words) => page.locator("#part-messages .row", { hasText: words }).first();
const live = (page) => page.locator('#follow[data-state="on"]').waitFor();

/** Gives up what other laws have left. */
async function tidy(stage) {
  const page = await stage.page();
  await live(page);
  while (await page.locator("#part-dead .row").count()) {
    const row = page.locator("#part-dead .row").first();
    const id = await row.getAttribute("data-key");
    await row.locator("summary").click();
    await row.getByRole("button", { name: "Drop" }).click();
    await page.locator(`[data-key="${id}"]`).waitFor({ state: "detached" });
  }
}

async function it_is_well_at_a_glance(stage) {
  await tidy(stage);
  await stage.say("a calm day");
  const page = await stage.page();
  await verdict(page, "Well");
  assert.equal(await page.title(), "Well · larkline");
  const signs = await page.locator(".sign").allTextContents();
  assert.equal(signs.length, 3);
  assert.match(signs[0], /Link\s*verified\s*for \d+ (s|min)/);
  assert.match(signs[2], /Process\s*up\s*\d+ (s|min)/);
  await message(page, "a calm day").locator(".chip-replied").waitFor();
  const box = await page.locator(".verdict").boundingBox();
  assert.ok(box.y + box.height < 300, "the verdict stands at the top");
}

async function what_happens_is_seen_without_a_reload(stage) {
  const page = await stage.page();
  await live(page);
  await page.evaluate(() => { globalThis.untouched = true; });
  await stage.say("seen as it comes");
  await message(page, "seen as it comes").locator(".chip-replied").waitFor();
  await stage.say("this is slow to print");
  await message(page, "slow to print").locator(".chip-waiting").waitFor();
  await page.locator("#part-work li", { hasText: "printer" }).filter({ hasText: "memory 256M" }).waitFor();
  await stage.touch("done");
  await message(page, "slow to print").locator(".chip-replied").waitFor();
  assert.equal(await page.evaluate(() => globalThis.untouched), true);
}

async function what_is_open_and_focused_stays_so_while_parts_change(stage) {
  await stage.say("a story to read");
  const page = await stage.page();
  await live(page);
  const row = message(page, "a story to read");
  await row.locator(".chip-replied").waitFor();
  await row.locator("summary").click();
  for (const step of ["received", "on disk", "acknowledged", "delivered", "verdict"]) {
    await row.locator(".step b", { hasText: step }).first().waitFor();
  }
  await row.locator("summary").focus();
  await stage.say("the next one");
  await message(page, "the next one").waitFor();
  assert.ok(await row.locator(".steps").isVisible());
  assert.equal(await page.evaluate(() => document.activeElement.closest(".row")?.textContent.includes("a story to read")), true);
}

async function a_dead_letter_is_dropped_and_one_retried(stage) {
  await tidy(stage);
  const page = await stage.page();
  await live(page);
  await stage.say("fail the first");
  await stage.say("fail the second");
  await verdict(page, "Needs attention");
  await letter(page, "fail the second").waitFor();
  await letter(page, "fail the first").locator("summary").click();
  await letter(page, "fail the first").locator(".error", { hasText: "the printer is on fire" }).waitFor();
  await letter(page, "fail the first").getByRole("button", { name: "Drop" }).click();
  await page.locator("#said", { hasText: "It was dropped." }).waitFor();
  await letter(page, "fail the first").waitFor({ state: "detached" });
  await stage.touch("mended");
  await letter(page, "fail the second").locator("summary").click();
  await letter(page, "fail the second").getByRole("button", { name: "Retry" }).click();
  await letter(page, "fail the second").waitFor({ state: "detached" });
  await message(page, "fail the second").locator(".chip-replied").waitFor();
  await verdict(page, "Well");
  await stage.unmend();
}

async function everything_is_there_without_a_script(stage) {
  await tidy(stage);
  await stage.say("fail without a script");
  const looked = async () => (await fetch(stage.url).then((answer) => answer.text())).includes("fail without a script");
  await until(looked);
  const page = await stage.page({ javaScriptEnabled: false });
  await until(async () => {
    await page.goto(stage.url);
    return letter(page, "fail without a script").count();
  });
  await letter(page, "fail without a script").locator("summary").click();
  await letter(page, "fail without a script").getByRole("button", { name: "Drop" }).click();
  await page.locator("#said", { hasText: "It was dropped." }).waitFor();
  assert.equal(await letter(page, "fail without a script").count(), 0);
  await message(page, "fail without a script").locator("summary").click();
  await message(page, "fail without a script").getByRole("link", { name: "Story" }).click();
  await page.locator(".step", { hasText: "dropped by hand" }).waitFor();
  await page.getByRole("link", { name: "Back to the dashboard" }).click();
  await page.locator(".fold summary", { hasText: "Show all of it" }).click();
  await page.getByRole("link", { name: "Show all of it" }).click();
  await page.locator("tr", { hasText: "app.main.app_secret" }).filter({ hasText: "***" }).waitFor();
}

async function everything_works_by_keyboard_alone(stage) {
  await tidy(stage);
  const page = await stage.page();
  await live(page);
  await stage.say("fail for the keyboard");
  await letter(page, "fail for the keyboard").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const onto = async (selector) => {
    for (let n = 0; n < 80; n += 1) {
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not come to ${selector}`);
  };
  await onto("#part-dead summary");
  await page.keyboard.press("Enter");
  await onto('[data-key^="drop-"]');
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none", "focus is seen");
  await page.keyboard.press("Enter");
  await page.locator("#said", { hasText: "It was dropped." }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "dead", "focus does not fall out of the page");
  await onto("#part-messages summary");
  await page.keyboard.press("Space");
  await page.locator("#part-messages .steps").waitFor();
  await onto('[data-key="config"] > summary');
  await page.keyboard.press("Enter");
  await page.locator("th", { hasText: "app.main.app_secret" }).waitFor();
}

async function a_lost_link_and_a_gone_gateway_are_said_loudly(stage) {
  const page = await stage.page();
  await live(page);
  await stage.sim_("fault", { kind: "offline" });
  await stage.sim_("fault", { kind: "rst" });
  await verdict(page, "Not well");
  await page.locator(".state-bad").waitFor();
  await page.locator(".proof-fails", { hasText: "pong" }).waitFor();
  assert.match(await page.title(), /^Not well/);
  await stage.clear();
  await page.locator(".state-good").waitFor();
  await page.locator(".bar-down").first().waitFor();
  await stage.kill();
  await page.locator("#lost:not([hidden])", { hasText: "does not answer" }).waitFor();
  await stage.run();
  await page.locator("#lost").waitFor({ state: "hidden" });
  await live(page);
  // A page of the new run has the strip of before, and the minute of the start is not called well.
  const fresh = await stage.page();
  await fresh.locator(".bar-down, .bar-away").first().waitFor();
}

async function a_phone_has_all_of_it_without_scrolling_sideways(stage) {
  await stage.say(`one${"-very".repeat(60)}-long word`);
  for (const path of ["/", "/?lang=zh"]) {
    const page = await stage.page(PHONE, path);
    await live(page);
    await message(page, "one-very").waitFor();
    await message(page, "one-very").locator("summary").tap();
    await page.locator(".steps").waitFor();
    await page.locator('[data-key="config"] > summary').tap();
    await page.locator(".table code", { hasText: "app.main.app_id" }).waitFor();
    const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= seen, `${wide} wide on ${seen}`);
    const small = await page.locator("summary, button, nav a").evaluateAll((all) => all.filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 24).map((node) => node.textContent.trim()));
    assert.deepEqual(small, [], "too small to hit");
  }
}

async function the_dashboard_speaks_chinese_and_english(stage) {
  const page = await stage.page();
  await verdict(page, /Well|Needs attention/);
  await page.getByRole("link", { name: "切换到中文" }).click();
  await verdict(page, /运行良好|需要留意/);
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await live(page);
  await stage.say("in both tongues");
  await message(page, "in both tongues").locator(".chip-replied", { hasText: "已回复" }).waitFor();
  await page.waitForFunction(() => /^\d+ 秒前$/.test(document.querySelector("#part-messages time").textContent));
  await message(page, "in both tongues").locator("summary").click();
  await page.locator(".step b", { hasText: "写入磁盘" }).waitFor();
  await page.getByRole("link", { name: "Switch to English" }).click();
  await verdict(page, /Well|Needs attention/);
}

async function a_refusal_is_told_in_the_language_of_the_page(stage) {
  await tidy(stage);
  await stage.say("fail to be refused");
  for (const [path, told] of [["/?lang=zh", /不是死信的编号/], ["/", /is not the id of a dead letter/]]) {
    const page = await stage.page({}, path);
    await live(page);
    await letter(page, "fail to be refused").locator("summary").click();
    const drop = letter(page, "fail to be refused").locator('[data-key^="drop-"]');
    // In one go: the feed would put the form right in between.
    await drop.evaluate((button) => {
      button.form.action = button.form.action.replace(/dead\/t\d+/, "dead/nonsense");
      button.click();
    });
    await page.locator("#said", { hasText: told }).waitFor();
  }
}

async function the_months_calls_are_seen_as_they_are_made(stage) {
  const page = await stage.page(PHONE);
  await live(page);
  const month = page.locator(".month", { hasText: "/ 5,000 calls" });
  const used = async () => Number((await month.locator(".month-head b").first().textContent()).replaceAll(",", ""));
  const before = await used();
  await stage.say("one more call");
  await until(async () => await used() > before);
  assert.match((await month.locator(".month-share").textContent()).trim(), /^(< )?[\d.]+ %$/);
  assert.match(await month.textContent(), /by the end of \d{4}-\d{2}/, "what the bar shows is said");
  const widths = await month.locator("svg.month-bar rect").evaluateAll((all) => all.map((rect) => rect.getBoundingClientRect().width));
  assert.equal(widths.length, 2);
  assert.ok(widths[1] > 0 && widths[0] >= widths[1], `${widths}`);
  assert.equal(await month.locator("svg.month-bar").getAttribute("aria-hidden"), "true");
  await month.getByText("By endpoint").tap();
  await month.locator("tr", { hasText: "reply" }).waitFor();
}

async function contrast_and_names_are_good_in_every_state(stage) {
  await stage.say("fail for the eyes");
  await until(async () => (await fetch(stage.url).then((answer) => answer.text())).includes("chip-failed"));
  for (const [colorScheme, path] of [["light", "/"], ["dark", "/"], ["dark", "/?lang=zh"]]) {
    const page = await stage.page({ colorScheme }, path);
    await live(page);
    await page.locator("#part-dead summary").first().click();
    await page.locator("#part-messages summary").first().click();
    await page.locator(".steps").waitFor();
    await page.locator('[data-key="config"] > summary').click();
    await page.locator("th", { hasText: "app.main.app_secret" }).waitFor();
    assert.deepEqual(await contrast(page), [], colorScheme);
    assert.deepEqual(await labels(page), [], colorScheme);
  }
  await stage.sim_("fault", { kind: "offline" });
  await stage.sim_("fault", { kind: "rst" });
  for (const colorScheme of ["light", "dark"]) {
    const page = await stage.page({ colorScheme });
    await verdict(page, "Not well");
    assert.deepEqual(await contrast(page), [], `${colorScheme}, ill`);
    assert.deepEqual(await labels(page), [], `${colorScheme}, ill`);
  }
}

async function a_gateway_that_hangs_is_said_as_loudly_as_one_that_is_gone(stage) {
  const page = await stage.page();
  await live(page);
  stage.gateway.kill("SIGSTOP");
  try {
    await page.locator("#lost:not([hidden])", { hasText: "does not answer" }).waitFor();
    assert.equal(await page.locator("#follow").textContent(), "reconnecting…");
  } finally {
    stage.gateway.kill("SIGCONT");
  }
  await page.locator("#lost").waitFor({ state: "hidden" });
  await live(page);
}

async function a_page_more_than_may_follow_says_so_and_follows_later(stage) {
  const over = new AbortController();
  const feeds = [];
  do feeds.push(await fetch(`${stage.url}/dashboard/feed`, { signal: over.signal }));
  while (feeds.at(-1).ok);
  assert.equal(feeds.at(-1).status, 503);
  const page = await stage.page();
  await page.locator("#lost:not([hidden])", { hasText: "As many pages as may follow" }).waitFor();
  over.abort();
  await page.locator("#lost").waitFor({ state: "hidden" });
  await live(page);
}

async function with_a_token_there_is_a_login(stage) {
  const guarded = await Watched.start(stage.program, stage.browser, "a-long-token-for-the-page");
  try {
    for (const colorScheme of ["light", "dark"]) {
      const page = await guarded.page({ colorScheme }, "/", "#token");
      assert.deepEqual([...(await contrast(page)), ...(await labels(page))], []);
      await page.getByLabel("Token").fill("not-it");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      await page.getByLabel("Token").fill("a-long-token-for-the-page");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.locator("#part-verdict").waitFor();
      await live(page);
      assert.ok(!page.url().includes("token"));
      assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the session");
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByLabel("Token").waitFor();
    }
    const page = await guarded.page({}, "/", "#token");
    await page.getByLabel("Token").fill("a-long-token-for-the-page");
    await page.getByRole("button", { name: "Log in" }).click();
    await live(page);
    await guarded.retoken("another-token-for-the-page");
    await page.locator("#lost:not([hidden])", { hasText: "This login is over" }).waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
    // A browser writes each 401 to its console.
    assert.deepEqual(await guarded.close(/401 \(Unauthorized\)/), []);
  } finally {
    await guarded.stop();
  }
}
a_lost_link_and_a_gone_gateway_are_said_loudly.expects = /net::ERR_(INCOMPLETE|CONNECTION|EMPTY)/;

// A browser writes each refusal to its console.
a_refusal_is_told_in_the_language_of_the_page.expects = /400 \(Bad Request\)/;

a_page_more_than_may_follow_says_so_and_follows_later.expects = /503/;

export const LAWS = [
  it_is_well_at_a_glance,
  what_happens_is_seen_without_a_reload,
  what_is_open_and_focused_stays_so_while_parts_change,
  a_dead_letter_is_dropped_and_one_retried,
  everything_is_there_without_a_script,
  everything_works_by_keyboard_alone,
  a_phone_has_all_of_it_without_scrolling_sideways,
  the_dashboard_speaks_chinese_and_english,
  a_refusal_is_told_in_the_language_of_the_page,
  the_months_calls_are_seen_as_they_are_made,
  contrast_and_names_are_good_in_every_state,
  with_a_token_there_is_a_login,
  a_page_more_than_may_follow_says_so_and_follows_later,
  a_gateway_that_hangs_is_said_as_loudly_as_one_that_is_gone,
  a_lost_link_and_a_gone_gateway_are_said_loudly,
];

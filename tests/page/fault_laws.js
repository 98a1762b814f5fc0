// A bad day: each fault of the control strip and its recovery, and demos that end.

import { strict as assert } from "node:assert";
import { bot, demo, mine, open, say, simulator } from "./demo.js";

async function a_cut_line_comes_back_by_itself(stage) {
  const { page } = await stage.page();
  await page.locator('[data-fault="cut"]').click();
  await page.locator(".event-good", { hasText: "verified" }).first().waitFor();
  await say(page, "after the cut");
  await bot(page, "after the cut").waitFor();
  await page.locator('.pill[data-state="verified"]').waitFor();
}

async function a_platform_that_was_taken_away_is_brought_back(stage) {
  const { page } = await stage.page();
  await page.locator('[data-fault="offline"]').click();
  await page.locator(".banner", { hasText: "waits on the platform" }).waitFor();
  await say(page, "said into the dark");
  await page.locator('[data-fault="offline"][aria-pressed="true"]').click();
  await bot(page, "said into the dark").waitFor();
  await page.locator(".banner").waitFor({ state: "hidden" });
}

async function a_killed_gateway_comes_back_and_answers_one_time(stage) {
  const { page } = await stage.page();
  await say(page, "before the kill");
  await page.locator('[data-fault="kill"]').click();
  await page.locator(".event-bad", { hasText: "gone" }).waitFor();
  await say(page, "while it is gone");
  await page.locator(".event-good", { hasText: "started again" }).waitFor();
  for (const words of ["before the kill", "while it is gone"]) {
    await mine(page, words).locator(".chip-replied").waitFor();
    // The chip is the gateway's word, the answer the platform's: either may be shown first.
    await bot(page, words).waitFor();
    assert.equal(await page.locator(".message.bot .bubble", { hasText: words }).count(), 1, words);
  }
}

async function throttled_answers_are_late_and_say_why(stage) {
  const { page } = await stage.page();
  await page.locator('[data-fault="throttle"]').click();
  await page.locator('[data-fault="throttle"] .count').waitFor();
  await say(page, "please hurry");
  await bot(page, "please hurry").waitFor();
  await mine(page, "please hurry").locator(".chip-replied").click();
  await mine(page, "please hurry").locator(".step-name", { hasText: "refused, to be sent again" }).first().waitFor();
}

async function a_second_delivery_is_recognised(stage) {
  const { page } = await stage.page();
  await say(page, "answer me one time");
  await mine(page, "answer me one time").locator(".chip-replied").waitFor();
  await page.locator('[data-fault="twice"]').click();
  await mine(page, "answer me one time").locator(".chip").click();
  await page.locator(".step-name", { hasText: "recognised" }).waitFor();
  assert.equal(await page.locator(".message.bot .bubble", { hasText: "answer me one time" }).count(), 1);
}

async function tokens_that_are_revoked_cost_no_answer(stage) {
  const { page } = await stage.page();
  await page.locator('[data-fault="tokens"]').click();
  await say(page, "after the revocation");
  await bot(page, "after the revocation").waitFor();
}

async function on_a_phone_nothing_is_cut_off(stage) {
  for (const locale of ["en-US", "zh-CN"]) {
    const { page } = await stage.page({ locale, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const fits = async (what) => {
      const [is, has] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(is <= has && has === 390, `${what}: ${is} of ${has} px`);
      const wide = await page.evaluate(() => [...document.querySelectorAll(".top *, .talk-head *, .bubble, .card, .story, .composer")]
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5).map((node) => node.className));
      assert.deepEqual(wide, [], what);
    };
    await say(page, `/card for ${locale}`);
    const message = mine(page, `/card for ${locale}`);
    await message.locator(".chip-replied").waitFor();
    await fits("a card");
    await message.locator(".chip-replied").tap();
    await message.locator(".steps").waitFor();
    await fits("a story");
    await page.locator('[data-key="open-panel"]').tap();
    await page.locator('[data-fault="cut"]').waitFor();
    await page.locator('[data-key="close-panel"]').tap();
    await page.locator('[data-key="open-side"]').tap();
    await page.locator(".chat").last().tap();
    await page.locator("#words").waitFor();
    await fits("a group");
  }
}

async function a_simulator_alone_says_so_and_takes_people_in(stage) {
  const alone = await simulator(stage.program);
  try {
    const { page, wrong, context } = await open(stage.browser, alone.url, {}, ".empty");
    await page.locator(".empty", { hasText: "Nobody is here yet" }).waitFor();
    await page.getByRole("button", { name: "Person" }).click();
    await page.getByLabel("Name").fill("Lin");
    await page.getByLabel("Name").press("Enter");
    await page.locator(".chat").first().waitFor();
    await say(page, "anybody?");
    await mine(page, "anybody?").locator(".chip").click();
    await page.locator(".story", { hasText: "nobody was connected" }).waitFor();
    await page.locator(".story", { hasText: "No gateway was started" }).waitFor();
    assert.equal(await page.locator('[data-fault="kill"]').count(), 0);
    assert.deepEqual(wrong, []);
    await context.close();
  } finally {
    await alone.stop();
  }
}

async function a_page_outlives_its_simulator(stage) {
  const old = await simulator(stage.program);
  const { page, context } = await open(stage.browser, old.url, {}, ".empty");
  await page.getByRole("button", { name: "Person" }).click();
  await page.getByLabel("Name").fill("Lin");
  await page.getByLabel("Name").press("Enter");
  await page.locator(".person", { hasText: "Lin" }).waitFor();
  await old.stop();
  await page.locator(".banner", { hasText: "does not answer" }).waitFor();
  const fresh = await simulator(stage.program, new URL(old.url).port);
  try {
    // It has forgotten everybody, and the page with it.
    await page.locator(".banner").waitFor({ state: "hidden" });
    await page.locator(".person", { hasText: "Lin" }).waitFor({ state: "detached" });
  } finally {
    await context.close();
    await fresh.stop();
  }
}

async function an_interrupt_ends_everything(stage) {
  const other = await demo(stage.program);
  const { page, context } = await open(stage.browser, other.url);
  const pid = Number(/\d+/.exec(await page.locator(".process").textContent())[0]);
  await context.close();
  other.interrupt();
  assert.deepEqual(await other.ended, { code: 0, signal: null });
  assert.throws(() => process.kill(pid, 0), "the gateway is still there");
}

async function a_deaf_line_is_noticed_and_replaced(stage) {
  const { page } = await stage.page();
  await page.locator('[data-fault="deaf"]').click();
  await say(page, "said to the deaf");
  await bot(page, "said to the deaf").waitFor();
}

/** The platform goes on pushing to a line that went deaf, so that law comes last. */
export const LAWS = [
  a_cut_line_comes_back_by_itself,
  a_platform_that_was_taken_away_is_brought_back,
  a_killed_gateway_comes_back_and_answers_one_time,
  throttled_answers_are_late_and_say_why,
  a_second_delivery_is_recognised,
  tokens_that_are_revoked_cost_no_answer,
  on_a_phone_nothing_is_cut_off,
  a_simulator_alone_says_so_and_takes_people_in,
  a_page_outlives_its_simulator,
  an_interrupt_ends_everything,
  a_deaf_line_is_noticed_and_replaced,
];

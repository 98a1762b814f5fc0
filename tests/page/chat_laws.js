// What people do on a good day: write, mention, quote, press, recall, read.

import { strict as assert } from "node:assert";
import { contrast, labels } from "./audit.js";
import { bot, mine, say, until } from "./demo.js";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGNkaGBAA0xYRBgAKKAAhyPLEAwAAAAASUVORK5CYII=", "base64");

async function a_message_is_answered_and_tells_its_story(stage) {
  const { page } = await stage.page();
  await say(page, "hello there");
  await bot(page, "hello there").waitFor();
  const message = mine(page, "hello there");
  await message.locator(".chip-replied").click();
  for (const step of ["pushed by the platform", "received", "committed to disk", "acknowledged", "routed", "delivered", "verdict"]) {
    await message.locator(".step-name", { hasText: step }).first().waitFor();
  }
}

async function in_a_group_a_mention_is_answered_and_talk_is_filtered(stage) {
  const { page } = await stage.page();
  await page.locator(".chat", { hasText: "demo group" }).click();
  await say(page, "only talking");
  await mine(page, "only talking").locator(".chip-filtered", { hasText: "not mentioned" }).waitFor();
  await page.locator("#words").pressSequentially("@L");
  await page.locator("#mentions li", { hasText: "Larkline" }).waitFor();
  await page.locator("#words").press("Enter");
  await page.locator("#words").pressSequentially("are you here?");
  await page.locator("#words").press("Enter");
  await bot(page, "are you here?").waitFor();
  assert.equal(await mine(page, "are you here?").locator(".mention").textContent(), "@Larkline");
  assert.equal(await page.locator(".message.bot", { hasText: "only talking" }).count(), 0);
}

async function a_guest_writes_in_a_chat_of_their_own(stage) {
  const { page } = await stage.page();
  await page.locator(".person", { hasText: "guest" }).click();
  await say(page, "from a guest");
  await bot(page, "from a guest").waitFor();
  await page.locator(".person", { hasText: "owner" }).click();
  await page.locator(".chat[aria-current]").waitFor();
  assert.equal(await page.locator(".message", { hasText: "from a guest" }).count(), 0);
}

async function a_message_is_quoted_and_answered_in_a_thread(stage) {
  const { page } = await stage.page();
  await say(page, "to be quoted");
  const answer = bot(page, "to be quoted");
  await answer.waitFor();
  await answer.hover();
  await answer.getByRole("button", { name: "Reply", exact: true }).click();
  await page.locator(".answering", { hasText: "to be quoted" }).waitFor();
  await say(page, "the quotation");
  await mine(page, "the quotation").locator(".quote", { hasText: "to be quoted" }).waitFor();
  await bot(page, "the quotation").waitFor();
  const root = mine(page, "to be quoted");
  await root.hover();
  await root.getByRole("button", { name: "Reply in a thread" }).click();
  await say(page, "inside the thread");
  await mine(page, "inside the thread").locator(".thread-link").click();
  await page.locator("h1", { hasText: "Thread" }).waitFor();
  assert.equal(await page.locator(".message", { hasText: "the quotation" }).count(), 0);
  await page.getByRole("button", { name: "Back to the whole chat" }).click();
  await mine(page, "the quotation").waitFor();
}

async function images_and_files_are_sent_and_shown(stage) {
  const { page } = await stage.page();
  await page.locator("#file").setInputFiles([
    { name: "pixel.png", mimeType: "image/png", buffer: PIXEL },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") },
  ]);
  await page.waitForFunction(() => [...document.querySelectorAll(".shot img")].some((img) => img.naturalWidth === 4));
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".file", { hasText: "notes.txt" }).click()]);
  assert.equal(download.suggestedFilename(), "notes.txt");
}

async function a_pressed_button_shows_its_toast_and_changes_its_card(stage) {
  const { page } = await stage.page();
  await say(page, "/card");
  const card = page.locator(".card").last();
  await card.locator(".table td", { hasText: "412 passed" }).waitFor();
  await card.locator("summary").click();
  await card.locator(".code", { hasText: "outbox.put" }).waitFor();
  const approve = card.getByRole("button", { name: "Approve" });
  await until(page, async () => {
    // On a busy machine a press may come too late; the person is told, and presses again.
    const answered = page.waitForResponse((response) => response.url().endsWith("/press"));
    await approve.click();
    const { toast } = await (await answered).json();
    return toast?.content === "Approved";
  });
  await page.locator(".toast-success", { hasText: "Approved" }).waitFor();
  await card.locator(".mention", { hasText: "owner" }).waitFor();
}

async function a_form_is_filled_in_and_submitted(stage) {
  const { page } = await stage.page();
  const plain = (content) => ({ tag: "plain_text", content });
  const submit = { tag: "button", text: plain("Submit"), name: "go", form_action_type: "submit", behaviors: [{ type: "callback", value: { form: 1 } }] };
  const options = [{ text: plain("Now"), value: "now" }, { text: plain("Later"), value: "later" }];
  const parts = [
    { tag: "input", name: "reason", label: plain("Reason") },
    { tag: "select_static", name: "when", placeholder: plain("When"), options },
    { tag: "checker", name: "sure", text: plain("I am sure") },
  ];
  await stage.send(page, "interactive", { schema: "2.0", body: { elements: [{ tag: "form", name: "order", elements: [...parts, submit] }] } });
  await page.getByLabel("Reason").fill("because");
  await page.getByLabel("When").selectOption("later");
  await page.getByRole("checkbox", { name: "I am sure" }).check();
  const pressed = page.waitForRequest((request) => request.url().endsWith("/press"));
  await page.getByRole("button", { name: "Submit" }).click();
  const { action, value } = (await pressed).postDataJSON();
  assert.deepEqual(action.form_value, { reason: "because", when: "later", sure: true });
  assert.deepEqual(value, { form: 1 });
}

async function an_older_card_is_drawn_too(stage) {
  const { page } = await stage.page();
  const words = (content) => ({ tag: "lark_md", content });
  const silence = { tag: "button", type: "danger", text: words("Silence"), value: { a: 1 }, confirm: { title: words("Silence it?"), text: words("for an hour") } };
  await stage.send(page, "interactive", {
    header: { title: words("Alarm"), template: "orange" },
    elements: [
      { tag: "div", fields: [{ is_short: true, text: words("**Level**\nP1") }] },
      { tag: "action", actions: [silence] },
      { tag: "note", elements: [{ tag: "plain_text", content: "from the monitor" }] },
    ],
  });
  const card = page.locator(".card", { hasText: "from the monitor" }).last();
  await card.locator(".head-orange").waitFor();
  assert.equal(await card.locator("strong").textContent(), "Level");
  await card.getByRole("button", { name: "Silence" }).click();
  await card.getByRole("alertdialog").getByRole("button", { name: "No" }).click();
  await card.getByRole("alertdialog").waitFor({ state: "detached" });
}

async function a_streamed_card_grows(stage) {
  const { page } = await stage.page();
  const lengths = new Set();
  await say(page, "/stream");
  const card = page.locator(".message.bot .card").last();
  await page.locator(".card.streaming").waitFor();
  await until(page, async () => {
    const text = await card.textContent();
    lengths.add(text.length);
    return text.includes("nothing it acknowledged is lost") && !(await page.locator(".card.streaming").count());
  });
  assert.ok(lengths.size >= 3, `seen in ${lengths.size} lengths`);
  assert.equal(await card.locator("li").count(), 4);
}

async function a_post_is_drawn_with_its_formats(stage) {
  const { page } = await stage.page();
  await say(page, "/post");
  const message = page.locator(".message.bot", { hasText: "A post" }).last();
  await message.waitFor();
  assert.equal(await message.locator("strong").first().textContent(), "A post");
  assert.equal(await message.locator("li").count(), 2);
  assert.match(await message.locator("pre").textContent(), /larkline explain/);
}

async function a_broken_post_breaks_its_own_picture_alone(stage) {
  const { page } = await stage.page();
  await stage.send(page, "post", { zh_cn: { content: [[{ tag: "text", text: "one style as a word", style: "bold" }]] } });
  await page.locator(".message.bot strong", { hasText: "one style as a word" }).waitFor();
  const { users } = await fetch(`${stage.run.url}/_sim/world`).then((response) => response.json());
  const owner = users.find((user) => user.name === "owner").open_id;
  await stage.post("/_sim/say", { user: owner, raw: { message_type: "post", content: { content: 7 } } });
  await page.locator(".message", { hasText: '"content": 7' }).waitFor();
  await say(page, "and life goes on");
  await bot(page, "and life goes on").waitFor();
}

async function a_message_is_reacted_to_and_recalled(stage) {
  const { page } = await stage.page();
  await say(page, "soon gone");
  const message = mine(page, "soon gone");
  const id = await message.getAttribute("data-id");
  const same = page.locator(`[data-id="${id}"]`);
  await same.hover();
  await same.getByRole("button", { name: "React" }).click();
  await page.locator(".picker").getByRole("menuitem", { name: "PARTY" }).click();
  await same.locator(".reaction", { hasText: "🎉" }).waitFor();
  await same.hover();
  await same.getByRole("button", { name: "Recall" }).click();
  await same.locator(".recalled").waitFor();
}

async function what_the_page_does_not_know_is_named_and_nothing_is_run(stage) {
  const { page } = await stage.page();
  await say(page, "a chat to write into");
  await bot(page, "a chat to write into").waitFor();
  const card = {
    schema: "2.0",
    body: { elements: [
      { tag: "markdown", content: "<img src=x onerror=alert(1)> [a](javascript:alert(1)) <script>alert(1)</script> **bold**" },
      { tag: "chart", chart_spec: {} },
      { tag: "input", name: "n", label: { tag: "plain_text", content: "A name" } },
    ] },
  };
  await stage.send(page, "interactive", card);
  const drawn = page.locator(".card", { hasText: "bold" }).last();
  await drawn.locator(".unknown", { hasText: "chart" }).waitFor();
  await drawn.getByLabel("A name").waitFor();
  assert.equal(await drawn.locator("a, script, img").count(), 0);
  assert.match(await drawn.textContent(), /<img src=x onerror=alert\(1\)>/);
}

async function it_speaks_chinese_and_english(stage) {
  const { page } = await stage.page({ locale: "zh-CN" });
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.locator("h2", { hasText: "制造故障" }).waitFor();
  await say(page, "/卡片");
  await page.getByRole("button", { name: "批准" }).last().waitFor();
  await page.getByRole("button", { name: "Switch to English" }).click();
  await page.locator("h2", { hasText: "Make it fail" }).waitFor();
  await page.reload();
  await page.locator("h2", { hasText: "Make it fail" }).waitFor();
  const { page: french } = await stage.page({ locale: "fr-FR" });
  assert.equal(await french.locator("html").getAttribute("lang"), "en");
}

async function it_is_light_dark_or_as_the_system(stage) {
  const colour = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const { page } = await stage.page({ colorScheme: "dark" });
  const dark = await colour(page);
  await page.getByRole("button", { name: "Colours: as the system" }).click();
  const light = await colour(page);
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await colour(page), light);
  await page.getByRole("button", { name: "Colours: light" }).click();
  assert.equal(await colour(page), dark);
}

async function everything_works_by_keyboard(stage) {
  const { page } = await stage.page();
  const focused = (selector) => page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);
  await page.keyboard.press("Tab");
  await focused(".skip");
  await page.keyboard.press("Enter");
  await focused("#words");
  await page.keyboard.type("typed by hand");
  await page.keyboard.press("Enter");
  await bot(page, "typed by hand").waitFor();
  await mine(page, "typed by hand").locator(".chip-replied").waitFor();
  await page.keyboard.press("ArrowUp");
  await focused(".message.bot");
  await page.keyboard.press("ArrowUp");
  await focused(".message.mine");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "what has the focus shows it");
  await page.keyboard.press("s");
  await page.locator(".steps").waitFor();
  await focused(".message.mine");
  await page.keyboard.press("e");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.locator(".reaction", { hasText: "👌" }).first().waitFor();
  await page.locator("#words").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("r");
  await page.locator(".answering").waitFor();
  await focused("#words");
  await page.keyboard.press("Escape");
  await page.locator(".answering").waitFor({ state: "detached" });
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("?");
  await page.locator("#help[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("f");
  await focused('[data-fault="cut"]');
  await page.keyboard.press("]");
  await page.locator("h1", { hasText: "demo group" }).waitFor();
  await page.keyboard.press("/");
  await focused("#words");
}

async function contrast_and_names_are_good_in_both_themes(stage) {
  for (const colorScheme of ["light", "dark"]) {
    const { page } = await stage.page({ colorScheme });
    await say(page, "look at `this`");
    await say(page, "/card");
    await page.locator(".card .table").last().waitFor();
    await page.locator(".chip-replied").last().click();
    await page.locator(".steps").last().waitFor();
    await page.locator('[data-fault="slow"]').click();
    await page.locator('[data-fault="slow"].active').waitFor();
    assert.deepEqual(await contrast(page), [], colorScheme);
    assert.deepEqual(await labels(page), [], colorScheme);
    await stage.clear();
  }
}

export const LAWS = [
  a_message_is_answered_and_tells_its_story,
  in_a_group_a_mention_is_answered_and_talk_is_filtered,
  a_guest_writes_in_a_chat_of_their_own,
  a_message_is_quoted_and_answered_in_a_thread,
  images_and_files_are_sent_and_shown,
  a_pressed_button_shows_its_toast_and_changes_its_card,
  a_form_is_filled_in_and_submitted,
  an_older_card_is_drawn_too,
  a_streamed_card_grows,
  a_post_is_drawn_with_its_formats,
  a_broken_post_breaks_its_own_picture_alone,
  a_message_is_reacted_to_and_recalled,
  what_the_page_does_not_know_is_named_and_nothing_is_run,
  it_speaks_chinese_and_english,
  it_is_light_dark_or_as_the_system,
  everything_works_by_keyboard,
  contrast_and_names_are_good_in_both_themes,
];

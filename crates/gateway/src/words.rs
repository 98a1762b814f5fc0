//! What the gateway itself says in a chat, in Chinese and in English.
//!
//! Logs, JSON and the words of verdicts stay English; what a person reads in a chat is in the
//! language of the configuration (`language`, from the locale by default). A message without one of
//! its two forms does not compile. What operators read is written where it is said, with
//! [`say_in!`](crate::say_in).

// tidy: long file: every sentence of the gateway's, in both languages, in one place

use std::time::Duration;

use larkline_store::session::SessionState;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// The language of a locale such as `zh_CN.UTF-8`.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// The language of an environment's locale: the first of its variables that is set to something.
    pub fn of_environment<'a>(read: impl Fn(&str) -> Option<&'a str>) -> Self {
        let set = |name| read(name).filter(|locale| !locale.is_empty());
        LOCALE.into_iter().find_map(set).map_or_else(Self::default, Self::of_locale)
    }

    /// The one of two texts that is in this language.
    pub fn either<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// Variables that name the locale of messages, strongest first.
pub const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// A text in the language of the first argument, both forms side by side:
/// `say_in!(lang, zh: "应用 {name}", en: "app {name}")`. What is no plain variable is named behind:
/// `, n = list.len()`; both forms have to use it.
#[macro_export]
macro_rules! say_in {
    ($lang:expr, zh: $zh:literal, en: $en:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $lang {
            $crate::words::Lang::Zh => ::std::format!($zh $(, $name = $value)*),
            $crate::words::Lang::En => ::std::format!($en $(, $name = $value)*),
        }
    };
}

/// Each message is a function of its language and what it names.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) { zh: $zh:literal, en: $en:literal })*) => {$(
        $(#[$doc])*
        pub fn $name(lang: Lang, $($arg: $type),*) -> String {
            match lang {
                Lang::Zh => format!($zh),
                Lang::En => format!($en),
            }
        }
    )*};
}

messages! {
    /// Over the limit for one person.
    too_many() { zh: "⏳ 消息太快了，请稍后再发。", en: "⏳ Too many messages, please wait a minute." }
    /// Older than its route wants.
    too_late() {
        zh: "⏳ 这条消息送达得太晚，没有处理。",
        en: "⏳ This message arrived too late and was not handled."
    }
    /// The same, with a question.
    still_wanted() {
        zh: "⏳ 这条消息送达得很晚，还需要处理吗？需要的话请重发。",
        en: "⏳ This message arrived late: does it still matter? Then please send it again."
    }
    /// Messages that were written while the link was down, and the route asks about them.
    repair_question(count: usize) {
        zh: "机器人离线期间，这里有 {count} 条消息没有收到",
        en: "{count} message(s) here did not reach the bot while it was offline"
    }
    /// What is below that question.
    repair_note() {
        zh: "还需要处理吗？不需要就不用理会。",
        en: "Do they still matter? If not, ignore this."
    }
    /// The button that has them handled.
    repair_button() { zh: "现在处理", en: "Handle them now" }
    /// It was pressed.
    repair_begun(count: usize) { zh: "正在处理 {count} 条消息", en: "Handling {count} message(s)" }
    /// It was pressed before, or the messages are forgotten.
    repair_over() { zh: "没有需要处理的消息了", en: "Nothing is left to be handled" }
    /// Many messages wait for handlers.
    crowded(waiting: u64) {
        zh: "⏳ 已收到，前面还有约 {waiting} 条消息在排队。",
        en: "⏳ Received; about {waiting} messages are waiting before yours."
    }
    /// Its place while its handler is at its cap.
    place_in_line(place: usize) {
        zh: "⏳ 已收到，正在排队，当前第 {place} 位。",
        en: "⏳ Received; it is number {place} in the queue."
    }
    /// A handler announced an answer that did not come.
    no_reply() {
        zh: "⚠️ 预告的回答没有按时到达（no_reply）。管理员可以重试：larkline dead",
        en: "⚠️ The announced answer did not come in time (no_reply). The operator can retry it: larkline dead"
    }

    /// A turn has begun.
    thinking() { zh: "⏳ 正在处理……", en: "⏳ Working on it…" }
    /// A tool is at work.
    using(tool: &str, about: &str) { zh: "🔧 {tool}：`{about}`", en: "🔧 {tool}: `{about}`" }
    /// The model's service is asked again.
    retrying(why: &str, attempt: u32, wait: &str) {
        zh: "⏳ 模型服务暂时不可用（{why}），{wait}后第 {attempt} 次重试……",
        en: "⏳ The model's service is unavailable ({why}); retry {attempt} in {wait}…"
    }
    /// It waits for somebody's leave.
    waiting_for_leave() { zh: "✋ 等待授权……", en: "✋ Waiting for leave…" }
    /// The button that ends a turn.
    stop_button() { zh: "停止", en: "Stop" }
    /// What a list shows of a card that grows.
    growing_summary() { zh: "正在生成……", en: "Generating…" }

    /// The turn ended with nothing said.
    done_silent() { zh: "✅ 已完成，没有文字输出。", en: "✅ Done, with nothing to say." }
    /// The model would not answer.
    refused(detail: &str) {
        zh: "🚫 模型拒绝回答。{detail}",
        en: "🚫 The model refused to answer. {detail}"
    }
    /// A limit of the agent was reached.
    limit(detail: &str) {
        zh: "⛔ 达到限制，回答可能不完整。{detail} 发送消息可以继续。",
        en: "⛔ A limit was reached, the answer may be incomplete. {detail} Write to go on."
    }
    /// It is not logged in.
    auth(handler: &str) {
        zh: "🔑 `{handler}` 未登录或密钥无效，请联系管理员。",
        en: "🔑 `{handler}` is not logged in, or its key is refused. The operator has to see to it."
    }
    /// The service was overloaded, also after retries.
    overloaded() {
        zh: "🚦 模型服务繁忙，多次重试后仍未成功。请稍后发送 /retry。",
        en: "🚦 The model's service is overloaded, also after retries. Send /retry later."
    }
    /// Somebody ended the turn.
    stopped_by(who: &str) { zh: "⏹ 已由 {who} 停止。对话保留，可以继续。", en: "⏹ Stopped by {who}. The conversation goes on." }
    /// Who runs the gateway.
    operator() { zh: "管理员", en: "the operator" }
    /// A newer message ended the turn.
    steered() { zh: "↪ 收到新消息，转而处理它。", en: "↪ A newer message came; going on with that." }
    /// It worked too long.
    wall(limit: &str) {
        zh: "⏱ 超过时限 {limit}，已结束。发送消息可以继续。",
        en: "⏱ Ended after {limit}, its limit. Write to go on."
    }
    /// It was silent too long.
    idle(limit: &str) {
        zh: "⏱ {limit} 没有任何输出，已结束。发送消息可以继续。",
        en: "⏱ Ended after {limit} of silence, its limit. Write to go on."
    }
    /// It took too much memory.
    memory(limit: &str) {
        zh: "💥 内存超过上限 {limit}，已结束。",
        en: "💥 Ended for taking more memory than its limit of {limit}."
    }
    /// It started too many processes.
    processes(limit: u32) {
        zh: "💥 进程数超过上限 {limit}，已结束。",
        en: "💥 Ended for starting more than {limit} processes, its limit."
    }
    /// It printed too much.
    output(limit: &str) {
        zh: "💥 输出超过上限 {limit}，已结束。",
        en: "💥 Ended for printing more than its limit of {limit}."
    }
    /// It died.
    crashed(how: &str) {
        zh: "💥 处理程序异常退出（{how}）。发送 /retry 可以重试。",
        en: "💥 The agent ended unexpectedly ({how}). Send /retry to try again."
    }
    /// It said itself that nothing came of it.
    gave_up(why: &str) {
        zh: "💥 处理失败：{why} 发送 /retry 可以重试。",
        en: "💥 The agent gave up: {why} Send /retry to try again."
    }
    /// It could not be started.
    not_started(handler: &str) {
        zh: "💥 `{handler}` 无法启动，请联系管理员（larkline dead）。",
        en: "💥 `{handler}` cannot be started. The operator has to see to it: larkline dead"
    }
    /// The service stops in mid-turn, and goes on with it after its start.
    restarting() {
        zh: "🔄 服务正在重启，启动后会自动继续这项工作。",
        en: "🔄 The service is restarting; this work goes on by itself afterwards."
    }
    /// The same where no run may be repeated.
    cut_short_for_good() {
        zh: "🔄 服务正在重启，这项工作没有完成，也不会自动重做。发送 /retry 可以重做。",
        en: "🔄 The service is restarting; this work was not finished, and is not done again by itself. Send /retry to do it again."
    }
    /// The turn goes on after a restart.
    resumed() { zh: "🔄 服务已重启，继续之前的工作……", en: "🔄 The service was restarted; going on…" }
    /// The agent does not know the conversation any more.
    fresh_session() {
        zh: "ℹ️ 之前的对话无法恢复，已开始新对话。",
        en: "ℹ️ The earlier conversation cannot be resumed; this is a fresh one."
    }
    /// Given up after the last attempt.
    failed(handler: &str, code: &str, attempt: u32) {
        zh: "⚠️ {handler} 处理失败（{code}），第 {attempt} 次尝试。管理员可以重试：larkline dead",
        en: "⚠️ {handler} failed ({code}), attempt {attempt}. The operator can retry it: larkline dead"
    }
    /// The model has no key.
    no_key(handler: &str) {
        zh: "🔑 `{handler}` 还没有配置 API 密钥，请联系管理员。",
        en: "🔑 `{handler}` has no API key yet. The operator has to see to it."
    }
    /// The answer broke off.
    broken_off(detail: &str) {
        zh: "⚠️ 回答中断：{detail}。发送 /retry 可以重试。",
        en: "⚠️ The answer broke off: {detail}. Send /retry to try again."
    }
    /// There was no answer.
    not_answered(detail: &str) {
        zh: "⚠️ 模型服务没有回答：{detail}。发送 /retry 可以重试。",
        en: "⚠️ The model's service did not answer: {detail}. Send /retry to try again."
    }
    /// The service cannot do what it is asked, and will not the next time.
    misconfigured(handler: &str, detail: &str) {
        zh: "⚙️ 模型服务拒绝了 `{handler}` 的请求：{detail}。请联系管理员。",
        en: "⚙️ The model's service refuses what `{handler}` asks: {detail}. The operator has to see to it."
    }
    /// The conversation does not fit into the model any more.
    outgrown(detail: &str) {
        zh: "📏 对话超出模型的长度上限：{detail}。发送 /new 开始新对话。",
        en: "📏 The conversation is too long for the model: {detail}. Send /new to begin another."
    }
    /// The answer was cut at the model's limit of length.
    cut_short() {
        zh: "✂️ 回答达到长度上限，被截断。",
        en: "✂️ The answer was cut at the model's limit of length."
    }

    /// The head of a card that asks for leave.
    ask_title(tool: &str) { zh: "需要授权：{tool}", en: "Leave wanted: {tool}" }
    /// The head of a card that asks about a plan.
    plan_title() { zh: "计划待确认", en: "A plan to confirm" }
    /// The head of a card with a question.
    question_title() { zh: "需要你的选择", en: "A question for you" }
    /// This time.
    allow() { zh: "允许", en: "Allow" }
    /// From now on.
    always() { zh: "总是允许", en: "Always" }
    /// Not this time.
    deny() { zh: "拒绝", en: "Deny" }
    /// Never.
    never() { zh: "总是拒绝", en: "Never" }
    /// How long the question stands.
    ask_until(wait: &str) {
        zh: "{wait}内无人回答将视为拒绝。",
        en: "No answer within {wait} means no."
    }
    /// What a question is about did not fit into its card.
    begins_above(messages: usize) {
        zh: "正文较长，开头在上面的 {messages} 条消息里。",
        en: "The text is long: it begins {messages} message(s) above."
    }
    /// Under the answers of a question that has too many.
    options_without_button(options: usize) {
        zh: "最后 {options} 个选项没有按钮，不能在这里选择。",
        en: "The last {options} have no button and cannot be chosen here."
    }
    /// Under the answers of a question that has far too many.
    options_left(options: usize) {
        zh: "另有 {options} 个选项未列出。",
        en: "{options} more answers were left out."
    }
    /// Under the last question where there are too many.
    questions_left(questions: usize) {
        zh: "另有 {questions} 个问题未提出。",
        en: "{questions} more questions were left out."
    }
    /// Under the answers of a question to which several may be chosen.
    only_one() {
        zh: "这个问题可以多选，但这里只能选一个。",
        en: "Several could be chosen, but only one can be here."
    }
    /// Somebody answered.
    answered(choice: &str, who: &str) { zh: "**{choice}** · {who}", en: "**{choice}** · {who}" }
    /// Nobody answered in time.
    nobody_answered(wait: &str) {
        zh: "⏱ {wait}内无人回答，已拒绝。",
        en: "⏱ Nobody answered within {wait}: denied."
    }
    /// How long a question of a script or an agent stands.
    question_until(wait: &str) {
        zh: "请在 {wait}内选择。",
        en: "Please choose within {wait}."
    }
    /// Nobody chose in time.
    question_too_late(wait: &str) {
        zh: "⏱ {wait}内无人选择。",
        en: "⏱ Nobody chose within {wait}."
    }
    /// The question was taken back.
    withdrawn() { zh: "已撤回，无需回答。", en: "Taken back; no answer is needed any more." }
    /// A question that a restart of the service left behind.
    ask_left() {
        zh: "🔄 服务已重启，这个问题不再有效；仍需回答的会重新询问。",
        en: "🔄 No longer open: the service was restarted. What is still needed is asked again."
    }
    /// A file that the platform does not take.
    file_not_sent(name: &str) {
        zh: "📎 {name}：未能发送，平台拒绝了这个文件。",
        en: "📎 {name}: not sent, the platform refuses it."
    }
    /// A pressed button whose question is over.
    ask_over() { zh: "这个问题已经结束。", en: "This question is over." }
    /// A pressed button of somebody who may not.
    ask_not_yours() {
        zh: "只有提问者和管理员可以回答。",
        en: "Only whoever asked, and the owners, may answer."
    }
    /// The answer was taken.
    ask_taken() { zh: "已收到。", en: "Taken." }

    /// `/stop`, and nothing runs.
    nothing_runs() { zh: "当前没有正在进行的工作。", en: "Nothing is running here." }
    /// `/stop` was heard.
    stopping() { zh: "⏹ 正在停止……", en: "⏹ Stopping…" }
    /// `/new`.
    new_session() { zh: "🆕 已开始新对话。", en: "🆕 A new conversation begins." }
    /// `/cd`.
    cwd_is(path: &str) { zh: "📂 工作目录：`{path}`", en: "📂 Working directory: `{path}`" }
    /// `/cd` to nowhere.
    no_directory(path: &str) { zh: "目录不存在：`{path}`", en: "There is no directory `{path}`." }
    /// `/cd` outside.
    not_in_roots() {
        zh: "这个目录不在允许的范围内（`cd_roots`）。",
        en: "That directory is outside of what is allowed (`cd_roots`)."
    }
    /// `/cd` where there are no directories.
    no_directories() { zh: "语言模型没有工作目录。", en: "A language model works in no directory." }
    /// For owners.
    owners_only() { zh: "只有管理员可以这样做。", en: "Only an owner may do that." }
    /// `/model`.
    model_is(model: &str) { zh: "🧠 模型：`{model}`", en: "🧠 Model: `{model}`" }
    /// The agent's own choice.
    default_model() { zh: "默认", en: "default" }
    /// `/retry`, and there is nothing to.
    nothing_to_retry() { zh: "没有可以重试的消息。", en: "There is no message to retry." }
    /// `/resume` of something unknown.
    no_such_session() { zh: "没有这样的对话。", en: "There is no such conversation." }
    /// `/resume` of the current one.
    session_resumed(id: i64) { zh: "▶️ 已回到对话 #{id}。", en: "▶️ Back in conversation #{id}." }
    /// The head of the list of conversations.
    sessions_title() { zh: "**对话**（`/resume 编号` 返回其中之一）", en: "**Conversations** (`/resume N` goes back to one)" }
    /// Where a session stands.
    session_line(id: i64, state: &str, turns: u64, used: &str) {
        zh: "- #{id} · {state} · {turns} 轮 · {used}",
        en: "- #{id} · {state} · {turns} turns · {used}"
    }
    /// No conversation yet.
    no_session() { zh: "还没有对话。", en: "No conversation yet." }
    /// `/status`: what runs.
    running_for(time: &str) { zh: "⏳ 正在进行，已 {time}", en: "⏳ Running for {time}" }
    /// `/status`: what waits.
    waiting(count: usize) { zh: "排队 {count} 条", en: "{count} waiting" }
    /// `/status`: tokens and cost.
    used(tokens_in: u64, tokens_out: u64, cost: &str) {
        zh: "用量：输入 {tokens_in} 词元，输出 {tokens_out}{cost}",
        en: "Used: {tokens_in} tokens in, {tokens_out} out{cost}"
    }
    /// `/jobs`, and there are none.
    no_jobs() { zh: "这个会话没有后台任务。", en: "There are no jobs of this chat." }
    /// The head of the list of jobs.
    jobs_title() { zh: "**后台任务**", en: "**Jobs**" }
    /// One job.
    job_line(id: &str, label: &str, state: &str) {
        zh: "- {id} · `{label}` · {state}",
        en: "- {id} · `{label}` · {state}"
    }
    /// A job's state: it waits.
    job_queued() { zh: "排队中", en: "waiting" }
    /// A job's state: it runs.
    job_running(time: &str) { zh: "运行中，已 {time}", en: "running for {time}" }
    /// A job's state: another attempt follows.
    job_retrying(attempt: u32) {
        zh: "第 {attempt} 次尝试失败，等待重试",
        en: "attempt {attempt} failed, to be tried again"
    }
    /// A job's state: over.
    job_over(at: &str) { zh: "已结束于 {at}", en: "ended at {at}" }
    /// A job's state: given up.
    job_given_up(code: &str, at: &str) {
        zh: "失败（{code}），{at}",
        en: "failed ({code}) at {at}"
    }
    /// A job ended well.
    job_done(label: &str, took: &str) {
        zh: "✅ `{label}` 已完成 · 退出码 0 · 用时 {took}",
        en: "✅ `{label}` is done · exit code 0 · {took}"
    }
    /// A job failed for good.
    job_failed(label: &str, why: &str, took: &str, attempt: u32, of: u32) {
        zh: "❌ `{label}` 失败 · {why} · 用时 {took} · 第 {attempt}/{of} 次尝试",
        en: "❌ `{label}` failed · {why} · {took} · attempt {attempt} of {of}"
    }
    /// How a job ended: by itself.
    exit_code(code: i32) { zh: "退出码 {code}", en: "exit code {code}" }
    /// How a job ended: by a signal.
    killed(signal: &str) { zh: "被 {signal} 终止", en: "killed by {signal}" }
    /// How a job ended: at its limit of time.
    ran_too_long(limit: &str) { zh: "超过时限 {limit}", en: "still running after {limit}" }
    /// How a job ended: at its limit of memory.
    too_much_memory() { zh: "内存超过上限", en: "more memory than its limit" }
    /// Somebody stopped a job.
    job_stopped(label: &str, took: &str) {
        zh: "⏹ `{label}` 已停止 · 用时 {took}",
        en: "⏹ `{label}` was stopped · {took}"
    }
    /// Somebody took back a job that had not begun, or waited for another attempt.
    job_withdrawn(label: &str) {
        zh: "⏹ `{label}` 已取消，不再运行。",
        en: "⏹ `{label}` was taken back and will not run."
    }
    /// A restart cut off a job that is not repeated.
    job_interrupted(label: &str) {
        zh: "⚠️ `{label}` 因服务重启而中断，可能已部分执行，没有重新运行。",
        en: "⚠️ `{label}` was cut off by a restart, perhaps after some of its effects, and is not run again."
    }
    /// A job could not be run to an end.
    job_broken(label: &str, code: &str, detail: &str) {
        zh: "❌ `{label}` 失败（{code}）：{detail}",
        en: "❌ `{label}` failed ({code}): {detail}"
    }
    /// What an operator may do about a failed job.
    job_hint(id: &str) {
        zh: "管理员可以重试：`larkline job retry {id}`",
        en: "The operator can run it again: `larkline job retry {id}`"
    }
    /// A command nobody knows here.
    unknown_command(word: &str) {
        zh: "未知命令 {word}，发送 /help 查看可用命令。",
        en: "Unknown command {word}; /help lists those there are."
    }
    /// The list of commands.
    help() {
        zh: "**命令**\n- `/new` 开始新对话\n- `/stop` 停止正在进行的工作\n- `/status` 状态与用量\n- `/resume [编号]` 列出或返回之前的对话\n- `/retry` 重做上一条消息\n- `/cd [目录]` 查看或更改工作目录\n- `/model [名称]` 查看或更改模型，`/model 默认` 恢复\n- `/jobs` 后台任务\n- `/help` 本说明",
        en: "**Commands**\n- `/new` begins a new conversation\n- `/stop` ends the running work\n- `/status` shows state and use\n- `/resume [N]` lists earlier conversations, or goes back to one\n- `/retry` does the last message again\n- `/cd [DIR]` shows or changes the working directory\n- `/model [NAME]` shows or changes the model, `default` goes back\n- `/jobs` lists jobs\n- `/help` shows this"
    }
    /// A file that was too large to fetch.
    file_too_large(name: &str) { zh: "[文件过大，未下载：{name}]", en: "[too large, not fetched: {name}]" }
    /// A file that could not be fetched.
    file_unreadable(name: &str) { zh: "[文件无法下载：{name}]", en: "[could not be fetched: {name}]" }
}

/// Where a session stands.
pub fn session_state(lang: Lang, state: SessionState) -> String {
    let (zh, en) = match state {
        SessionState::New => ("新建", "new"),
        SessionState::Active => ("空闲", "active"),
        SessionState::Processing => ("进行中", "processing"),
        SessionState::Completed => ("已结束", "completed"),
        SessionState::Suspended => ("已挂起", "suspended"),
        SessionState::Terminated => ("已终止", "terminated"),
    };
    match lang {
        Lang::Zh => zh.to_owned(),
        Lang::En => en.to_owned(),
    }
}

/// The state of a link, from its stable name.
pub fn link_state(lang: Lang, state: &str) -> &str {
    let zh = match state {
        "resolving" => "正在获取地址",
        "dialing" => "正在建立",
        "upgraded" => "已升级，尚未验证",
        "verified" => "已验证",
        "stale" => "可疑，正在探测",
        "backoff" => "已断开，等待重连",
        "closing" => "正在关闭",
        "stopped" => "已停止",
        other => other,
    };
    lang.either(zh, state)
}

/// A verdict, or the state of a message, a task or a job; one that is not known stays as it is.
pub fn outcome(lang: Lang, word: &str) -> &str {
    let zh = match word {
        "waiting" => "等待中",
        "replied" => "已回复",
        "filtered" => "已过滤",
        "failed" => "失败",
        "queued" => "排队中",
        "running" => "运行中",
        "retrying" => "等待重试",
        "done" => "已完成",
        "delivered" => "已送达",
        "dead" => "死信",
        "dropped" => "已关闭",
        "withdrawn" => "已撤回",
        other => other,
    };
    lang.either(zh, word)
}

/// A duration for people: `90 s`, `5 min`, `2 h`.
pub fn duration(lang: Lang, time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, zh, en) = match seconds {
        0 => (u64::from(time.subsec_millis()), "毫秒", "ms"),
        1..=119 => (seconds, "秒", "s"),
        120..=7199 => (seconds / 60, "分钟", "min"),
        _ => (seconds / 3600, "小时", "h"),
    };
    match lang {
        Lang::Zh => format!("{number} {zh}"),
        Lang::En => format!("{number} {en}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_tells_the_language() {
        for (locale, lang) in [
            ("zh_CN.UTF-8", Lang::Zh),
            ("ZH", Lang::Zh),
            ("en_US.UTF-8", Lang::En),
            ("C", Lang::En),
        ] {
            assert_eq!(Lang::of_locale(locale), lang, "{locale}");
        }
    }

    #[test]
    fn the_strongest_variable_that_is_set_names_the_locale() {
        let of = |set: &[(&str, &'static str)]| {
            Lang::of_environment(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
        };
        assert_eq!(of(&[]), Lang::En);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(of(&[("LC_MESSAGES", "zh_TW"), ("LANG", "en_US.UTF-8")]), Lang::Zh);
    }

    #[test]
    fn durations_are_short() {
        let s = Duration::from_secs;
        assert_eq!(duration(Lang::En, s(90)), "90 s");
        assert_eq!(duration(Lang::Zh, s(600)), "10 分钟");
        assert_eq!(duration(Lang::En, s(7200)), "2 h");
        assert_eq!(duration(Lang::En, Duration::from_millis(250)), "250 ms");
    }
}

//! The words of the page, in Chinese and in English. A word without one of its two forms does not
//! compile, and one that a template misspells fails every test that renders it.

use serde::Serialize;

use crate::words::Lang;

macro_rules! words {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        /// All words of one language.
        #[derive(Serialize)]
        pub(super) struct Words { $(pub(super) $name: &'static str),* }
        static ZH: Words = Words { $($name: $zh),* };
        static EN: Words = Words { $($name: $en),* };
    };
}

/// The words of a language.
pub(super) fn of(lang: Lang) -> &'static Words {
    lang.either(&ZH, &EN)
}

impl Words {
    /// What became of a dead letter; nothing for a word that is none of ours.
    pub(super) fn said(&self, word: &str) -> &'static str {
        match word {
            "retried" => self.said_retried,
            "dropped" => self.said_dropped,
            "gone" => self.said_gone,
            _ => "",
        }
    }
}

words! {
    dashboard: "控制台", "dashboard";
    skip: "跳到内容", "Skip to the content";
    other_language: "English", "中文";
    other_language_label: "Switch to English", "切换到中文";
    following: "实时更新", "live";
    not_following: "正在重新连接…", "reconnecting…";
    lost: "网关没有应答。下面是最后一次收到的内容；恢复后会自动更新。", "The gateway does not answer. What is below is the last that was heard; it follows again by itself.";
    feeds_full: "同时跟随更新的页面已达上限；本页停在最后一次收到的内容。请关闭别处的页面，之后会自动更新，也可以重新加载。", "As many pages as may follow are open already. What is below is the last that was heard; close one elsewhere and it follows again by itself, or reload it.";
    session_over: "登录已失效（已过一周，或令牌已更换）。请重新加载本页并登录。", "This login is over: a week has passed, or the token is another one. Reload the page to log in.";
    log_out: "退出登录", "Log out";

    well: "运行良好", "Well";
    attention: "需要留意", "Needs attention";
    ill: "有故障", "Not well";
    all_well: "连接已验证并能收到消息，没有消息等待太久，也没有死信", "The link is verified and hears, nothing waits too long, and there are no dead letters";
    also: "此外", "Also";

    sign_link: "连接", "Link";
    sign_handled: "上一条消息", "Last message";
    sign_process: "进程", "Process";
    since: "已", "for";
    nothing_handled: "最近没有", "none lately";
    up: "已运行", "up";
    ago_before: "", "";
    ago_after: "前", " ago";
    never: "从未", "never";

    app: "应用", "App";
    bot_unknown: "机器人未知", "bot not known yet";
    proofs: "证明", "Proofs";
    proof_pong: "服务器应答 ping", "the server answers pings";
    proof_count: "平台统计到本连接", "the platform counts this connection";
    proof_history: "会话里的消息都已收到", "what chats hold was received";
    holds: "成立", "holds";
    fails: "不成立", "fails";
    unknown: "未询问", "not asked";
    last_frame: "上一帧", "Last frame";
    last_pong: "上一次 pong", "Last pong";
    last_event: "上一个事件", "Last event";
    now_word: "现在", "now";
    legend_verified: "已验证", "verified";
    legend_suspect: "可疑", "suspicion";
    legend_away: "未运行", "not running";
    legend_down: "断开", "down";
    legend_off: "没有记录", "no record";
    connection: "连接细节", "Connection details";
    route: "经由", "by way of";
    direct: "直连", "direct";
    socket: "套接字", "Socket";
    no_socket: "没有打开的连接", "no connection is open";
    colon: "：", ": ";
    fault: "上一次故障", "Last fault";
    next_try: "下一次尝试", "Next attempt";
    attempt_before: "第 ", "attempt ";
    attempt_after: " 次尝试", "";
    connects: "验证过的连接数", "Connections verified";
    misses: "未应答的 ping", "Pings unanswered";
    recovery: "上一次恢复用时", "Last recovery took";

    alerts: "告警", "Alerts";
    no_alerts: "没有告警。", "None fires.";
    heartbeat: "对外心跳", "heartbeat outward";
    next_step: "下一步", "Next";
    told: "通知去向", "Who is told";
    nobody_told: "没有配置通知去向：告警只在日志和这里。", "No destination is configured: alerts are in the log and here.";
    last_told: "上次成功", "last told";
    to_be_told: "有待发送", "something waits to be told";

    flow: "消息去向", "What became of messages";
    received: "收到", "received";
    flow_none: "还没有收到消息。", "Nothing was received yet.";
    flow_since: "自数据库建立以来", "since the database was made";

    queues: "队列", "Queues";
    q_unrouted: "等待路由", "To be routed";
    q_tasks: "等待或正在处理", "In handling";
    q_awaiting: "等待后续回答", "Awaiting a later answer";
    q_outbox: "等待发送", "To be sent";
    oldest: "最久的一条", "Oldest";
    bound: "上限", "Bound";
    nothing_waits: "没有等待的消息。", "Nothing waits.";
    full: "超过上限：不再确认新消息，平台会重投。", "Beyond the bound: nothing more is acknowledged, the platform redelivers.";
    lanes: "各处理器的等待数", "Waiting by handler";
    handler: "处理器", "Handler";
    waiting: "等待", "Waiting";
    at_once: "并发上限", "At once";
    not_configured: "未配置", "not configured";
    late: "等待太久的消息", "Messages that are late";
    store: "存储", "Store";
    store_ok: "可写", "takes writes";
    store_ill: "拒绝写入", "refuses writes";

    children: "子进程", "Children";
    no_children: "没有正在运行的子进程。", "No child is running.";
    starting: "启动中", "starting";
    memory: "内存", "Memory";
    processes: "进程数", "Processes";
    cpu_time: "处理器时间", "Processor time";
    limits: "限制", "Limits";
    kept_kernel: "由内核限制", "kept by the kernel";
    kept_looked: "每秒检查", "looked at each second";
    kept_not: "不限制", "not limited";
    cpu: "处理器", "Processor";
    kept_apart: "隔离", "Kept apart";
    apart_cgroup: "独立的 cgroup", "a control group each";
    apart_session: "独立的会话", "a session each";

    governor: "发送限流", "Governor";
    granted: "已发送", "sent";
    held: "等待许可", "waiting for a permit";
    throttled: "被平台限流", "throttled by the platform";
    rate_app: "每个应用", "each app";
    rate_chat: "每个会话", "each chat";
    per_second: "次/秒", "a second";
    per_minute: "次/分钟", "a minute";

    month: "本月调用", "Calls of the month";
    calls: "次调用", "calls";
    calls_by: "按接口", "By endpoint";
    endpoint: "接口", "Endpoint";
    calls_count: "次数", "Calls";
    counted_since: "计数开始于", "Counted since";

    dead: "死信", "Dead letters";
    no_dead: "没有死信。", "None. What fails for good would wait here for a decision.";
    dead_more: "还有更多，用 larkline dead 查看", "There are more; see larkline dead";
    decide: "处理", "Decide";
    retry: "重试", "Retry";
    drop: "关闭", "Drop";
    retry_about: "以新的次数再做一次。", "Does it again, with fresh attempts.";
    drop_about: "不再处理，记录保留。", "Closes it; its record stays.";
    attempts: "次数", "attempts";
    task_word: "任务", "task";
    outgoing_word: "待发消息", "outgoing message";
    said_retried: "已安排重试。", "It is due again.";
    said_dropped: "已关闭。", "It was dropped.";
    said_gone: "它已经不是死信。", "It is no dead letter any more.";

    messages: "最近的消息", "Recent messages";
    no_messages: "还没有消息。", "No messages yet.";
    no_preview: "（没有预览）", "(no preview)";
    story: "经过", "Story";
    story_loading: "正在读取…", "Reading…";
    story_none: "找不到这条消息的经过；它可能已经过期。", "There is no story of it; it may be older than what is kept.";
    others: "其他同名事件", "Other events it may mean";
    took: "用时", "took";
    log_id: "日志编号", "log id";

    sessions: "对话", "Conversations";
    no_sessions: "没有对话。", "No conversations.";
    turns: "轮", "turns";
    used: "上次使用", "used";

    config: "配置", "Configuration";
    config_open: "显示全部配置（密钥已遮盖）", "Show all of it (secrets masked)";
    config_file: "文件", "File";
    no_file: "没有文件", "no file";
    policy: "谁能用什么", "Who reaches what";
    key: "键", "Key";
    value: "值", "Value";
    origin: "来源", "From";

    back: "返回控制台", "Back to the dashboard";
    version: "版本", "version";
    boot: "运行编号", "boot";

    login_title: "登录", "Log in";
    login_about: "请输入配置中 [server] 的 token。", "Give the token of [server] in the configuration.";
    login_token: "令牌", "Token";
    login_button: "登录", "Log in";
    login_wrong: "令牌不对。请核对配置中的 server.token。", "That is not the token. Compare it with server.token in the configuration.";

    step_received: "收到", "received";
    step_journaled: "写入磁盘", "on disk";
    step_acked: "已确认", "acknowledged";
    step_redelivered: "重复投递", "delivered again";
    step_unreadable: "无法读取", "unreadable";
    step_routed: "已路由", "routed";
    step_attempt: "开始处理", "attempt";
    step_attempt_failed: "处理失败", "attempt failed";
    step_attempt_cut_off: "处理中断", "attempt cut off";
    step_promised: "稍后回答", "answer promised";
    step_handled: "处理完成", "handled";
    step_queued: "进入发送队列", "in the outbox";
    step_send: "开始发送", "sending";
    step_send_failed: "发送失败", "sending failed";
    step_send_cut_off: "发送中断", "sending cut off";
    step_looked: "已核对会话", "looked in the chat";
    step_delivered: "已送达", "delivered";
    step_dead: "成为死信", "dead letter";
    step_retried: "人工重试", "retried by hand";
    step_dropped: "人工关闭", "dropped by hand";
    step_merged: "已合并", "merged";
    step_withdrawn: "已撤回", "withdrawn";
    step_recalled: "消息被撤回", "taken back";
    step_verdict: "结论", "verdict";
}

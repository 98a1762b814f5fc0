//! The command line's help in Chinese. The English one is in `args`, with clap's own headings.

use clap::{Arg, Command, CommandFactory};
use larkline_gateway::words::Lang;

use crate::args::Args;
use crate::lang::lang;

/// The commands and flags, with help in the process's language.
pub(crate) fn command() -> Command {
    match lang() {
        Lang::Zh => {
            let mut command = Args::command();
            // What clap adds itself (`--help`, `help`) is there only then.
            command.build();
            chinese(command, "")
        }
        Lang::En => Args::command(),
    }
}

/// As clap's own, with the heading of the usage in Chinese.
const TEMPLATE: &str = "{before-help}{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}";

/// The command of clap's that shows the help of the others.
const HELP: &str = "help";

/// Replaces what the table has a text for, in a command and all below it.
fn chinese(command: Command, path: &str) -> Command {
    let command = match text(path, "") {
        Some(about) => command.about(about).long_about(about),
        None => command,
    };
    let command = command
        .help_template(TEMPLATE)
        .subcommand_help_heading("命令")
        .subcommand_value_name("命令")
        .mut_args(|arg| chinese_arg(arg, path));
    command.mut_subcommands(|below| match below.get_name() {
        HELP => chinese(below, path).about("显示这里或某个命令的帮助"),
        name => {
            let path = joined(path, name);
            chinese(below, &path)
        }
    })
}

/// An argument's text, and behind it what clap would add in English.
fn chinese_arg(arg: Arg, path: &str) -> Arg {
    let of_clap = match arg.get_id().as_str() {
        HELP => Some("显示帮助"),
        "version" => Some("显示版本"),
        _ => None,
    };
    let Some(help) = text(path, arg.get_id().as_str()).or_else(|| text("", arg.get_id().as_str()))
    else {
        return match of_clap {
            Some(help) => arg.help(help).long_help(help).help_heading(OPTIONS),
            None => arg,
        };
    };
    let help = help.to_owned() + &added(&arg);
    let heading = if arg.is_positional() { "参数" } else { OPTIONS };
    arg.help(help.clone())
        .long_help(help)
        .help_heading(heading)
        .hide_env(true)
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// Heading of the flags.
const OPTIONS: &str = "选项";

/// The variable, the default and the possible values of an argument.
fn added(arg: &Arg) -> String {
    let mut added = String::new();
    if let Some(name) = arg.get_env() {
        added += &format!(" [环境变量：{}]", name.display());
    }
    if !arg.get_action().takes_values() {
        return added;
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if !defaults.is_empty() {
        added += &format!(" [默认：{}]", defaults.join("、"));
    }
    let values = arg.get_possible_values();
    let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    if !values.is_empty() {
        added += &format!(" [可以是：{}]", values.join("、"));
    }
    added
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path} {name}") }
}

fn text(path: &str, arg: &str) -> Option<&'static str> {
    CHINESE.iter().find(|(p, a, _)| *p == path && *a == arg).map(|(_, _, text)| *text)
}

/// Command, its argument (none: the command itself), the text.
const CHINESE: &[(&str, &str, &str)] = &[
    ("", "", "自托管的飞书/Lark 机器人网关（非官方）"),
    ("", "config", "配置文件；没有时 FEISHU_APP_ID 和 FEISHU_APP_SECRET 即可"),
    ("", "format", "stdout 上数据的写法：human 供人阅读，json 供程序使用（总是英文）"),
    ("run", "", "在前台运行网关"),
    ("run", "takeover", "请同一应用的运行实例处理完并退出，然后启动"),
    ("run", "keep_going", "凭据被拒时继续运行并缓慢重试，而不是以退出码 3 退出"),
    ("run", "wait", "启动时限内没有已验证的连接时以退出码 1 退出"),
    ("run", "no_proxy", "本次运行不用代理，无论配置或环境如何"),
    ("init", "", "创建或选择应用，选择谁来回答，写出 larkline.toml，看着连接建立起来"),
    ("init", "output", "配置写到哪里 [默认：--config，或当前目录的 larkline.toml]"),
    ("init", "lang", "文件注释和所有给人看的文字的语言：zh 或 en"),
    ("init", "domain", "应用在哪里：feishu、lark，或自有平台的地址"),
    ("init", "qr", "扫二维码创建或选择应用"),
    ("init", "app_id", "已有应用的 id（cli_…）；secret 由下面两个之一给出"),
    ("init", "app_secret_file", "存放应用 secret 的文件；配置会引用它"),
    ("init", "app_secret_env", "存放应用 secret 的环境变量；配置会引用它"),
    (
        "init",
        "handler",
        "谁来回答：echo、agent:claude、agent:codex、llm:qwen（qwen-intl、deepseek、openai；llm:qwen/模型），\
         或 command:程序 及其参数",
    ),
    ("init", "key_env", "存放模型密钥的变量，用于 llm [默认：该服务常用的]"),
    ("init", "cwd", "智能体的工作目录 [默认：每个对话一个自己的]"),
    ("init", "owner", "机器人的所有者（ou_…；可重复） [默认：扫码的人]"),
    ("init", "yes", "什么都不问；已有的文件会被替换，并留一份副本"),
    ("init", "no_link", "不打开长连接，也不等消息"),
    ("init", "wait", "保持连接、等待事件多久，秒"),
    ("init", "timeout", "每一步最多用时，秒"),
    ("init", "proxy", "一切都经过的代理，或 none；写进文件 [默认：环境的]"),
    ("init", "ca_file", "要信任的 CA 的 PEM 文件（可重复）；写进文件"),
    ("init", "accounts", "扫码注册应用的主机 [默认：domain 自己的]"),
    ("init", "lark_accounts", "同上，用于原来在 Lark 上的人"),
    ("demo", "", "一条命令启动模拟器和网关，无需账号"),
    ("demo", "once", "演一段对话，打印记录，退出"),
    ("demo", "port", "聊天页面在 127.0.0.1 的端口；0 表示任选空闲端口"),
    ("sim", "", "单独的平台模拟器，可测试任何机器人"),
    ("sim", "listen", "监听地址；端口 0 表示任选空闲端口"),
    ("sim", "seed", "一切随机的种子 [默认：脚本的，或 1]"),
    ("sim", "speed", "平台时钟加快的倍数 [默认：脚本的，或 1]"),
    ("sim", "script", "对连上者演此脚本，打印结果，以 0 或 1 退出"),
    ("sim", "reconnect_interval", "下发给客户端的重连间隔，按平台时钟的秒"),
    ("sim", "reconnect_nonce", "下发给客户端的重连抖动，按平台时钟的秒"),
    ("sim", "no_limits", "不限速：用于测量机器人自身的速度"),
    ("doctor", "", "从本机到开发者后台逐项查明问题，给出一个结论"),
    ("doctor", "timeout", "每一步最多用时，秒"),
    ("doctor", "no_link", "不打开长连接，片刻也不"),
    ("doctor", "fix", "每个应用给一个二维码，补上缺少的权限、事件和回调"),
    ("doctor", "bundle", "把求助时需要的一切写进此归档（.tar.gz），不含密钥和聊天内容"),
    ("doctor", "post_upgrade", "升级之后：新版本是否在运行、连接是否已验证、等待中的一切是否还在"),
    ("doctor", "accounts", "扫码修改应用的主机 [默认：domain 自己的]"),
    ("probe", "", "在会话中发一个随机标记，测量相关事件返回的时间"),
    ("probe", "chat", "发到哪里（oc_…）；见 `larkline chats`"),
    ("probe", "app", "配置了多个应用时，用哪一个"),
    ("probe", "timeout", "等待返回多久，秒"),
    ("status", "", "是否正常：连接、队列、结果"),
    ("status", "check", "只用退出码：0 就绪，1 未就绪"),
    ("status", "watch", "反复显示，在终端上原地刷新，直到 Ctrl-C"),
    ("status", "every", "--watch 时的间隔，例如 2s"),
    ("alerts", "", "哪里出了问题，已经告知了谁，之前有过什么"),
    ("alerts test", "", "向所有目的地（或其中一个）发送测试；有失败时退出码为 1"),
    ("alerts test", "destination", "目的地的名称；默认全部"),
    ("messages", "", "收到和发出的消息，最新的在前"),
    ("messages", "chat", "只看此会话"),
    ("messages", "verdict", "只看此结果的事件"),
    ("messages", "text", "只看开头文字包含此内容的"),
    ("messages", "limit", "最多多少条"),
    ("chats", "", "见过的会话，可直接贴入路由"),
    ("dead", "", "死信：无法处理或无法送达的"),
    ("dead retry", "", "重新安排"),
    ("dead retry", "item", "编号，例如 t7 或 o7"),
    ("dead drop", "", "永久关闭"),
    ("dead drop", "item", "编号，例如 t7 或 o7"),
    ("dead give-up", "", "把等待已不在配置中的处理器的消息变为死信"),
    ("dead give-up", "handler", "处理器的名称"),
    ("explain", "", "一条消息的经过，按事件 id、消息 id 或一段文字；或一个错误的含义"),
    ("explain", "text", "要找的内容，或代码、错误码、一行日志"),
    ("sessions", "", "与智能体和模型的对话"),
    ("sessions", "chat", "只看此会话的"),
    ("sessions", "handler", "只看此处理器的"),
    ("sessions", "limit", "最多多少个"),
    ("sessions show", "", "显示一个对话及其历史"),
    ("sessions show", "id", "编号"),
    ("sessions stop", "", "结束正在进行的一轮；对话继续"),
    ("sessions stop", "id", "编号"),
    ("sessions end", "", "永久结束；下一条消息开始新的对话"),
    ("sessions end", "id", "编号"),
    ("send", "", "通过运行中的网关发送消息或文件，或提问"),
    ("send", "to", "会话（oc_…）、个人（ou_…）或邮箱；任务写到自己的会话"),
    ("send", "app", "配置了多个应用时，用哪一个"),
    ("send", "markdown", "作为 Markdown 富文本发送"),
    (
        "send",
        "key",
        "消息的名称。任务以同一名称说的新内容会取代旧内容；操作者的消息在每个名称下只发一次",
    ),
    ("send", "file", "发送此文件；有文字时在文字之后"),
    ("send", "ask", "为每个选项显示一个按钮（可重复），打印被按下的那个。仅限任务"),
    ("send", "wait", "等待按钮多久，如 90s 或 10m"),
    ("send", "token_env", "存放任务令牌的变量 [默认：LARKLINE_TOKEN]"),
    ("send", "text", "文字；省略时从 stdin 读取"),
    ("job", "", "持久命令：运行、列出、停止、重试"),
    ("job run", "", "运行一个不怕重启、结束后通知会话的命令；打印编号"),
    ("job run", "chat", "结束时通知的会话（oc_…）；任务的作业通知自己的会话"),
    ("job run", "app", "配置了多个应用时，用哪一个"),
    ("job run", "name", "给人看的名称 [默认：命令行]"),
    ("job run", "attempts", "总尝试次数 [默认：按配置]"),
    ("job run", "timeout", "一次尝试最长运行时间，如 90s 或 2h [默认：按配置]"),
    ("job run", "memory", "它及其子进程的最大内存，如 512M 或 2G [默认：按配置]"),
    ("job run", "cwd", "运行目录 [默认：当前目录]"),
    ("job run", "command", "程序和参数，写在 `--` 之后；不经过 shell"),
    ("job list", "", "作业，最新的在前"),
    ("job list", "chat", "只看此会话的（oc_…）"),
    ("job list", "limit", "最多多少个"),
    ("job show", "", "一个作业，及其输出的末尾"),
    ("job show", "job", "编号，例如 j7"),
    ("job stop", "", "结束作业；未开始的则取消"),
    ("job stop", "job", "编号，例如 j7"),
    ("job retry", "", "重新运行失败的作业"),
    ("job retry", "job", "编号，例如 j7"),
    ("mcp", "", "运行中任务的 MCP 服务：智能体向自己的会话写消息、提问、发文件"),
    ("reload", "", "请运行中的网关重新读取配置"),
    ("reload", "socket", "它的套接字，不读取配置 [默认：按配置]"),
    ("restart", "", "按顺序停止运行中的网关，等待下一个的连接通过验证"),
    (
        "restart",
        "timeout",
        "等多久，例如 90s 或 5m [默认：最长的停止时间加 `link.startup_deadline`]",
    ),
    ("service", "", "由 systemd 或 launchd 看管网关"),
    ("service install", "", "为此配置写入单元并启用"),
    (
        "service install",
        "memory",
        "网关及其启动的程序的内存上限；智能体、命令和任务按各自限制可用的内存另加",
    ),
    (
        "service install",
        "run_as",
        "系统服务以哪个用户运行 [默认：调用 sudo 的用户，否则配置文件的所有者]",
    ),
    ("service install", "write", "程序除状态目录和工作目录外还可写入的目录（可重复）"),
    ("service install", "dry_run", "只打印文件，不做任何改动"),
    ("service install", "now", "立即启动；已在运行则重新启动"),
    ("service uninstall", "", "停止、停用，并删除 install 写入的文件"),
    ("service status", "", "先是服务管理器的说法，再是网关自己的"),
    ("service logs", "", "网关的日志，来自 journal 或日志文件"),
    ("service logs", "follow", "继续显示新的日志"),
    ("service logs", "lines", "最后多少行"),
    ("service install", "user", "本用户的服务 [root 以外的默认]"),
    ("service install", "system", "系统的服务 [root 的默认]"),
    ("service install", "name", "服务的名字；多个网关需要多个名字"),
    ("service install", "unit_dir", "单元文件所在的目录 [默认：管理器查找的地方]"),
    ("service uninstall", "user", "本用户的服务 [root 以外的默认]"),
    ("service uninstall", "system", "系统的服务 [root 的默认]"),
    ("service uninstall", "name", "服务的名字；多个网关需要多个名字"),
    ("service uninstall", "unit_dir", "单元文件所在的目录 [默认：管理器查找的地方]"),
    ("service status", "user", "本用户的服务 [root 以外的默认]"),
    ("service status", "system", "系统的服务 [root 的默认]"),
    ("service status", "name", "服务的名字；多个网关需要多个名字"),
    ("service status", "unit_dir", "单元文件所在的目录 [默认：管理器查找的地方]"),
    ("service logs", "user", "本用户的服务 [root 以外的默认]"),
    ("service logs", "system", "系统的服务 [root 的默认]"),
    ("service logs", "name", "服务的名字；多个网关需要多个名字"),
    ("service logs", "unit_dir", "单元文件所在的目录 [默认：管理器查找的地方]"),
    ("config", "", "查看配置，离线"),
    ("config check", "", "检查全部内容，一次列出所有问题"),
    ("config show", "", "显示每个值及其来源，密钥已遮盖"),
    ("completions", "", "打印 shell 的补全脚本"),
    ("completions", "shell", "哪个 shell"),
    ("version", "", "程序、协议和重要库的版本"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Commands and arguments that people are shown.
    fn shown(command: &Command, path: &str, into: &mut BTreeSet<(String, String)>) {
        into.insert((path.to_owned(), String::new()));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            into.insert((path.to_owned(), arg.get_id().to_string()));
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            shown(below, &joined(path, below.get_name()), into);
        }
    }

    #[test]
    fn every_command_and_flag_that_is_shown_has_a_chinese_text() {
        let mut wanted = BTreeSet::new();
        shown(&Args::command(), "", &mut wanted);
        let there: BTreeSet<(String, String)> =
            CHINESE.iter().map(|(p, a, _)| ((*p).to_owned(), (*a).to_owned())).collect();
        let missing: Vec<_> = wanted.difference(&there).collect();
        assert!(missing.is_empty(), "no Chinese text: {missing:?}");
        let gone: Vec<_> = there.difference(&wanted).collect();
        assert!(gone.is_empty(), "a text for what is not there: {gone:?}");
        assert_eq!(there.len(), CHINESE.len(), "a text is there twice");
    }
}

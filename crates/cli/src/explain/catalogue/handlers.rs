//! Handlers, their programs and the models behind them.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["exit"],
        texts: &["exited with code", "exit status"],
        zh: Words {
            meaning: "程序以非 0 退出码结束",
            remedy: "消息中有退出码和 stderr 末尾；用同样的输入手工运行一次",
        },
        en: Words {
            meaning: "the program ended with an exit code other than 0",
            remedy: "the message has the code and the end of stderr; run it by hand with the same input",
        },
        page: "handlers.md#exit",
    },
    Entry {
        codes: &["killed"],
        texts: &[
            "sigkill",
            "signal: killed",
            "out of memory: killed",
            "oom-kill",
            "oom killer",
            "exit code 137",
        ],
        zh: Words {
            meaning: "程序被信号结束；无人动手的 SIGKILL 是内核内存不足",
            remedy: "提高机器或服务的内存上限；SIGXFSZ 是 `file_max`",
        },
        en: Words {
            meaning: "a signal ended the program; SIGKILL without anybody's doing is the kernel short of memory",
            remedy: "raise the machine's or the service's memory limit; SIGXFSZ is `file_max`",
        },
        page: "handlers.md#killed",
    },
    Entry {
        codes: &["timeout"],
        texts: &["timed out after"],
        zh: Words {
            meaning: "超过处理器的 `timeout`，整棵进程树已结束",
            remedy: "调大它，或让服务先答 202 再稍后回复（`reply_within`）",
        },
        en: Words {
            meaning: "longer than the handler's `timeout`; the whole process tree was ended",
            remedy: "raise it, or let a service answer 202 and reply later (`reply_within`)",
        },
        page: "handlers.md#timeout",
    },
    Entry {
        codes: &["idle"],
        texts: &[],
        zh: Words {
            meaning: "stdout 和 stderr 在 `idle` 内没有输出",
            remedy: "调大它，或在 stderr 上打印进度",
        },
        en: Words {
            meaning: "nothing on stdout and stderr for `idle`",
            remedy: "raise it, or print progress on stderr",
        },
        page: "handlers.md#idle",
    },
    Entry {
        codes: &["output_too_large"],
        texts: &[],
        zh: Words {
            meaning: "输出超过 `output_max`，或应答超过 1 MiB", remedy: "减少输出"
        },
        en: Words {
            meaning: "more output than `output_max`, or a response above 1 MiB",
            remedy: "answer less",
        },
        page: "handlers.md#output_too_large",
    },
    Entry {
        codes: &["memory"],
        texts: &["memoryerror", "cannot allocate memory", "javascript heap out of memory"],
        zh: Words {
            meaning: "程序及其子进程的内存超过 `memory_tree`，已全部结束",
            remedy: "调大它，或找出什么在增长",
        },
        en: Words {
            meaning: "the program and all it started came to more memory than `memory_tree`",
            remedy: "raise it, or find out what grows",
        },
        page: "handlers.md#memory",
    },
    Entry {
        codes: &["processes"],
        texts: &["resource temporarily unavailable", "fork: retry"],
        zh: Words {
            meaning: "进程数超过 `processes`，已全部结束",
            remedy: "调大它，或找出什么在 fork",
        },
        en: Words {
            meaning: "more processes than `processes`; everything was ended",
            remedy: "raise it, or find out what forks",
        },
        page: "handlers.md#processes",
    },
    Entry {
        codes: &["spawn", "ENOENT"],
        texts: &[
            "no such file or directory",
            "permission denied (os error 13)",
            "command not found",
        ],
        zh: Words {
            meaning: "程序无法启动",
            remedy: "检查 `argv`（单词列表，不是命令行）、`cwd` 和网关用户的权限",
        },
        en: Words {
            meaning: "the program cannot be started",
            remedy: "check `argv` (words, not a command line), `cwd`, and the rights of the gateway's user",
        },
        page: "handlers.md#spawn",
    },
    Entry {
        codes: &["bad_answer"],
        texts: &[],
        zh: Words {
            meaning: "输出不是处理器应答的 JSON，或多于 20 条消息；不会重复",
            remedy: "按文档修正输出",
        },
        en: Words {
            meaning: "the output is not the JSON of handlers, or more than 20 messages; not repeated",
            remedy: "correct the output as the page on handlers says",
        },
        page: "handlers.md#bad_answer",
    },
    Entry {
        codes: &["http_status"],
        texts: &[],
        zh: Words {
            meaning: "服务以失败的状态应答，原文已保留",
            remedy: "查看服务；429 和 503 按 `Retry-After` 重试",
        },
        en: Words {
            meaning: "the service answered with a status that is no success; its words are kept",
            remedy: "look at the service; 429 and 503 are repeated after `Retry-After`",
        },
        page: "handlers.md#http_status",
    },
    Entry {
        codes: &["http_gone"],
        texts: &["410 gone"],
        zh: Words {
            meaning: "服务应答 410：不再需要；不会重复", remedy: "去掉这条路由"
        },
        en: Words {
            meaning: "the service answered 410: it does not want this any more; not repeated",
            remedy: "remove the route",
        },
        page: "handlers.md#http_gone",
    },
    Entry {
        codes: &["http_transport"],
        texts: &[],
        zh: Words {
            meaning: "连不上服务，或连接中断", remedy: "名称、端口、TLS 和代理同网络错误"
        },
        en: Words {
            meaning: "no connection to the service, or it broke",
            remedy: "name, port, TLS and proxy are those of network errors",
        },
        page: "handlers.md#http_transport",
    },
    Entry {
        codes: &["http_refused"],
        texts: &[],
        zh: Words {
            meaning: "服务的地址不在公网（回环、内网、链路本地）",
            remedy: "确有需要时设 `allow_private = true`",
        },
        en: Words {
            meaning: "the service's address is not on the public internet (loopback, private, link-local)",
            remedy: "set `allow_private = true` if that is meant",
        },
        page: "handlers.md#http_refused",
    },
    Entry {
        codes: &["panic"],
        texts: &["panicked at"],
        zh: Words {
            meaning: "larkline 的错误；其他消息照常处理", remedy: "请报告这行日志"
        },
        en: Words {
            meaning: "a bug in larkline; the other messages go on",
            remedy: "please report the log line",
        },
        page: "handlers.md#panic",
    },
    Entry {
        codes: &["no_reply"],
        texts: &[],
        zh: Words {
            meaning: "服务许诺稍后回答，却没有在 `reply_within` 内回答",
            remedy: "`larkline dead retry` 再问一次",
        },
        en: Words {
            meaning: "the service promised a later answer and gave none within `reply_within`",
            remedy: "`larkline dead retry` asks it again",
        },
        page: "handlers.md#no_reply",
    },
    Entry {
        codes: &["handler_removed"],
        texts: &[],
        zh: Words {
            meaning: "消息等待的处理器已不在配置中",
            remedy: "恢复该处理器后 `larkline dead retry`，或 `larkline dead drop`",
        },
        en: Words {
            meaning: "it waited for a handler that the configuration no longer names",
            remedy: "configure it again and `larkline dead retry`, or `larkline dead drop`",
        },
        page: "handlers.md#handler_removed",
    },
    Entry {
        codes: &["cancelled"],
        texts: &[],
        zh: Words {
            meaning: "停止打断了这次尝试，任务已放回", remedy: "下次启动会再运行"
        },
        en: Words {
            meaning: "a stop ended the attempt, the task is put back",
            remedy: "it runs at the next start",
        },
        page: "handlers.md#cancelled",
    },
    Entry {
        codes: &["interrupted"],
        texts: &[],
        zh: Words {
            meaning: "只运行一次的处理器被崩溃或停止打断，或网关在处理此消息时崩溃了八次；可能已有效果，不会重复",
            remedy: "确认它做了什么，再 `larkline dead retry` 或 `larkline dead drop`",
        },
        en: Words {
            meaning: "a handler that may run once was cut off by a crash or a stop, or the gateway died eight times in its midst; it may have had its effects and is not repeated",
            remedy: "look what it did, then `larkline dead retry` or `larkline dead drop`",
        },
        page: "handlers.md#interrupted",
    },
    Entry {
        codes: &["decode", "event_unreadable"],
        texts: &[],
        zh: Words {
            meaning: "事件无法读取；已原样保存并确认",
            remedy: "请连同 event_unreadable 那行日志报告",
        },
        en: Words {
            meaning: "an event cannot be read; it is kept word by word and acknowledged",
            remedy: "report it with the log line of event_unreadable",
        },
        page: "handlers.md#decode",
    },
    Entry {
        codes: &["no_subreaper"],
        texts: &[],
        zh: Words {
            meaning: "内核不让网关收养孤儿进程", remedy: "允许 `prctl`（某些容器禁止）"
        },
        en: Words {
            meaning: "the kernel does not let the gateway adopt orphans",
            remedy: "allow `prctl` (some containers forbid it)",
        },
        page: "handlers.md#no_subreaper",
    },
    Entry {
        codes: &["child_record", "child_record_unreadable"],
        texts: &[],
        zh: Words {
            meaning: "状态目录 `children/` 中的记录无法读写，通常是磁盘已满",
            remedy: "释放磁盘空间",
        },
        en: Words {
            meaning: "a note in `children/` of the state directory cannot be read or written, usually a full disk",
            remedy: "free disk space",
        },
        page: "handlers.md#child_record",
    },
    Entry {
        codes: &["child_not_signalled", "child_not_ended"],
        texts: &[],
        zh: Words {
            meaning: "进程无法结束（换了用户，或卡在内核、网络文件系统）",
            remedy: "按 `LARKLINE_CHILD` 在 /proc/<pid>/environ 中找到并手工结束",
        },
        en: Words {
            meaning: "a process cannot be ended (another user, or stuck in the kernel or a network file system)",
            remedy: "find it by `LARKLINE_CHILD` in /proc/<pid>/environ and end it by hand",
        },
        page: "handlers.md#child_not_ended",
    },
    Entry {
        codes: &["cgroup_refused", "cgroup_limit", "cgroup_left"],
        texts: &[],
        zh: Words {
            meaning: "控制组无法创建、设置或删除；改用测量方式限制",
            remedy: "检查服务的 Delegate= 设置；也可忽略",
        },
        en: Words {
            meaning: "a control group cannot be made, set or removed; limits are measured instead",
            remedy: "look at Delegate= of the service; it may also be left",
        },
        page: "handlers.md#cgroup_refused",
    },
    Entry {
        codes: &[],
        texts: &[
            "ai not enabled",
            "api key missing",
            "no api key",
            "has no api key",
            "incorrect api key",
            "invalid x-api-key",
        ],
        zh: Words {
            meaning: "语言模型没有密钥或密钥无效；连接不受影响，该路由会给出提示",
            remedy: "设置处理器的 `api_key`（环境变量或文件），再 `larkline reload`",
        },
        en: Words {
            meaning: "a model has no key, or a wrong one; the link is not affected, its route says so",
            remedy: "set `api_key` of the handler (variable or file), then `larkline reload`",
        },
        page: "handlers.md",
    },
];

//! Numbers with which the platform refuses a link, or the console its setting.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["1000040343"],
        texts: &[],
        zh: Words { meaning: "平台繁忙或内部错误", remedy: "等待，会自动重试" },
        en: Words { meaning: "the platform is busy or failed", remedy: "wait, it is tried again" },
        page: "link.md#refused",
    },
    Entry {
        codes: &["1000040344"],
        texts: &["no credential"],
        zh: Words {
            meaning: "app id 或 secret 为空",
            remedy: "在后台“凭证与基础信息”重新复制两者",
        },
        en: Words {
            meaning: "app id or secret is empty",
            remedy: "copy both again from the console, Credentials",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["1000040345"],
        texts: &["app_id or app_secret is invalid"],
        zh: Words {
            meaning: "app id 或 secret 错误",
            remedy: "在后台“凭证与基础信息”重新复制两者",
        },
        en: Words {
            meaning: "app id or secret is wrong",
            remedy: "copy both again from the console, Credentials",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["1000040350"],
        texts: &[
            "number of connections exceeded",
            "exceeded the limit of connections",
            "connections exceeded the limit",
        ],
        zh: Words {
            meaning: "超过一个应用可持有的连接数（50）",
            remedy: "停止使用此应用的其他程序；刚断开的连接还会被计数几分钟",
        },
        en: Words {
            meaning: "more connections than an app may hold (50)",
            remedy: "stop other programs that use this app; those that just ended are counted for some minutes more",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["1000040351"],
        texts: &["incorrect domain name"],
        zh: Words {
            meaning: "应用属于另一个平台（飞书 / Lark）",
            remedy: "设置 `domain = \"lark\"` 或 `\"feishu\"`",
        },
        en: Words {
            meaning: "the app belongs to the other platform",
            remedy: "set `domain = \"lark\"` or `\"feishu\"`",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["403"],
        texts: &["handshake-status: 403"],
        zh: Words {
            meaning: "应用已停用，或不是自建应用",
            remedy: "在后台启用应用；长连接只支持企业自建应用",
        },
        en: Words {
            meaning: "the app is disabled, or is not self-built",
            remedy: "enable it in the console; the long connection is for self-built apps",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["514"],
        texts: &["handshake-status: 514", "authentication failed"],
        zh: Words {
            meaning: "长连接票据校验失败",
            remedy: "下次会取新票据；若持续，检查 secret 和时钟",
        },
        en: Words {
            meaning: "authentication of the ticket failed",
            remedy: "the next attempt brings a fresh one; if it lasts, check the secret and the clock",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["10068"],
        texts: &[
            "app has no long connection",
            "no long connection",
            "应用未建立长连接",
            "未检测到应用连接信息",
            "未建立长连接",
        ],
        zh: Words {
            meaning: "后台保存“使用长连接接收事件”时，平台没有看到已建立的长连接",
            remedy: "先运行 `larkline run` 并等 `larkline status` 显示已验证，一两分钟内再到“事件与回调”保存；连不上则 `larkline doctor`",
        },
        en: Words {
            meaning: "the console was asked to save the long connection as subscription mode while the platform sees none",
            remedy: "start `larkline run` first, wait until `larkline status` says verified, then save under Events & callbacks within a minute or two; if there is no link, `larkline doctor`",
        },
        page: "link.md",
    },
];

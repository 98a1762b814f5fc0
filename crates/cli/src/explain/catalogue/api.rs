//! Calls of the platform: tokens, limits, scopes, and calls without a number.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["10003"],
        texts: &["invalid param", "invalid parameter"],
        zh: Words {
            meaning: "参数错误；取令牌时是 app id 或 secret 格式不对",
            remedy: "app_id 是 `cli_` 加 16 位；从后台重新复制两者",
        },
        en: Words {
            meaning: "a parameter is wrong; for a token, the app id or secret has the wrong form",
            remedy: "app_id is `cli_` and 16 characters; copy both again from the console",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["10014", "10015", "10005"],
        texts: &[
            "app id not exists",
            "app secret invalid",
            "app secret is invalid",
            "invalid client",
        ],
        zh: Words {
            meaning: "app id 或 secret 错误，或应用属于另一个平台",
            remedy: "重新复制 app_id 和 app_secret；Lark 应用要设 `domain = \"lark\"`",
        },
        en: Words {
            meaning: "the app id or secret is wrong, or the app belongs to the other brand",
            remedy: "copy app_id and app_secret again; a Lark app needs `domain = \"lark\"`",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991543"],
        texts: &[],
        zh: Words {
            meaning: "app_id 或 app_secret 错误", remedy: "从后台重新复制两者"
        },
        en: Words {
            meaning: "app_id or app_secret is wrong",
            remedy: "copy both again from the console",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["10012", "10013", "2200"],
        texts: &[],
        zh: Words {
            meaning: "平台暂时失败（取令牌失败或过于频繁）", remedy: "等待，会自动重试"
        },
        en: Words {
            meaning: "the platform failed for the moment (no token, or asked too often)",
            remedy: "wait, it is tried again",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &[
            "99991661", "99991663", "99991664", "99991665", "99991668", "99991671", "99991677",
        ],
        texts: &[
            "invalid access token",
            "missing access token",
            "token has expired",
            "access token invalid",
        ],
        zh: Words {
            meaning: "令牌缺失、过期或格式不对",
            remedy: "larkline 会重新取令牌并重试一次；其他工具请刷新 tenant_access_token",
        },
        en: Words {
            meaning: "the token is missing, over, or has the wrong form",
            remedy: "larkline fetches a new one and repeats the call; elsewhere refresh tenant_access_token",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991400"],
        texts: &[
            "request trigger frequency limit",
            "frequency limit",
            "rate limit exceeded",
            "too many requests",
            "http 429",
        ],
        zh: Words {
            meaning: "调用过于频繁（应用与接口维度）",
            remedy: "larkline 按 `x-ogw-ratelimit-reset` 等待；与其他程序共用限额时调低 `[governor]`",
        },
        en: Words {
            meaning: "too many calls (per app and endpoint)",
            remedy: "larkline waits as long as the platform says; lower `[governor]` if other programs share the limit",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230020", "11232", "11233", "11247"],
        texts: &["this operation triggers the frequency limit"],
        zh: Words {
            meaning: "超过单个用户、群或消息的频率限制（约每秒 5 条，群内所有机器人共用）",
            remedy: "会等待并重试；调低 `governor.chat_per_second`",
        },
        en: Words {
            meaning: "the limit of one person, group or message (about 5 a second, shared by all bots of a group)",
            remedy: "it waits and repeats; lower `governor.chat_per_second`",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991403"],
        texts: &["monthly quota", "quota of api calls", "api call quota"],
        zh: Words {
            meaning: "企业当月的 API 调用额度已用完",
            remedy: "购买额度或等到下月；larkline 不做定时的 REST 探测，查找其他每分钟调用的程序",
        },
        en: Words {
            meaning: "the tenant's monthly quota of calls is used up",
            remedy: "buy more or wait for the next month; larkline polls nothing over REST, so look for another program that calls every minute",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991672"],
        texts: &[
            "access denied. one of the following scopes is required",
            "scopes is required",
            "应用尚未开通所需的应用身份权限",
            "no scope",
        ],
        zh: Words {
            meaning: "应用缺少接口权限（scope）",
            remedy: "按消息中给出的页面开通权限，并创建、发布版本",
        },
        en: Words {
            meaning: "the app lacks a scope",
            remedy: "grant the one that the message names, then create and publish a version",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991673", "99991676", "99991401"],
        texts: &[],
        zh: Words {
            meaning: "应用未安装、无权限，或 IP 不在白名单",
            remedy: "安装并发布应用，或把本机地址加入“IP 白名单”",
        },
        en: Words {
            meaning: "not installed, no permission, or an address that is not allowed",
            remedy: "install and publish the app, or add this machine's address to the app's allowed addresses",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991662"],
        texts: &["app is not in use"],
        zh: Words { meaning: "应用已停用", remedy: "请管理员在后台启用" },
        en: Words {
            meaning: "the app is disabled",
            remedy: "an administrator enables it in the console",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99991679"],
        texts: &[],
        zh: Words {
            meaning: "用户没有授权该权限",
            remedy: "larkline 用应用身份调用；检查是否用了用户令牌",
        },
        en: Words {
            meaning: "the person did not grant the scope",
            remedy: "larkline calls as the app; look for a user token elsewhere",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99992351", "99992359", "99992360", "99992363", "99992364", "99992361"],
        texts: &["these ids not existed", "open_id cross app"],
        zh: Words {
            meaning: "用户 id 不存在，或 open_id 属于另一个应用",
            remedy: "每个应用的 open_id 不同：用此应用收到的 id",
        },
        en: Words {
            meaning: "the person's id does not exist, or the open_id is another app's",
            remedy: "open_ids differ by app: use one that this app received",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99992354", "99992355", "99992356"],
        texts: &[],
        zh: Words {
            meaning: "message_id 或 chat_id 不存在",
            remedy: "检查 id；`larkline chats` 列出见过的会话",
        },
        en: Words {
            meaning: "there is no such message_id or chat_id",
            remedy: "check the id; `larkline chats` lists the chats that were seen",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["99992402"],
        texts: &["field validation failed"],
        zh: Words {
            meaning: "请求字段校验失败",
            remedy: "消息中的 field_violations 指出是哪个字段；若由 larkline 发出请报告",
        },
        en: Words {
            meaning: "a field of the request is refused",
            remedy: "its field_violations name the field; report it if larkline made the call",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["api_timeout"],
        texts: &["read timeout", "readtimeout", "read timed out", "failed: no answer within"],
        zh: Words {
            meaning: "调用在 `network.request_timeout` 内没有应答",
            remedy: "会用同一个 `uuid` 重试；网络慢时调大时限",
        },
        en: Words {
            meaning: "no answer within `network.request_timeout`",
            remedy: "it is repeated with the same `uuid`; raise the limit on a slow network",
        },
        page: "api.md#api_timeout",
    },
    Entry {
        codes: &["api_unreadable"],
        texts: &["failed: unexpected answer"],
        zh: Words {
            meaning: "平台报告成功，但格式不认识", remedy: "会重试；若持续请报告"
        },
        en: Words {
            meaning: "the platform reports success in a form we do not know",
            remedy: "it is repeated; report it if it stays",
        },
        page: "api.md#api_unreadable",
    },
    Entry {
        codes: &["api_too_large"],
        texts: &["failed: larger than"],
        zh: Words {
            meaning: "超过平台限制（图片 10 MB，文件 30 MB）", remedy: "发送更小的内容"
        },
        en: Words {
            meaning: "beyond the platform's limit (image 10 MB, file 30 MB)",
            remedy: "send less",
        },
        page: "api.md#api_too_large",
    },
    Entry {
        codes: &["api_input"],
        texts: &[],
        zh: Words {
            meaning: "参数无法组成调用（空 id 或空文件），没有发送",
            remedy: "检查 id 和文件",
        },
        en: Words {
            meaning: "the call cannot be made with these arguments (an empty id or file); nothing was sent",
            remedy: "check the id and the file",
        },
        page: "api.md#api_input",
    },
    Entry {
        codes: &["body_unreadable"],
        texts: &[],
        zh: Words {
            meaning: "发件箱的一行无法读取：由其他版本写入或被改过",
            remedy: "用写入它的版本启动后 `larkline dead retry`，或 `larkline dead drop`",
        },
        en: Words {
            meaning: "a row of the outbox cannot be read: another version wrote it, or it was edited",
            remedy: "start the version that wrote it and `larkline dead retry`, or `larkline dead drop`",
        },
        page: "api.md#body_unreadable",
    },
    Entry {
        codes: &["history_unreadable"],
        texts: &[],
        zh: Words {
            meaning: "发送结果不明，又读不到会话历史来确认是否已送达",
            remedy: "授予 `im:message` 或 `im:message:readonly`（群聊还要 `im:message.group_msg`），看过会话后 `larkline dead drop` 或 `larkline dead retry`",
        },
        en: Words {
            meaning: "a send ended unclear and the chat's history cannot be read to see whether it is there",
            remedy: "grant `im:message` or `im:message:readonly` (groups: `im:message.group_msg`), look into the chat, then `larkline dead drop` or `larkline dead retry`",
        },
        page: "api.md#history_unreadable",
    },
    Entry {
        codes: &["stopped"],
        texts: &[],
        zh: Words {
            meaning: "不是错误：调用前收到停止信号，没有发送", remedy: "下次启动会发送"
        },
        en: Words {
            meaning: "not an error: a stop came before the call, nothing was sent",
            remedy: "the next start sends it",
        },
        page: "api.md#stopped",
    },
    Entry {
        codes: &[
            "http_401", "http_403", "http_404", "http_502", "http_503", "http_504", "502", "503",
            "504",
        ],
        texts: &[
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "captive portal",
            "without a platform code",
        ],
        zh: Words {
            meaning: "途中的网关、代理或登录页应答了，不是平台",
            remedy: "检查代理和登录页；5xx、408、429 会自动重试",
        },
        en: Words {
            meaning: "something between here and the platform answered: a gateway, a proxy, a login page",
            remedy: "look at the proxy and for a login page; 5xx, 408 and 429 are retried",
        },
        page: "api.md#http-status-without-a-platform-code",
    },
    Entry {
        codes: &[],
        texts: &["the ca file"],
        zh: Words {
            meaning: "`network.ca_files` 中的文件无法读取，或不是 PEM",
            remedy: "检查路径和权限，把 CA 导出为 PEM",
        },
        en: Words {
            meaning: "a file of `network.ca_files` cannot be read, or is no PEM bundle",
            remedy: "check path and permissions, and export the CA as PEM",
        },
        page: "network.md#tls_untrusted",
    },
    Entry {
        codes: &[],
        texts: &["is not a proxy address"],
        zh: Words {
            meaning: "设置或环境变量中的代理地址写法不对",
            remedy: "写成 http://host:port 或 socks5h://host:port",
        },
        en: Words {
            meaning: "a setting or a variable holds something that is no proxy address",
            remedy: "write it as http://host:port or socks5h://host:port",
        },
        page: "network.md#proxy_protocol",
    },
];

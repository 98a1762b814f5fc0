//! The long connection: lost, refused, or bringing something unusable.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["network", "ECONNRESET"],
        texts: &[
            "no close frame received or sent",
            "connection reset by peer",
            "connectionclosederror",
            "connection lost",
            "socket hang up",
            "broken pipe",
            "without a close frame",
        ],
        zh: Words {
            meaning: "连接没有关闭帧就断了：被重置、路由消失，或代理结束了隧道",
            remedy: "会自动重连；若按固定间隔出现，途中有连接时长或空闲限制，把 `link.probe_interval` 调到它以下",
        },
        en: Words {
            meaning: "the connection broke without a close frame: a reset, a lost route, a proxy that ended the tunnel",
            remedy: "it dials again by itself; if it comes at regular intervals, something on the way limits age or idleness: lower `link.probe_interval` below it",
        },
        page: "link.md#network",
    },
    Entry {
        codes: &["silent", "ping_timeout"],
        texts: &[
            "keepalive ping timeout",
            "no pong received",
            "ping timed out",
            "ping timeout",
            "heartbeat timeout",
        ],
        zh: Words {
            meaning: "ping 没有在时限内得到应答：半开连接、休眠过的机器，或平台没有回应",
            remedy: "会立即重连；网络正常却常出现时，调大 `link.probe_timeout` 和 `link.pong_timeout`",
        },
        en: Words {
            meaning: "a ping had no answer in time: a half-open connection, a machine that slept, or a platform that does not answer",
            remedy: "it dials again at once; if a working network shows this often, raise `link.probe_timeout` and `link.pong_timeout`",
        },
        page: "link.md#silent",
    },
    Entry {
        codes: &["closed", "1006"],
        texts: &[
            "closed the connection",
            "sent 1000",
            "received 1000",
            "sent 1001",
            "received 1001",
            "received 1012",
            "service restart",
            "going away",
            "connection closed",
        ],
        zh: Words {
            meaning: "平台关闭了连接；1000、1001、1012 是例行刷新（服务器重启），只记 INFO",
            remedy: "无需处理，会自动重连",
        },
        en: Words {
            meaning: "the platform closed the connection; 1000, 1001 and 1012 are routine (its servers are restarted) and logged at INFO",
            remedy: "nothing to do, it dials again by itself",
        },
        page: "link.md#closed",
    },
    Entry {
        codes: &["1011"],
        texts: &["sent 1011 (internal error)", "received 1011", "internal error) keepalive"],
        zh: Words {
            meaning: "以代码 1011 关闭：一端的内部错误；Python 库在 ping 无应答时也用它",
            remedy: "会以退避重连；反复出现时运行 `larkline doctor` 看网络",
        },
        en: Words {
            meaning: "closed with 1011: an internal error of one end; Python's library also uses it for an unanswered ping",
            remedy: "it is retried with growing waits; if it stays, look at the network with `larkline doctor`",
        },
        page: "link.md#closed",
    },
    Entry {
        codes: &["unverified"],
        texts: &[],
        zh: Words {
            meaning: "升级成功，但在 `link.verify_timeout` 内没有任何帧；代理可能接受 WebSocket 却扣住帧",
            remedy: "请代理对长连接主机放行不做检查的隧道",
        },
        en: Words {
            meaning: "the upgrade went through and no frame came within `link.verify_timeout`; a proxy may accept WebSockets and hold their frames back",
            remedy: "ask for a tunnel without inspection to the long connection's host",
        },
        page: "link.md#unverified",
    },
    Entry {
        codes: &["timeout"],
        texts: &[],
        zh: Words {
            meaning: "获取地址或整个拨号用时太长；没有回音通常是防火墙丢包",
            remedy: "放行出站 443 或设置 `network.proxy`；时限是 `link.discovery_timeout` 和 `link.dial_timeout`",
        },
        en: Words {
            meaning: "discovery or the whole dial took too long; silence is usually a firewall",
            remedy: "let outbound 443 through or set `network.proxy`; the limits are `link.discovery_timeout` and `link.dial_timeout`",
        },
        page: "link.md#timeout",
    },
    Entry {
        codes: &["refused"],
        texts: &["the platform refuses the link"],
        zh: Words {
            meaning: "平台或它前面的设备拒绝了连接；日志行有编号和原文",
            remedy: "按编号查：`larkline explain <code>`",
        },
        en: Words {
            meaning: "the platform, or something before it, said no; the line has its number and words",
            remedy: "look the number up: `larkline explain <code>`",
        },
        page: "link.md#refused",
    },
    Entry {
        codes: &["bad_reply"],
        texts: &[],
        zh: Words {
            meaning: "获取地址的应答中没有可用地址：`domain` 不是平台，或代理改写了应答",
            remedy: "检查 `domain` 和代理",
        },
        en: Words {
            meaning: "discovery was answered with no usable address: `domain` does not name the platform, or a proxy rewrites its answers",
            remedy: "check `domain` and the proxy",
        },
        page: "link.md#bad_reply",
    },
    Entry {
        codes: &["requested"],
        texts: &[],
        zh: Words { meaning: "不是错误：有人要求新连接", remedy: "无需处理" },
        en: Words {
            meaning: "not an error: somebody asked for a new connection",
            remedy: "nothing to do",
        },
        page: "link.md#requested",
    },
    Entry {
        codes: &["connect_failed"],
        texts: &[],
        zh: Words {
            meaning: "到平台的 HTTP 连接没有打开，什么都没有发送",
            remedy: "见网络错误；`larkline doctor` 显示停在哪一步",
        },
        en: Words {
            meaning: "the HTTP connection to the platform could not be opened, nothing was sent",
            remedy: "see network errors; `larkline doctor` shows at which step it stops",
        },
        page: "link.md#connect_failed",
    },
    Entry {
        codes: &["connection_broken"],
        texts: &[
            "connection aborted",
            "remotedisconnected",
            "incomplete message",
            "connection closed before message completed",
        ],
        zh: Words {
            meaning: "应答未收全连接就断了",
            remedy: "会自动重试，发送使用同一个 `uuid`，不会重复",
        },
        en: Words {
            meaning: "the connection broke before the whole answer came",
            remedy: "it is repeated by itself, with the same `uuid`, so nothing is said twice",
        },
        page: "link.md#connection_broken",
    },
    Entry {
        codes: &["bad_request"],
        texts: &[],
        zh: Words {
            meaning: "无法写出获取地址的请求：larkline 的错误", remedy: "请报告"
        },
        en: Words {
            meaning: "the discovery request could not be written: a bug",
            remedy: "please report it",
        },
        page: "link.md#bad_request",
    },
    Entry {
        codes: &["upgrade_failed"],
        texts: &[
            "invalidstatuscode",
            "handshake status",
            "unexpected server response",
            "websocket upgrade failed",
            "server rejected websocket",
        ],
        zh: Words {
            meaning: "对升级请求的应答不是 WebSocket 的：代理不放行 WebSocket，或端口属于别的服务",
            remedy: "让代理放行到长连接主机的 WebSocket",
        },
        en: Words {
            meaning: "the answer to the upgrade was no WebSocket's: a proxy that does not let them through, or a port of something else",
            remedy: "have the proxy let WebSockets to the long connection's host through",
        },
        page: "link.md#upgrade_failed",
    },
    Entry {
        codes: &["websocket"],
        texts: &["invalid frame header", "invalid opcode", "protocol error 1002"],
        zh: Words {
            meaning: "对端违反了 WebSocket 协议：途中有设备改动了字节",
            remedy: "检查代理和防火墙是否做内容检查",
        },
        en: Words {
            meaning: "the peer broke the WebSocket protocol: something on the way changes bytes",
            remedy: "look for a proxy or firewall that inspects content",
        },
        page: "link.md#websocket",
    },
    Entry {
        codes: &["frame_too_large", "1009"],
        texts: &["message too big"],
        zh: Words {
            meaning: "消息超过 16 MiB，平台不会发这么大的", remedy: "请报告"
        },
        en: Words {
            meaning: "a message above 16 MiB, which the platform never sends",
            remedy: "report it",
        },
        page: "link.md#frame_too_large",
    },
    Entry {
        codes: &["peer_not_reading"],
        texts: &[],
        zh: Words {
            meaning: "8 MiB 的确认发不出去：平台或代理停止了读取",
            remedy: "会自动重连；反复出现时检查代理",
        },
        en: Words {
            meaning: "8 MiB of acks could not be sent: the platform, or a proxy, stopped reading",
            remedy: "it dials again; if it stays, look at the proxy",
        },
        page: "link.md#peer_not_reading",
    },
    Entry {
        codes: &["deliveries_full"],
        texts: &[],
        zh: Words {
            meaning: "事件来得比写盘快，这一条没有确认，平台会再次推送",
            remedy: "检查磁盘是否慢或被占用",
        },
        en: Words {
            meaning: "events came faster than they could be written to disk; this one is sent again by the platform",
            remedy: "look for a slow or busy disk",
        },
        page: "link.md#deliveries_full",
    },
    Entry {
        codes: &["old_card_callback"],
        texts: &[],
        zh: Words {
            meaning: "收到旧式卡片回调，按下的按钮没有自己的事件",
            remedy: "在“事件与回调 → 回调配置”选择长连接的新回调并发布版本",
        },
        en: Words {
            meaning: "a card callback of the old style came in: a pressed button has no event of its own",
            remedy: "choose the new callback under Events & callbacks → Callback configuration and publish a version",
        },
        page: "link.md#old_card_callback",
    },
    Entry {
        codes: &["frame"],
        texts: &[],
        zh: Words {
            meaning: "二进制消息不是协议的帧；已计数、未确认，连接继续",
            remedy: "偶尔一次可忽略；很多说明途中改动了字节，请报告",
        },
        en: Words {
            meaning: "a binary message is no frame of the protocol; counted, not acknowledged, the link goes on",
            remedy: "one is curious, many mean that something changes bytes: report it",
        },
        page: "link.md#frame",
    },
    Entry {
        codes: &[
            "text",
            "header",
            "headers_too_large",
            "part_no_id",
            "part_sum_too_large",
            "part_seq_out_of_range",
            "part_sum_changed",
        ],
        texts: &[],
        zh: Words {
            meaning: "收到的帧不合协议，没有确认", remedy: "很多时请报告"
        },
        en: Words {
            meaning: "a frame that breaks the protocol, not acknowledged",
            remedy: "report it when there are many",
        },
        page: "link.md#frame",
    },
    Entry {
        codes: &["part_messages_full", "part_bytes_full"],
        texts: &[],
        zh: Words {
            meaning: "未完成的分片消息太多；平台会再次推送",
            remedy: "无需处理；很多时请报告",
        },
        en: Words {
            meaning: "too many unfinished parts of split messages; the platform sends them again",
            remedy: "nothing to do; report it when there are many",
        },
        page: "link.md#part_bytes_full",
    },
];

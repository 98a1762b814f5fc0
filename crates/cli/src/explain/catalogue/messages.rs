//! Numbers of messages, reactions and chats.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["230001"],
        texts: &["your request contains an invalid request parameter", "invalid receive_id"],
        zh: Words {
            meaning: "请求参数无效，`ext=` 后是原因",
            remedy: "检查 chat id（oc_…）、open id（ou_…）和内容",
        },
        en: Words {
            meaning: "a parameter is not valid, `ext=` says which",
            remedy: "check the chat id (oc_…), open id (ou_…) and the content",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230002"],
        texts: &["bot can not be outside the group", "can not be out of the chat"],
        zh: Words {
            meaning: "机器人不在群里", remedy: "把机器人加入群聊后 `larkline dead retry`"
        },
        en: Words {
            meaning: "the bot is not in the group",
            remedy: "add it to the group, then `larkline dead retry`",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230006", "11205", "232025", "234007"],
        texts: &["bot ability is not activated"],
        zh: Words {
            meaning: "没有启用机器人能力，或版本未发布",
            remedy: "在后台“添加应用能力”启用机器人并发布版本",
        },
        en: Words {
            meaning: "the bot capability is off, or not published",
            remedy: "add the bot capability in the console and publish a version",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230011", "231003", "230110"],
        texts: &["the message is recalled", "message has been deleted"],
        zh: Words {
            meaning: "消息已被撤回或删除", remedy: "larkline 会不带引用地回答；无需处理"
        },
        en: Words {
            meaning: "the message is recalled or deleted",
            remedy: "larkline answers without the quotation; nothing to do",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230013"],
        texts: &["bot has no availability to this user"],
        zh: Words {
            meaning: "用户不在应用的可用范围内，或已离职",
            remedy: "在后台“可用范围”加入该用户并发布",
        },
        en: Words {
            meaning: "the person is outside the app's availability range, or has left",
            remedy: "add the person to the availability range in the console and publish",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230018", "230035"],
        texts: &["not allowed at current group settings", "send message permission deny"],
        zh: Words {
            meaning: "群设置或对方不允许机器人发言",
            remedy: "请群主调整发言权限，或请对方解除屏蔽",
        },
        en: Words {
            meaning: "the group's settings, or the receiver, do not let the bot speak",
            remedy: "ask the group's owner for leave to speak, or the person to lift the block",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230022", "230028"],
        texts: &["sensitive information", "do not pass the audit"],
        zh: Words {
            meaning: "内容被企业的敏感词或防泄漏策略拦下",
            remedy: "修改内容，或请管理员调整策略",
        },
        en: Words {
            meaning: "the content was stopped by the tenant's content or leak policy",
            remedy: "change the content, or ask the administrator about the policy",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230025", "200860"],
        texts: &["length of the message content reaches its limit", "content reaches its limit"],
        zh: Words {
            meaning: "内容太长（文本 150 KB，富文本和卡片 30 KB）",
            remedy: "回答短一些，或作为文件发送：`larkline send --file`",
        },
        en: Words {
            meaning: "the content is too long (text 150 KB, post and card 30 KB)",
            remedy: "answer less, or send it as a file: `larkline send --file`",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230027"],
        texts: &["lack of necessary permissions"],
        zh: Words {
            meaning: "缺少权限：scope、用户授权，或外部群",
            remedy: "授予所需 scope 并发布；外部群要开通对外共享",
        },
        en: Words {
            meaning: "permissions are missing: a scope, an authorisation, or an external group",
            remedy: "grant the scope and publish; an external group needs external sharing",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230034"],
        texts: &["the receive_id is invalid"],
        zh: Words {
            meaning: "收件 id 无效",
            remedy: "用 `larkline chats` 中的 oc_…，或此应用收到的 ou_…",
        },
        en: Words {
            meaning: "the receiver's id is not valid",
            remedy: "use an oc_… of `larkline chats`, or an ou_… that this app received",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230049", "18121", "231015"],
        texts: &["the message is being sent", "create request is being processed"],
        zh: Words {
            meaning: "同一个 `uuid` 的请求还在处理", remedy: "会在一秒内再问"
        },
        en: Words {
            meaning: "the same `uuid` is still being worked on",
            remedy: "it is asked again within a second",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230053"],
        texts: &["user has stopped the bot from sending messages"],
        zh: Words {
            meaning: "用户停止了机器人给他发消息", remedy: "请用户在会话设置中重新允许"
        },
        en: Words {
            meaning: "the person has stopped the bot's messages",
            remedy: "ask the person to allow them again",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230055"],
        texts: &["type of file upload does not match"],
        zh: Words {
            meaning: "上传的文件类型与消息类型不符", remedy: "作为文件发送，不要作为媒体"
        },
        en: Words {
            meaning: "the type of the upload does not fit the message's",
            remedy: "send it as a file, not as media",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["230071", "230072"],
        texts: &["does not support reply in thread", "aggregated messages do not support thread"],
        zh: Words {
            meaning: "此群不支持话题回复；编辑时是不是发送者或已编辑 20 次",
            remedy: "larkline 会改为普通回复；流式输出用卡片而不是编辑",
        },
        en: Words {
            meaning: "the group has no thread replies; on edits, not the sender or 20 edits reached",
            remedy: "larkline answers outside of the thread; stream with cards, not with edits",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["232009"],
        texts: &["already been dissolved"],
        zh: Words { meaning: "群已解散", remedy: "从路由中去掉此会话" },
        en: Words { meaning: "the group is dissolved", remedy: "take the chat out of the routes" },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["231001", "231002", "231007", "231017", "231018"],
        texts: &[],
        zh: Words {
            meaning: "表情回复被拒绝（类型、权限或消息类型）",
            remedy: "可忽略：正在处理的提示会缺失，回答不受影响",
        },
        en: Words {
            meaning: "a reaction is refused (type, permission, kind of message)",
            remedy: "it may be ignored: the sign of work is missing, the answer is not",
        },
        page: "api.md#platform-codes",
    },
];

//! Numbers of cards and of streaming into them.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["230099"],
        texts: &["failed to create card content"],
        zh: Words {
            meaning: "卡片内容无法创建；ErrCode 是子代码",
            remedy: "按子代码查（`larkline explain` 加子代码）；larkline 自己的卡片会退为富文本",
        },
        en: Words {
            meaning: "the card's content cannot be created; ErrCode is the sub-code",
            remedy: "look the sub-code up with `larkline explain`; larkline's own cards go out as a post instead",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["11310"],
        texts: &[
            "card table number over limit",
            "element exceeds the limit",
            "template is not visible to app",
            "card action is lock",
        ],
        zh: Words {
            meaning: "卡片中的表格或组件超过数量（每卡表格有限，组件 200 个），或卡片正在交互",
            remedy: "减少表格和组件，或拆成几张卡",
        },
        en: Words {
            meaning: "too many tables or elements in a card (200 elements), or the card is under interaction",
            remedy: "use fewer tables and elements, or several cards",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200621", "200220"],
        texts: &["parse card json err"],
        zh: Words {
            meaning: "卡片 JSON 无法解析", remedy: "用平台的卡片搭建工具检查 JSON"
        },
        en: Words {
            meaning: "the card's JSON cannot be read",
            remedy: "check it in the platform's card builder",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200861"],
        texts: &["unsupported tag", "not support tag"],
        zh: Words {
            meaning: "卡片 2.0 不支持该标签（如 note、action）",
            remedy: "用 2.0 的组件替换",
        },
        en: Words {
            meaning: "the tag is not there in cards 2.0 (such as note, action)",
            remedy: "replace it by a 2.0 component",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200570"],
        texts: &["invalid image keys"],
        zh: Words {
            meaning: "图片 key 无效（网址或别的应用上传的）",
            remedy: "用此应用上传图片并使用它的 key",
        },
        en: Words {
            meaning: "an image key is not valid (a URL, or uploaded by another app)",
            remedy: "upload the image with this app and use its key",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200810"],
        texts: &["card is in interaction"],
        zh: Words {
            meaning: "卡片正在处理用户的点击，暂时锁定",
            remedy: "会在一秒内重试；其他工具请等回调结束",
        },
        en: Words {
            meaning: "a click is being worked on, the card is locked meanwhile",
            remedy: "it is repeated within a second; elsewhere wait for the callback to end",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200740", "200750"],
        texts: &[],
        zh: Words {
            meaning: "卡片实体不存在或已过期（14 天）", remedy: "larkline 会发新的卡片"
        },
        en: Words {
            meaning: "the card's entity does not exist or is over (14 days)",
            remedy: "larkline sends a new card",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200770"],
        texts: &[],
        zh: Words {
            meaning: "同一个 uuid 用于不同内容",
            remedy: "每次操作用新的 uuid；若由 larkline 发出请报告",
        },
        en: Words {
            meaning: "a uuid was used again with other content",
            remedy: "use a new uuid for each operation; report it if larkline made the call",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200850", "200510", "300309"],
        texts: &["streaming mode is closed", "streaming timeout", "streaming is off"],
        zh: Words {
            meaning: "流式模式已关闭或超时（10 分钟）",
            remedy: "larkline 会重新打开并重试；其他工具设置 streaming_mode=true",
        },
        en: Words {
            meaning: "streaming is off or timed out (10 minutes)",
            remedy: "larkline switches it on again and repeats; elsewhere set streaming_mode=true",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["300305"],
        texts: &["exceeds 200"],
        zh: Words {
            meaning: "卡片超过 200 个元素和组件", remedy: "拆成几张卡，或减少组件"
        },
        en: Words {
            meaning: "a card has more than 200 elements and components",
            remedy: "split it into several cards, or use fewer",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["300317"],
        texts: &["sequence number compare failed"],
        zh: Words {
            meaning: "卡片更新的 sequence 没有递增",
            remedy: "每张卡的 sequence 必须严格递增；两个程序在写同一张卡？",
        },
        en: Words {
            meaning: "the sequence of a card's updates did not grow",
            remedy: "it has to grow strictly for each card; do two programs write the same card?",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["300301", "300313"],
        texts: &["duplicate element_id"],
        zh: Words {
            meaning: "element_id 重复或不存在",
            remedy: "每个 element_id 在卡内唯一，且先存在再更新",
        },
        en: Words {
            meaning: "an element_id is there twice, or not at all",
            remedy: "use each element_id once in a card, and create it before it is updated",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["300302", "300303", "300307", "300310", "300311", "300312", "300314", "300315"],
        texts: &[],
        zh: Words {
            meaning: "此卡片操作不被允许（非 2.0、空卡、非文本组件、非创建者……）",
            remedy: "检查卡片的 schema 2.0 和创建它的应用",
        },
        en: Words {
            meaning: "the operation on the card is not allowed (no schema 2.0, empty, no text element, not the creator …)",
            remedy: "check that the card has schema 2.0 and was made by this app",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &["200340", "200345", "200346", "200347"],
        texts: &[],
        zh: Words {
            meaning: "按钮显示 200340：没有订阅回调，或未发布",
            remedy: "在“事件与回调 → 回调配置”选长连接，添加 card.action.trigger，发布版本",
        },
        en: Words {
            meaning: "a button shows 200340: the callback is not subscribed, or not published",
            remedy: "under Events & callbacks → Callback configuration choose the long connection, add card.action.trigger, publish a version",
        },
        page: "link.md#old_card_callback",
    },
    Entry {
        codes: &["200341", "200342", "200343", "200671", "200672", "200673"],
        texts: &[],
        zh: Words {
            meaning: "按钮回调没有在 3 秒内得到有效应答",
            remedy: "larkline 在 2.5 秒内自行应答；检查是否有另一个实例或地址在接收回调",
        },
        en: Words {
            meaning: "a pressed button had no valid answer within 3 s",
            remedy: "larkline answers within 2.5 s by itself; look for another instance or address that receives callbacks",
        },
        page: "handlers.md#timeout",
    },
    Entry {
        codes: &["200830"],
        texts: &[],
        zh: Words {
            meaning: "2.0 卡片不能改为 1.0 卡片", remedy: "回调的应答也用 schema 2.0"
        },
        en: Words {
            meaning: "a 2.0 card cannot become a 1.0 card",
            remedy: "answer callbacks with schema 2.0 too",
        },
        page: "api.md#platform-codes",
    },
];

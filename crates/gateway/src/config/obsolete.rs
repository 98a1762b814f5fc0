//! What earlier tools had.

use super::section::Section;
use crate::both::Both;

/// Sections of earlier tools, so that their owners are told what became of them.
pub(super) fn refuse(root: &mut Section<'_>) {
    if root.has("adapter") {
        root.ignore("adapter");
        root.warn(
            "adapter",
            Both::of("这一节已废弃，不起作用", "the section is obsolete and has no effect"),
            Both::of("删除它", "remove it"),
        );
    }
    if root.has("feishu") {
        root.ignore("feishu");
        root.refuse(
            "feishu",
            Both::of("这一节在这里另有名称", "the section has another name here"),
            Both::of("把 [feishu] 改为 [app.main]", "write [app.main] instead of [feishu]"),
        );
    }
}

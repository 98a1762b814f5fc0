//! What earlier tools had.

use super::section::Section;

/// Sections of earlier tools, so that their owners are told what became of them.
pub(super) fn refuse(root: &mut Section<'_>) {
    if root.has("adapter") {
        root.ignore("adapter");
        root.warn("adapter", "the section is obsolete and has no effect", "remove it");
    }
    if root.has("feishu") {
        root.ignore("feishu");
        root.refuse(
            "feishu",
            "the section has another name here",
            "write [app.main] instead of [feishu]",
        );
    }
}

//! A message's story as people read it: a table of steps, each with its sentence.

use larkline_gateway::story::Story;

use super::lists::outcome;
use crate::lang::{either, lang};
use crate::output;

pub(crate) fn tell(story: &Story) -> String {
    let s = story;
    let head = format!("{}  {} {}\n{}\n", s.event_id, s.kind, s.message_id, s.preview);
    let steps = s.steps.iter().map(|step| {
        vec![output::precise_time(step.at_ms), step.step.clone(), s.sentence(step, lang())]
    });
    let header = either(["时间", "步骤", ""], ["TIME", "STEP", ""]);
    let told = head + &output::table(&header, steps);
    if s.others.is_empty() {
        return told;
    }
    let others = s.others.iter().map(|r| {
        vec![output::local_time(r.at_ms), r.message_id.clone(), outcome(r), r.preview.clone()]
    });
    let header = either(["时间", "消息", "结果", "内容"], ["TIME", "MESSAGE", "OUTCOME", "TEXT"]);
    let others = output::table(&header, others);
    let count = s.others.len() + 1;
    say!(
        zh: "{told}\n\n这是 {count} 条中最新的一条。其余的：\n{others}",
        en: "{told}\n\nThis was the newest of {count}. The others:\n{others}"
    )
}

//! Lines of any shape: none panics, and every turn ends once.

use larkline_agent::{Event, Exit, Prompt};
use proptest::prelude::*;
use serde_json::Value;

use crate::acp_agent::Agent;
use crate::launches::{done, launch, messages, resumed};

/// Words that lines are made of, in right places and wrong ones.
const WORDS: &str = "s1 t1 agent_message_chunk tool_call tool_call_update plan usage_update \
    completed pending in_progress end_turn allow_once text execute session/update \
    session/request_permission $/cancel_request";
/// Names of their fields.
const NAMES: &str = "id method params result error code message data sessionId update content \
    sessionUpdate text toolCallId title kind status rawInput toolCall options optionId stopReason \
    usage inputTokens outputTokens totalTokens cost amount entries _meta requestId command type \
    protocolVersion agentCapabilities loadSession path";

fn value() -> impl Strategy<Value = Value> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let names: Vec<&str> = NAMES.split_whitespace().collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..5).prop_map(Value::from),
        prop::sample::select(words).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let name = prop::sample::select(names.clone()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn bytes_never_panic(lines in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut agent = Agent::prompted(&launch());
        for line in &lines {
            let step = agent.acp.line(line);
            agent.took(step);
        }
        let step = agent.acp.ended(Exit::default(), &String::from_utf8_lossy(&lines.concat()));
        agent.took(step);
        done(&agent.events);
    }

    #[test]
    fn lines_of_any_shape_end_once(lines in prop::collection::vec(value(), 0..12), sent: bool) {
        let mut agent = if sent {
            Agent::prompted(&launch())
        } else {
            Agent::begun(&resumed("s1"), &Prompt::default())
        };
        for line in lines {
            agent.says(line.clone());
            agent.updates(line);
        }
        let step = agent.acp.ended(Exit::default(), "");
        agent.took(step);
        done(&agent.events);
        let deltas: String = agent.events.iter().filter_map(|event| match event {
            Event::Delta { text } => Some(text.as_str()),
            _ => None,
        }).collect();
        prop_assert_eq!(messages(&agent.events).concat(), deltas);
    }
}

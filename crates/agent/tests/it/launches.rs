//! Turns to begin with, and what every wire has to keep.

use larkline_agent::{Done, Event, Launch, Outcome, Permission, Session, Step};

/// A turn in a new session with nothing special about it.
pub(crate) fn launch() -> Launch {
    Launch {
        program: vec!["agent".to_owned()],
        extra: Vec::new(),
        cwd: "/srv/ws".into(),
        session: Session::New("6b0f4f9e-6f0c-4a47-9d1b-0f5a1c2d3e4f".to_owned()),
        model: None,
        system: None,
        permission: Permission::Ask,
        allowed_tools: Vec::new(),
        denied_tools: Vec::new(),
        turns_max: None,
        budget_usd: None,
        mcp: None,
        add_dirs: Vec::new(),
        project_settings: false,
    }
}

/// The same turn in a session that is there.
pub(crate) fn resumed(session: &str) -> Launch {
    Launch { session: Session::Resume(session.to_owned()), ..launch() }
}

/// The one end among the events, which has to be the last of them.
pub(crate) fn done(events: &[Event]) -> &Done {
    let ends = events.iter().filter(|event| matches!(event, Event::Done(_))).count();
    assert_eq!(ends, 1, "{events:#?}");
    match events.last() {
        Some(Event::Done(done)) => done,
        last => panic!("something after the end: {last:?}"),
    }
}

/// All text of the messages, one to a line.
pub(crate) fn messages(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Message { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// The step that ends a turn closes the input, and no other may.
pub(crate) fn closes_at_the_end(step: &Step) {
    let ends = step.events.iter().any(|event| matches!(event, Event::Done(_)));
    assert_eq!(step.close, ends, "{step:#?}");
}

/// The outcome, for short assertions.
pub(crate) fn outcome(events: &[Event]) -> Outcome {
    done(events).outcome
}

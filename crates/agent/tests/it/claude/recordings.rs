//! Laws that hold for every recording, and what each of them means.

use larkline_agent::claude::Claude;
use larkline_agent::{Answer, AskKind, ChoiceKind, Event, Notice, Outcome, Session, Usage};
use serde_json::{Value, json};

use super::recorded::{Recorded, all, read, recorded};
use super::{code, done, launch, one_done, one_written, shown, turn, written};

/// How each recording ends when nobody stops it.
const ENDS: [(&str, Outcome); 37] = [
    ("text.jsonl", Outcome::Ok),
    ("json_format.jsonl", Outcome::Ok),
    ("partial.jsonl", Outcome::Ok),
    ("tool_allowed.jsonl", Outcome::Ok),
    ("tool_partial.jsonl", Outcome::Ok),
    ("tool_denied.jsonl", Outcome::Ok),
    ("max_turns.jsonl", Outcome::Limit),
    ("max_budget.jsonl", Outcome::Limit),
    ("api_retry_529.jsonl", Outcome::Ok),
    ("api_error_529.jsonl", Outcome::Overloaded),
    ("api_error_500.jsonl", Outcome::Failed),
    ("api_error_401.jsonl", Outcome::Auth),
    ("api_error_429.jsonl", Outcome::Overloaded),
    ("api_error_400.jsonl", Outcome::Failed),
    ("refusal.jsonl", Outcome::Refused),
    ("stream_cut.jsonl", Outcome::Ok),
    ("not_logged_in.jsonl", Outcome::Auth),
    ("resume_unknown.jsonl", Outcome::Failed),
    ("session_new.jsonl", Outcome::Ok),
    ("session_resume.jsonl", Outcome::Ok),
    ("session_id_in_use.jsonl", Outcome::Failed),
    ("session_fork.jsonl", Outcome::Ok),
    ("slash_command.jsonl", Outcome::Ok),
    ("subagent.jsonl", Outcome::Ok),
    ("background_task.jsonl", Outcome::Ok),
    // A signal that we did not send is a failure, not somebody's wish.
    ("sigint_streaming.jsonl", Outcome::Failed),
    ("sigterm_streaming.jsonl", Outcome::Failed),
    ("multi_turn.duplex.jsonl", Outcome::Ok),
    ("permission_allow.duplex.jsonl", Outcome::Ok),
    ("permission_deny.duplex.jsonl", Outcome::Ok),
    ("permission_deny_interrupt.duplex.jsonl", Outcome::Failed),
    ("ask_user_question.duplex.jsonl", Outcome::Ok),
    ("permission_interrupted.duplex.jsonl", Outcome::Failed),
    ("interrupt.duplex.jsonl", Outcome::Failed),
    ("message_while_busy.duplex.jsonl", Outcome::Ok),
    // There is no turn in it.
    ("control_misc.duplex.jsonl", Outcome::Failed),
    ("sdk_mcp.duplex.jsonl", Outcome::Ok),
];

/// Everything it printed, then its end. Says whether the input was closed, too.
fn play(run: &Recorded) -> (Vec<Event>, bool) {
    let mut claude = turn(&run.launch);
    let (mut events, mut closed) = (Vec::new(), false);
    for line in &run.printed {
        let step = claude.line(line);
        assert!(!closed || step.write.is_empty(), "{}: written after the end", run.file);
        written(&step);
        assert_eq!(step.close, !done(&step.events).is_empty(), "{}", run.file);
        closed |= step.close;
        events.extend(step.events);
    }
    events.extend(claude.ended(run.exit, &run.complaints).events);
    (events, closed)
}

#[test]
fn every_recording_ends_once_and_as_it_should() {
    let runs = all();
    let listed: Vec<_> = runs.iter().map(|run| run.file.as_str()).collect();
    assert_eq!(listed, ENDS.map(|(file, _)| file));
    for (run, (file, outcome)) in runs.iter().zip(ENDS) {
        let (events, _) = play(run);
        let done = one_done(&events);
        assert_eq!(done.outcome, outcome, "{file}: {done:?}");
        assert_eq!(done.detail.is_empty(), outcome == Outcome::Ok, "{file}: {done:?}");
        assert!(matches!(events.last(), Some(Event::Done(_))), "{file}: {events:?}");
        // An exit code of 0 can hide a failure, but no failure has to hide an answer.
        assert!(outcome != Outcome::Ok || run.exit == code(0), "{file}");
    }
}

#[test]
fn the_input_is_closed_with_the_result_and_not_before() {
    for run in all() {
        let results = run.both.iter().filter(|(_, line)| line["type"] == "result").count();
        assert_eq!(play(&run).1, results > 0, "{}", run.file);
    }
}

#[test]
fn a_recording_cut_off_at_any_line_still_ends_once() {
    for run in all() {
        for kept in 0..=run.printed.len() {
            let mut claude = turn(&run.launch);
            let mut events: Vec<_> =
                run.printed[..kept].iter().flat_map(|line| claude.line(line).events).collect();
            let ended_by_itself = !done(&events).is_empty();
            if let Some(next) = run.printed.get(kept) {
                let half = claude.line(&next[..next.len() / 2]);
                assert_eq!(half.events, [], "{}: half of line {kept}", run.file);
            }
            events.extend(claude.ended(code(1), "").events);
            events.extend(claude.ended(code(0), "again").events);
            let done = one_done(&events);
            assert!(ended_by_itself || done.outcome != Outcome::Ok, "{}: {done:?}", run.file);
        }
    }
}

#[test]
fn garbage_between_the_lines_changes_nothing() {
    let garbage: [&[u8]; 8] = [
        b"",
        b"\n",
        b"warning: something\n",
        b"\xff\xfe{\x00}\n",
        b"{\"type\":\"result\"",
        b"{\"type\":\"of next year\",\"subtype\":\"result\"}\n",
        b"{\"type\":[\"result\"],\"event\":7}\n",
        b"[{\"type\":\"result\"}]\n",
    ];
    for run in all() {
        let (clean, _) = play(&run);
        let mut claude = turn(&run.launch);
        let mut events = Vec::new();
        for line in &run.printed {
            events.extend(garbage.iter().flat_map(|line| claude.line(line).events));
            events.extend(claude.line(line).events);
        }
        events.extend(claude.ended(run.exit, &run.complaints).events);
        assert_eq!(events, clean, "{}", run.file);
    }
}

#[test]
fn what_it_writes_to_its_disk_is_no_turn() {
    let mut claude = turn(&launch());
    let file = read("session_file.sample.jsonl");
    let events: Vec<_> =
        file.lines().flat_map(|line| claude.line(line.as_bytes()).events).collect();
    assert_eq!(done(&events), Vec::<&larkline_agent::Done>::new());
    one_done(&claude.ended(code(0), "").events);
}

#[test]
fn the_session_is_told_before_anything_else_and_once() {
    let (events, _) = play(&recorded("session_resume.jsonl"));
    assert_eq!(
        events[0],
        Event::Started { session: "11111111-2222-4333-8444-555555555501".to_owned() }
    );
    for run in all() {
        let (events, _) = play(&run);
        let started = events.iter().filter(|event| matches!(event, Event::Started { .. })).count();
        assert!(started <= 1, "{}: {events:?}", run.file);
    }
}

#[test]
fn an_unknown_conversation_and_a_known_one_are_told_apart_from_other_failures() {
    for run in all() {
        let (events, _) = play(&run);
        let done = one_done(&events);
        assert_eq!(done.unknown_session, run.file == "resume_unknown.jsonl", "{done:?}");
        assert_eq!(done.session_exists, run.file == "session_id_in_use.jsonl", "{done:?}");
    }
    let mut claude = turn(&larkline_agent::Launch {
        session: Session::Resume("99999999-2222-4333-8444-555555555501".to_owned()),
        ..launch()
    });
    let complaints = recorded("resume_unknown.jsonl").complaints;
    let step = claude.ended(code(1), &complaints);
    assert!(one_done(&step.events).unknown_session, "the result line may be missing");
}

#[test]
fn the_answer_is_the_agents_own_words_whole() {
    for (file, answer) in [
        ("text.jsonl", "echo: hello"),
        ("partial.jsonl", "Hello there friend"),
        ("tool_partial.jsonl", "tool said: a"),
        ("stream_cut.jsonl", "0123456789012345678901234567890123456789"),
        ("multi_turn.duplex.jsonl", "one"),
    ] {
        let (events, _) = play(&recorded(file));
        assert_eq!(shown(&events), answer, "{file}");
        assert_eq!(one_done(&events).text, answer, "{file}");
    }
    // What it made up about a failure is the operator's, not the chat's.
    for file in ["api_error_500.jsonl", "not_logged_in.jsonl", "api_error_529.jsonl"] {
        let (events, _) = play(&recorded(file));
        assert_eq!(shown(&events), "", "{file}");
        assert_eq!(one_done(&events).text, "", "{file}");
    }
}

#[test]
fn a_sub_agent_works_and_says_nothing() {
    let (events, _) = play(&recorded("subagent.jsonl"));
    let answer = shown(&events);
    assert!(answer.starts_with("tool said: tool said: in-sub agentId"), "{answer}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Message { .. })).count(), 1);
    let tools: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, Event::ToolStart { .. } | Event::ToolEnd { .. }))
        .cloned()
        .collect();
    let start = |id: &str, name: &str, about: &str| Event::ToolStart {
        id: id.to_owned(),
        name: name.to_owned(),
        about: about.to_owned(),
    };
    let end = |id: &str| Event::ToolEnd { id: id.to_owned(), ok: true };
    assert_eq!(
        tools,
        [
            start("toolu_fake000254", "Task", "sub"),
            start("toolu_fake000257", "Bash", "echo in-sub"),
            end("toolu_fake000257"),
            end("toolu_fake000254"),
        ]
    );
}

#[test]
fn usage_counts_the_turn_with_its_sub_agents_also_at_a_limit() {
    for (file, tokens_in, tokens_out, cost) in [
        ("text.jsonl", 120, 7, 0.000_775),
        ("tool_allowed.jsonl", 240, 14, 0.001_55),
        ("subagent.jsonl", 480, 28, 0.003_1),
        ("max_budget.jsonl", 900_000, 900_000, 27.0),
        // What comes after the result is another turn's.
        ("background_task.jsonl", 240, 14, 0.001_55),
        ("multi_turn.duplex.jsonl", 120, 7, 0.000_775),
    ] {
        let (events, _) = play(&recorded(file));
        let used: Vec<Usage> = events
            .iter()
            .filter_map(|event| if let Event::Usage(usage) = event { Some(*usage) } else { None })
            .collect();
        let [usage] = used[..] else { panic!("{file}: {used:?}") };
        assert_eq!((usage.tokens_in, usage.tokens_out), (tokens_in, tokens_out), "{file}");
        assert!((usage.cost_usd.unwrap() - cost).abs() < 1e-9, "{file}: {usage:?}");
    }
}

#[test]
fn its_retries_are_told() {
    let (events, _) = play(&recorded("api_retry_529.jsonl"));
    let retries: Vec<_> =
        events.into_iter().filter(|event| matches!(event, Event::Notice(_))).collect();
    let retry = |attempt, wait_ms| {
        let why = "overloaded".to_owned();
        Event::Notice(Notice::Retrying { attempt, of: 10, wait_ms, why })
    };
    assert_eq!(retries, [retry(1, 538), retry(2, 1_121)]);
    for (file, word) in [
        ("api_error_401.jsonl", "auth"),
        ("api_error_429.jsonl", "rate_limit"),
        ("api_error_500.jsonl", "server"),
    ] {
        let (events, _) = play(&recorded(file));
        let told = events.iter().any(
            |event| matches!(event, Event::Notice(Notice::Retrying { why, of: 1, .. }) if why == word),
        );
        assert!(told, "{file}: {events:?}");
    }
}

/// Plays a recording of both directions: what was written then has to be written now, by these
/// answers to what it asks.
fn replay(file: &str, answer: Option<&Answer>) -> Vec<Event> {
    let run = recorded(file);
    let mut claude = turn(&run.launch);
    let mut events = Vec::new();
    let mut asked: Option<String> = None;
    for (to_it, line) in &run.both {
        if !to_it {
            let step = claude.line(line.to_string().as_bytes());
            let mut asks = step.events.iter().filter_map(|event| {
                if let Event::Ask(ask) = event { Some(ask.id.clone()) } else { None }
            });
            asked = asks.next_back().or(asked);
            events.extend(step.events);
        } else if line["request"]["subtype"] == "interrupt" {
            let mut written = one_written(&claude.interrupt());
            assert!(!written["request_id"].as_str().unwrap().is_empty());
            written["request_id"] = line["request_id"].clone();
            assert_eq!(written, *line, "{file}");
        } else if line["type"] == "control_response" {
            let step = claude.answer(&asked.take().unwrap(), answer.unwrap());
            assert_eq!(same_words(one_written(&step)), same_words(line.clone()), "{file}");
        }
    }
    events.extend(claude.ended(run.exit, &run.complaints).events);
    events
}

/// The words of a denial are ours to choose.
fn same_words(mut line: Value) -> Value {
    if let Some(message) = line.pointer_mut("/response/response/message") {
        assert!(message.is_string());
        *message = json!("no");
    }
    line
}

#[test]
fn answers_are_written_as_the_program_took_them() {
    let once = Answer::Choice(ChoiceKind::AllowOnce);
    let events = replay("permission_allow.duplex.jsonl", Some(&once));
    assert!(events.contains(&Event::ToolEnd { id: "toolu_fake000284".to_owned(), ok: true }));
    assert_eq!(one_done(&events).outcome, Outcome::Ok);

    let no = Answer::Choice(ChoiceKind::DenyOnce);
    let events = replay("permission_deny.duplex.jsonl", Some(&no));
    assert!(events.contains(&Event::ToolEnd { id: "toolu_fake000290".to_owned(), ok: false }));
    assert_eq!(one_done(&events).outcome, Outcome::Ok, "the turn goes on without it");

    let labels = Answer::Labels(vec![("Which one?".to_owned(), vec!["B".to_owned()])]);
    let events = replay("ask_user_question.duplex.jsonl", Some(&labels));
    let asked = events
        .iter()
        .find_map(|event| if let Event::Ask(ask) = event { Some(&ask.kind) } else { None });
    let Some(AskKind::Questions(questions)) = asked else { panic!("{asked:?}") };
    assert_eq!((questions[0].header.as_str(), questions[0].many), ("Pick", false));
    assert_eq!(questions[0].options[1], ("B".to_owned(), "second".to_owned()));
}

#[test]
fn a_turn_that_we_stop_is_cancelled() {
    let events = replay("interrupt.duplex.jsonl", None);
    assert_eq!(one_done(&events).outcome, Outcome::Cancelled);
    assert_eq!(shown(&events), "0123456789012345678901234567890123456789", "what it said stays");

    let events = replay("permission_interrupted.duplex.jsonl", None);
    assert_eq!(one_done(&events).outcome, Outcome::Cancelled);
    let ask = "7dcd9ae3-4498-4595-9b59-454d7831d2aa".to_owned();
    assert!(events.contains(&Event::Withdrawn { ask }), "{events:?}");
}

#[test]
fn a_program_that_dies_after_we_stopped_it_was_cancelled() {
    let run = recorded("sigterm_streaming.jsonl");
    for stopped in [false, true] {
        let mut claude = turn(&run.launch);
        for line in &run.printed {
            claude.line(line);
        }
        if stopped {
            claude.interrupt();
        }
        let step = claude.ended(run.exit, "");
        let expected = if stopped { Outcome::Cancelled } else { Outcome::Failed };
        assert_eq!(one_done(&step.events).outcome, expected);
    }
}

#[test]
fn a_tool_server_of_ours_is_not_there() {
    let run = recorded("sdk_mcp.duplex.jsonl");
    let mut claude: Claude = turn(&run.launch);
    let refusals: Vec<Value> =
        run.printed.iter().flat_map(|line| written(&claude.line(line))).collect();
    assert_eq!(refusals.len(), 4, "{refusals:?}");
    for refusal in refusals {
        assert_eq!(refusal["response"]["subtype"], "error");
        assert!(refusal["response"]["request_id"].is_string());
    }
}

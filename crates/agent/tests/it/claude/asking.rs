//! Questions of its, and what an answer allows.

// tidy: long file: every shape of a question and of its answers, side by side

use larkline_agent::claude::Claude;
use larkline_agent::{
    Answer, Ask, AskKind, Choice, ChoiceKind, Event, Launch, Permission, Question,
};
use serde_json::{Value, json};

use super::{
    assistant, events, launch, leave, one_done, one_written, result, running, say, written,
};

const ONCE: Answer = Answer::Choice(ChoiceKind::AllowOnce);
const ALWAYS: Answer = Answer::Choice(ChoiceKind::AllowAlways);
const NO: Answer = Answer::Choice(ChoiceKind::DenyOnce);
const NEVER: Answer = Answer::Choice(ChoiceKind::DenyAlways);

fn ask(claude: &mut Claude, line: &Value) -> Ask {
    let step = say(claude, line);
    assert!(step.write.is_empty(), "{step:?}");
    let [Event::Ask(ask)] = &step.events[..] else { panic!("{step:?}") };
    ask.clone()
}

/// What an answer becomes inside of the response.
fn response(claude: &mut Claude, id: &str, answer: &Answer) -> Value {
    let step = claude.answer(id, answer);
    assert!(step.events.is_empty() && !step.close);
    let line = one_written(&step);
    assert_eq!(line["type"], "control_response");
    assert_eq!(line["response"]["subtype"], "success");
    assert_eq!(line["response"]["request_id"], id);
    line["response"]["response"].clone()
}

fn denies(response: &Value) {
    assert_eq!(response["behavior"], "deny", "{response}");
    assert!(response["message"].is_string(), "{response}");
    assert!(response.get("interrupt").is_none(), "the turn goes on: {response}");
}

fn rule(tool: &str, content: &str) -> Value {
    json!({"type": "addRules", "behavior": "allow", "destination": "localSettings",
        "rules": [{"toolName": tool, "ruleContent": content}]})
}

fn bash() -> Value {
    json!({"command": "mkdir \u{2028}a", "description": "harmless", "timeout": 5})
}

fn kinds(ask: &Ask) -> Vec<ChoiceKind> {
    ask.choices.iter().map(|choice| choice.kind).collect()
}

#[test]
fn leave_is_asked_with_what_it_is_for() {
    let mut claude = running(&launch());
    let suggested = json!([rule("Bash", "mkdir a")]);
    let asked = ask(&mut claude, &leave("q", "Bash", &bash(), &suggested));
    let choice = |id: &str, kind| Choice { id: id.to_owned(), kind };
    assert_eq!(
        asked,
        Ask {
            id: "q".to_owned(),
            kind: AskKind::Permission {
                tool: "Bash".to_owned(),
                detail: "mkdir \u{fffd}a\ntimeout: 5".to_owned(),
                whole: false,
            },
            choices: vec![
                choice("allow", ChoiceKind::AllowOnce),
                choice("allow_always", ChoiceKind::AllowAlways),
                choice("deny", ChoiceKind::DenyOnce),
            ],
        }
    );
}

#[test]
fn once_gives_the_whole_input_back_and_no_rule() {
    let mut claude = running(&launch());
    say(&mut claude, &leave("q", "Bash", &bash(), &json!([rule("Bash", "mkdir a")])));
    let allowed = response(&mut claude, "q", &ONCE);
    assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": bash()}));
}

#[test]
fn an_input_that_is_none_is_given_back_as_an_empty_one() {
    for input in [json!(null), json!("ls"), json!([1])] {
        let mut claude = running(&launch());
        say(&mut claude, &leave("q", "Bash", &input, &json!([])));
        let allowed = response(&mut claude, "q", &ONCE);
        assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": {}}), "{input}");
    }
}

#[test]
fn always_gives_rules_for_this_tool_and_this_process_only() {
    let mut claude = running(&launch());
    let suggested = json!([
        rule("Bash", "mkdir a"),
        {"type": "addRules", "behavior": "allow", "destination": "userSettings", "rules": [
            {"toolName": "Bash", "ruleContent": "ls:*"}, {"toolName": "Bash"}, {"toolName": "Bash",
            "ruleContent": ""}, {"toolName": "Read", "ruleContent": "//**"}, 7]},
        {"type": "addRules", "behavior": "deny", "destination": "session",
            "rules": [{"toolName": "Bash", "ruleContent": "x"}]},
        {"type": "addDirectories", "directories": ["/"], "destination": "session"},
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    ]);
    say(&mut claude, &leave("q", "Bash", &bash(), &suggested));
    let allowed = response(&mut claude, "q", &ALWAYS);
    assert_eq!(
        allowed,
        json!({"behavior": "allow", "updatedInput": bash(), "updatedPermissions": [
            {"type": "addRules", "behavior": "allow", "destination": "session", "rules": [
                {"toolName": "Bash", "ruleContent": "mkdir a"},
                {"toolName": "Bash", "ruleContent": "ls:*"}]}]})
    );
}

#[test]
fn always_without_a_fitting_rule_is_not_offered_and_means_once() {
    for suggested in [
        json!(null),
        json!([]),
        json!([{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]),
        json!([rule("Read", "//etc/**")]),
        json!([{"type": "replaceRules", "behavior": "allow", "destination": "session",
            "rules": [{"toolName": "Write", "ruleContent": "x"}]}]),
        json!([{"type": "addRules", "behavior": "allow", "rules": [{"toolName": "Write"}]}]),
    ] {
        let mut claude = running(&launch());
        let input = json!({"file_path": "/srv/ws/f", "content": "a\nb"});
        let asked = ask(&mut claude, &leave("q", "Write", &input, &suggested));
        assert_eq!(kinds(&asked), [ChoiceKind::AllowOnce, ChoiceKind::DenyOnce], "{suggested}");
        let allowed = response(&mut claude, "q", &ALWAYS);
        assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": input}), "{suggested}");
    }
}

#[test]
fn a_foreign_tool_may_be_allowed_as_a_whole() {
    let mut claude = running(&launch());
    let suggested = json!([{"type": "addRules", "behavior": "allow", "destination": "projectSettings",
        "rules": [{"toolName": "mcp__gw__send"}]}]);
    say(&mut claude, &leave("q", "mcp__gw__send", &json!({}), &suggested));
    let allowed = response(&mut claude, "q", &ALWAYS);
    assert_eq!(allowed["updatedPermissions"][0]["rules"], json!([{"toolName": "mcp__gw__send"}]));
    assert_eq!(allowed["updatedPermissions"][0]["destination"], "session");
}

#[test]
fn what_is_no_yes_is_a_no() {
    let labels = Answer::Labels(vec![("q".to_owned(), vec!["yes".to_owned()])]);
    for answer in [NO, NEVER, Answer::Nobody, labels] {
        let mut claude = running(&launch());
        say(&mut claude, &leave("q", "Bash", &bash(), &json!([])));
        denies(&response(&mut claude, "q", &answer));
        say(&mut claude, &leave("p", "ExitPlanMode", &json!({"plan": "x"}), &json!([])));
        denies(&response(&mut claude, "p", &answer));
    }
}

#[test]
fn two_questions_are_open_at_once_and_each_is_answered_once() {
    let mut claude = running(&launch());
    say(&mut claude, &leave("a", "Bash", &json!({"command": "a"}), &json!([])));
    say(&mut claude, &leave("b", "Bash", &json!({"command": "b"}), &json!([])));
    assert_eq!(say(&mut claude, &leave("a", "Bash", &bash(), &json!([]))).events, []);
    assert_eq!(response(&mut claude, "b", &ONCE)["updatedInput"], json!({"command": "b"}));
    assert_eq!(response(&mut claude, "a", &ONCE)["updatedInput"], json!({"command": "a"}));
    for id in ["a", "b", "c", ""] {
        assert!(claude.answer(id, &ONCE).write.is_empty(), "{id}");
    }
}

#[test]
fn a_question_taken_back_is_not_answered() {
    let mut claude = running(&launch());
    say(&mut claude, &leave("a", "Bash", &bash(), &json!([])));
    let back = json!({"type": "control_cancel_request", "request_id": "a"});
    assert_eq!(say(&mut claude, &back).events, [Event::Withdrawn { ask: "a".to_owned() }]);
    assert_eq!(say(&mut claude, &back).events, []);
    assert!(claude.answer("a", &ONCE).write.is_empty());
}

#[test]
fn the_end_of_the_turn_takes_open_questions_back() {
    let mut claude = running(&launch());
    say(&mut claude, &leave("a", "Bash", &bash(), &json!([])));
    say(&mut claude, &leave("b", "Bash", &bash(), &json!([])));
    let events = say(&mut claude, &result(&json!({}))).events;
    let withdrawn: Vec<_> = ["a", "b"].map(|id| Event::Withdrawn { ask: id.to_owned() }).into();
    assert_eq!(events[events.len() - 3..events.len() - 1], withdrawn);
    one_done(&events);
    assert!(claude.answer("a", &ONCE).write.is_empty());
}

#[test]
fn nothing_is_allowed_after_a_stop() {
    let mut claude = running(&launch());
    say(&mut claude, &leave("a", "Bash", &bash(), &json!([])));
    claude.interrupt();
    assert!(claude.answer("a", &ONCE).write.is_empty());
    let step = say(&mut claude, &leave("b", "Bash", &bash(), &json!([])));
    assert_eq!(step.events, []);
    let refusal = one_written(&step);
    assert_eq!(refusal["response"]["request_id"], "b");
    assert_eq!(refusal["response"]["response"]["behavior"], "deny");
    assert_eq!(refusal["response"]["response"]["interrupt"], true);
}

#[test]
fn a_plan_is_shown_and_answered() {
    let mut claude = running(&launch());
    let input = json!({"plan": "# Do it\u{202e}", "planFilePath": "/p.md"});
    let asked = ask(&mut claude, &leave("p", "ExitPlanMode", &input, &json!([rule("Bash", "x")])));
    assert_eq!(asked.kind, AskKind::Plan { plan: "# Do it\u{fffd}".to_owned() });
    assert_eq!(kinds(&asked), [ChoiceKind::AllowOnce, ChoiceKind::DenyOnce]);
    let allowed = response(&mut claude, "p", &ALWAYS);
    assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": input}));
}

#[test]
fn a_plan_that_the_question_leaves_out_is_the_one_that_was_written() {
    let mut claude = running(&launch());
    let used = json!([{"type": "tool_use", "id": "t", "name": "ExitPlanMode",
        "input": {"plan": "# Written"}}]);
    say(&mut claude, &assistant("m", &used));
    let asked = ask(&mut claude, &leave("p", "ExitPlanMode", &json!({}), &json!([])));
    assert_eq!(asked.kind, AskKind::Plan { plan: "# Written".to_owned() });
}

fn questions() -> Value {
    json!({"metadata": {"source": "x"}, "questions": [
        {"question": "Which\none\u{200b}?", "header": "Pick", "multiSelect": true,
            "options": [{"label": "A\n1", "description": "first"}, {"label": "B"}, 7]},
        {"question": "And?", "header": "P", "options": [{"label": "C", "description": "c"}]},
        {"question": "No answers?", "options": []},
        {"header": "no question"},
    ]})
}

#[test]
fn questions_are_asked_as_people_can_read_them_and_answered_in_its_own_words() {
    let mut claude = running(&launch());
    let asked = ask(&mut claude, &leave("q", "AskUserQuestion", &questions(), &json!([])));
    assert_eq!(asked.choices, []);
    let option = |label: &str, what: &str| (label.to_owned(), what.to_owned());
    let first = Question {
        text: "Which\none\u{fffd}?".to_owned(),
        header: "Pick".to_owned(),
        options: vec![option("A 1", "first"), option("B", "")],
        many: true,
        options_left: 0,
        questions_left: 0,
    };
    let second = Question {
        text: "And?".to_owned(),
        header: "P".to_owned(),
        options: vec![option("C", "c")],
        many: false,
        options_left: 0,
        questions_left: 0,
    };
    assert_eq!(asked.kind, AskKind::Questions(vec![first.clone(), second]));
    let labels = Answer::Labels(vec![
        (first.text, vec!["A 1".to_owned(), "B".to_owned()]),
        ("And?".to_owned(), vec!["my own".to_owned()]),
        ("Not asked?".to_owned(), vec!["x".to_owned()]),
    ]);
    let mut expected = questions();
    expected["answers"] = json!({"Which\none\u{200b}?": "A\n1, B", "And?": "my own"});
    let allowed = response(&mut claude, "q", &labels);
    assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": expected}));
}

#[test]
fn what_is_too_much_to_be_asked_is_counted() {
    let options: Vec<Value> = (0..20).map(|n| json!({"label": format!("o{n}")})).collect();
    let question = |n: usize| json!({"question": format!("q{n}?"), "options": options});
    let many: Vec<Value> = (0..11).map(question).collect();
    let mut claude = running(&launch());
    let many = json!({ "questions": many });
    let asked = ask(&mut claude, &leave("q", "AskUserQuestion", &many, &json!([])));
    let AskKind::Questions(questions) = asked.kind else { panic!("{asked:?}") };
    assert_eq!(questions.len(), 8);
    assert!(questions.iter().all(|q| (q.options.len(), q.options_left) == (16, 4)));
    let left: Vec<usize> = questions.iter().map(|q| q.questions_left).collect();
    assert_eq!(left, [0, 0, 0, 0, 0, 0, 0, 3], "said under the last one");
}

#[test]
fn questions_without_an_answer_are_denied() {
    let none = Answer::Labels(vec![("And?".to_owned(), Vec::new())]);
    for answer in [ONCE, ALWAYS, NO, Answer::Nobody, Answer::Labels(Vec::new()), none] {
        let mut claude = running(&launch());
        say(&mut claude, &leave("q", "AskUserQuestion", &questions(), &json!([])));
        denies(&response(&mut claude, "q", &answer));
    }
    let mut claude = running(&launch());
    let step =
        say(&mut claude, &leave("q", "AskUserQuestion", &json!({"questions": []}), &json!([])));
    assert_eq!(step.events, []);
    denies(&one_written(&step)["response"]["response"]);
}

#[test]
fn where_nobody_is_asked_leave_is_answered_at_once() {
    let mut claude = running(&Launch { permission: Permission::Deny, ..launch() });
    for tool in ["Bash", "ExitPlanMode", "AskUserQuestion"] {
        let step = say(&mut claude, &leave("q", tool, &questions(), &json!([])));
        assert_eq!(step.events, []);
        denies(&one_written(&step)["response"]["response"]);
    }
    let mut claude = running(&Launch { permission: Permission::Allow, ..launch() });
    for tool in ["Bash", "ExitPlanMode"] {
        let step = say(&mut claude, &leave("q", tool, &bash(), &json!([rule("Bash", "x")])));
        assert_eq!(step.events, []);
        let allowed = one_written(&step)["response"]["response"].clone();
        assert_eq!(allowed, json!({"behavior": "allow", "updatedInput": bash()}));
    }
    // A question is no leave.
    ask(&mut claude, &leave("q", "AskUserQuestion", &questions(), &json!([])));
}

#[test]
fn other_requests_are_refused_and_answers_to_ours_ignored() {
    let mut claude = running(&launch());
    for (id, request) in [
        (json!("h"), json!({"subtype": "hook_callback", "callback_id": "x"})),
        (json!("n"), json!({"subtype": "of_next_year"})),
        (json!("t"), json!({"subtype": "can_use_tool", "input": {}})),
        (json!(7), json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}})),
        (json!("x"), json!(null)),
    ] {
        let line = json!({"type": "control_request", "request_id": id, "request": request});
        let step = say(&mut claude, &line);
        assert_eq!(step.events, []);
        let refusal = one_written(&step);
        assert_eq!(refusal["response"]["subtype"], "error", "{line}");
        assert_eq!(refusal["response"]["request_id"], id);
        assert!(refusal["response"]["error"].is_string());
    }
    let lines = [
        json!({"type": "control_request", "request": {"subtype": "x"}}),
        json!({"type": "control_response", "response": {"subtype": "success", "request_id": "i"}}),
    ];
    for line in lines {
        let step = say(&mut claude, &line);
        assert!(written(&step).is_empty() && step.events.is_empty(), "{line}");
    }
}

#[test]
fn a_flood_of_questions_is_denied() {
    let mut claude = running(&launch());
    let lines: Vec<_> =
        (0..40).map(|n| leave(&format!("q{n}"), "Bash", &bash(), &json!([]))).collect();
    let asked = events(&mut claude, &lines[..32]).len();
    assert_eq!(asked, 32);
    let step = say(&mut claude, &lines[32]);
    assert_eq!(step.events, []);
    denies(&one_written(&step)["response"]["response"]);
}

fn detail(tool: &str, input: &Value) -> String {
    let mut claude = running(&launch());
    let AskKind::Permission { detail, .. } =
        ask(&mut claude, &leave("q", tool, input, &json!([]))).kind
    else {
        panic!("{tool}")
    };
    detail
}

#[test]
fn a_detail_is_whole_when_nothing_of_the_use_is_missing() {
    let whole = |command: &str| {
        let mut claude = running(&launch());
        let input = json!({"command": command, "description": "other words each time"});
        match ask(&mut claude, &leave("q", "Bash", &input, &json!([]))).kind {
            AskKind::Permission { whole, .. } => whole,
            AskKind::Plan { .. } | AskKind::Questions(_) => panic!("{command}"),
        }
    };
    assert!(whole("make test"));
    assert!(!whole("rm a\u{200b}b"), "another one would look the same");
    assert!(!whole(&"x".repeat(4_001)), "the rest is not seen");
    assert!(whole(&"x".repeat(4_000)));
}

#[test]
fn what_is_shown_for_leave_hides_nothing() {
    let edit =
        json!({"file_path": "/f", "old_string": "a\nb", "new_string": "c", "replace_all": true});
    assert_eq!(detail("Edit", &edit), "/f\n- a\n- b\n+ c\nreplace_all: true");
    let write = json!({"file_path": "/f", "content": "x\ny"});
    assert_eq!(detail("Write", &write), "/f\ncontent:\nx\ny");
    let foreign = json!({"description": "d", "path": "/p", "n": [1]});
    assert_eq!(detail("mcp__a__b", &foreign), "description: d\nn: [1]\npath: /p");
    assert_eq!(detail("Odd", &json!([1])), "[1]");
    // The model's own words could say something else than what it does.
    let lie = json!({"command": "rm -rf /\u{1b}[1A\u{202e}", "description": "list files",
        "dangerouslyDisableSandbox": true});
    assert_eq!(
        detail("Bash", &lie),
        "rm -rf /\u{fffd}[1A\u{fffd}\ndangerouslyDisableSandbox: true"
    );
}

#[test]
fn what_is_shown_for_leave_says_that_it_was_cut() {
    let long = json!({"command": format!("echo {}; rm -rf /", "字".repeat(9_000))});
    let shown = detail("Bash", &long);
    assert!(shown.chars().count() <= 4_000);
    let whole = 9_000 + "echo ; rm -rf /".len();
    let kept = shown.lines().next().unwrap().chars().count();
    assert!(shown.ends_with(&format!("\n… and {} more characters", whole - kept)), "{shown}");
    let mut claude = running(&launch());
    let plan = json!({"plan": "x".repeat(50_000)});
    let asked = ask(&mut claude, &leave("p", "ExitPlanMode", &plan, &json!([])));
    let AskKind::Plan { plan } = asked.kind else { panic!("{asked:?}") };
    assert!(plan.len() <= 20_000 && plan.ends_with("more characters"));
}

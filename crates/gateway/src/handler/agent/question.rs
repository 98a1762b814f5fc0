//! An agent's question as cards in the chat, and somebody's answer as the agent's.
//!
//! What does not fit into the card stands in messages before it: nobody gives leave for what he has
//! not seen. No answer in time means no, and the card says so. Each question ends in one way: answered, too
//! late, or taken back.

use std::time::Duration;

use larkline_agent::{Answer, Ask, AskKind, ChoiceKind, Question};
use larkline_proto::content::Outgoing;
use larkline_proto::id::OpenId;
use larkline_proto::markdown::{self, Part};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::leaves::Leaves;
use crate::ask::{Given, Look, Wording};
use crate::card::{self, Button};
use crate::live::Live;
use crate::words::{self, Lang};

/// Characters of a button that are said again.
const LABEL_CHARS_MAX: usize = 100;
/// Buttons under one question; the platform shows more, nobody reads them.
const OPTIONS_MAX: usize = 10;
/// What buttons may say together beside a text, in bytes: with more of them it stands above, as a
/// part of a text leaves that much room in a card.
const LABELS_BYTES_MAX: usize = 2 * 1024;

/// How questions are asked.
#[derive(Clone)]
pub(crate) struct Asking {
    /// The chat.
    pub(crate) live: Live,
    /// Who may answer.
    pub(crate) people: Vec<OpenId>,
    /// How long they may take.
    pub(crate) patience: Duration,
}

/// How one question ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Somebody answered.
    Given(Given),
    /// Nobody did in time.
    TooLate,
    /// No answer is needed any more.
    TakenBack,
}

/// What its card says about silence.
#[derive(Clone, Debug)]
pub(crate) struct Unanswered {
    /// While it may still be answered.
    pub(crate) until: String,
    /// When nobody did in time.
    pub(crate) too_late: String,
}

impl Asking {
    /// Asks, and waits for the answer. `withdrawn` ends it without one.
    pub(super) async fn ask(
        self,
        ask: Ask,
        leaves: Leaves,
        withdrawn: CancellationToken,
    ) -> (String, Answer) {
        if let Some(choice) = self.of_old(&ask, &leaves).await {
            return (ask.id, Answer::Choice(choice));
        }
        let choices = offered(&ask);
        let answer = match &ask.kind {
            AskKind::Permission { tool, detail, .. } => {
                let title = words::ask_title(self.live.lang(), tool);
                self.choice(title, fenced(detail), &choices, &withdrawn).await
            }
            AskKind::Plan { plan } => {
                let title = words::plan_title(self.live.lang());
                self.choice(title, plan.clone(), &choices, &withdrawn).await
            }
            AskKind::Questions(questions) => self.questions(questions, &withdrawn).await,
        };
        let Answer::Choice(choice) = answer else { return (ask.id, answer) };
        if let Err(error) = leaves.answered(&ask.kind, choice).await {
            self.live.shared().store_health.failed("put_fact", &error);
        }
        (ask.id, Answer::Choice(this_time(choice)))
    }

    /// What was answered for good when the same was asked before, in this conversation.
    async fn of_old(&self, ask: &Ask, leaves: &Leaves) -> Option<ChoiceKind> {
        let of_old = leaves.of_old(&ask.kind).await;
        let failed = |error: &_| self.live.shared().store_health.failed("fact", error);
        let choice = of_old.inspect_err(failed).ok()??;
        tracing::debug!(ask = ask.id, ?choice, "answered as before");
        Some(choice)
    }

    async fn choice(
        &self,
        title: String,
        body: String,
        choices: &[ChoiceKind],
        withdrawn: &CancellationToken,
    ) -> Answer {
        let lang = self.live.lang();
        let labels = choices.iter().map(|choice| label(lang, *choice)).collect();
        let looks: Vec<&'static str> = choices.iter().map(|choice| look(*choice)).collect();
        let wording = Wording { title, body, labels };
        match self.one(wording, &looks, &self.means_no(), withdrawn).await {
            End::Given(given) => match choices.get(given.choice) {
                Some(choice) => Answer::Choice(*choice),
                None => Answer::Nobody,
            },
            End::TooLate | End::TakenBack => Answer::Nobody,
        }
    }

    /// One after the other: a person reads one question at a time.
    async fn questions(&self, questions: &[Question], withdrawn: &CancellationToken) -> Answer {
        let mut labels = Vec::with_capacity(questions.len());
        for question in questions {
            let lang = self.live.lang();
            let options = question.options.iter().take(OPTIONS_MAX);
            let said: Vec<String> = options.map(|(label, _)| label.clone()).collect();
            let looks = vec!["default"; said.len()];
            let (title, body) = (words::question_title(lang), worded(lang, question));
            let wording = Wording { title, body, labels: said.clone() };
            match self.one(wording, &looks, &self.means_no(), withdrawn).await {
                End::Given(given) => {
                    let chosen = said.get(given.choice).cloned().into_iter().collect();
                    labels.push((question.text.clone(), chosen));
                }
                End::TooLate | End::TakenBack => return Answer::Nobody,
            }
        }
        Answer::Labels(labels)
    }

    /// Who says nothing denies.
    fn means_no(&self) -> Unanswered {
        let lang = self.live.lang();
        let wait = words::duration(lang, self.patience);
        Unanswered {
            until: words::ask_until(lang, &wait),
            too_late: words::nobody_answered(lang, &wait),
        }
    }

    /// One question from its card to its end; `looks` are those of its buttons.
    pub(crate) async fn one(
        &self,
        wording: Wording,
        looks: &[&'static str],
        unanswered: &Unanswered,
        withdrawn: &CancellationToken,
    ) -> End {
        let (lang, shared) = (self.live.lang(), self.live.shared());
        let Wording { title, body, labels } = wording;
        let (above, body) = split(&body, &labels);
        let look = Look { title, body, labels };
        let Some(mut asked) = shared.asks.open(self.people.clone(), look.clone()) else {
            return End::TooLate;
        };
        let part = format!("ask/{}", asked.id);
        for (n, text) in above.iter().enumerate() {
            if let Err(error) = self.live.say(&format!("{part}/{n}"), text.card()).await {
                shared.store_health.failed("enqueue", &error);
                return End::TooLate;
            }
        }
        let button = |(n, (label, look)): (usize, (&String, &&'static str))| Button {
            label: label.clone(),
            look,
            value: json!({ "ask": asked.id, "choose": n }),
        };
        let buttons: Vec<Button> = look.labels.iter().zip(looks).enumerate().map(button).collect();
        let above = (!above.is_empty()).then(|| words::begins_above(lang, above.len()));
        let below: Vec<String> = above.into_iter().chain([unanswered.until.clone()]).collect();
        let card = card::question(&look.title, look.body.as_ref(), &below.join("\n"), &buttons);
        if let Err(error) = self.live.say(&part, card).await {
            shared.store_health.failed("enqueue", &error);
            return End::TooLate;
        }
        let end = tokio::select! {
            biased;
            given = &mut asked.answer => given.map_or(End::TakenBack, End::Given),
            () = withdrawn.cancelled() => End::TakenBack,
            () = tokio::time::sleep(self.patience) => End::TooLate,
        };
        // From here on a pressed button hears that it is over.
        drop(asked);
        let result = match &end {
            // The answer to the pressed button shows it, and what is kept says it once more.
            End::Given(given) => {
                let label = look.labels.get(given.choice).map_or("", String::as_str);
                let label = markdown::growing(label, LABEL_CHARS_MAX);
                words::answered(lang, &label, &format!("<at id={}></at>", given.by))
            }
            End::TooLate => unanswered.too_late.clone(),
            End::TakenBack => words::withdrawn(lang),
        };
        let settled = Outgoing::card(&card::settled(&look.title, look.body.as_ref(), &result));
        if let Err(error) = self.live.say_instead(&part, settled).await {
            shared.store_health.failed("enqueue", &error);
        }
        end
    }
}

/// What may be answered. For good only what can be known again: an agent's own "always" may be wider
/// than what is shown, `git push *` for one push.
fn offered(ask: &Ask) -> Vec<ChoiceKind> {
    let for_good = Leaves::can_hold(&ask.kind);
    let kinds = ask.choices.iter().map(|choice| choice.kind);
    kinds.filter(|kind| for_good || this_time(*kind) == *kind).collect()
}

/// What an answer means to the agent: what lasts is the gateway's business.
fn this_time(choice: ChoiceKind) -> ChoiceKind {
    match choice {
        ChoiceKind::AllowOnce | ChoiceKind::AllowAlways => ChoiceKind::AllowOnce,
        ChoiceKind::DenyOnce | ChoiceKind::DenyAlways => ChoiceKind::DenyOnce,
    }
}

fn label(lang: Lang, kind: ChoiceKind) -> String {
    match kind {
        ChoiceKind::AllowOnce => words::allow(lang),
        ChoiceKind::AllowAlways => words::always(lang),
        ChoiceKind::DenyOnce => words::deny(lang),
        ChoiceKind::DenyAlways => words::never(lang),
    }
}

fn look(kind: ChoiceKind) -> &'static str {
    match kind {
        ChoiceKind::AllowOnce => "primary",
        ChoiceKind::AllowAlways => "default",
        ChoiceKind::DenyOnce | ChoiceKind::DenyAlways => "danger",
    }
}

/// What stands in messages before the card, and what in it.
fn split(body: &str, labels: &[String]) -> (Vec<Part>, Option<Part>) {
    let mut parts = markdown::parts(body);
    let is_roomy = labels.iter().map(String::len).sum::<usize>() <= LABELS_BYTES_MAX;
    let last = if is_roomy { parts.pop() } else { None };
    (parts, last)
}

/// A question with all its answers, and what the buttons cannot do.
fn worded(lang: Lang, question: &Question) -> String {
    let lines = question.options.iter().map(|(label, about)| format!("- **{label}** {about}"));
    let lines: Vec<String> = lines.collect();
    let some = |count: usize| Some(count).filter(|count| *count > 0);
    let unshown = some(question.options.len().saturating_sub(OPTIONS_MAX));
    let unshown = unshown.map(|count| words::options_without_button(lang, count));
    let left = some(question.options_left).map(|count| words::options_left(lang, count));
    let after = some(question.questions_left).map(|count| words::questions_left(lang, count));
    let only_one = question.many.then(|| words::only_one(lang));
    let limits = unshown.into_iter().chain(left).chain(only_one).chain(after);
    let paragraphs = [question.text.clone(), lines.join("\n")].into_iter().chain(limits);
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// As code, whatever is in it.
pub(crate) fn fenced(detail: &str) -> String {
    let longest = detail.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{detail}\n{fence}")
}

#[cfg(test)]
mod tests {
    use larkline_agent::Choice;

    use super::*;

    fn kinds(kind: AskKind) -> Vec<ChoiceKind> {
        let all = [
            ChoiceKind::AllowOnce,
            ChoiceKind::AllowAlways,
            ChoiceKind::DenyOnce,
            ChoiceKind::DenyAlways,
        ];
        let choices = all.map(|kind| Choice { id: String::new(), kind }).to_vec();
        offered(&Ask { id: "1".to_owned(), kind, choices })
    }

    #[test]
    fn what_is_not_seen_as_a_whole_is_answered_for_this_time_only() {
        let of = |whole| AskKind::Permission { tool: "Bash".into(), detail: "a".into(), whole };
        assert_eq!(kinds(of(true)).len(), 4);
        let once = [ChoiceKind::AllowOnce, ChoiceKind::DenyOnce];
        assert_eq!(kinds(of(false)), once);
        assert_eq!(kinds(AskKind::Plan { plan: "1.".into() }), once);
    }

    #[test]
    fn nothing_of_what_is_asked_about_is_left_out() {
        let plan: String = (0..2_000).map(|n| format!("{n}. 一步一步来，第 {n} 步\n")).collect();
        let (above, last) = split(&plan, &["Allow".to_owned()]);
        assert!(!above.is_empty());
        let shown: String = above.iter().chain(&last).map(|part| part.markdown.clone()).collect();
        for n in 0..2_000 {
            assert!(shown.contains(&format!("第 {n} 步")), "{n}");
        }
        let card = card::question("t", last.as_ref(), "", &[]);
        assert!(card.content.contains("第 1999 步"), "the end stands over the buttons");
        assert_eq!(split("short", &["Allow".to_owned()]).0, []);
        let (above, last) = split("short", &vec!["长".repeat(200); 10]);
        assert_eq!((above.len(), last), (1, None), "the buttons need the room");
    }

    #[test]
    fn a_question_says_what_its_buttons_cannot_do() {
        let options = |count: usize| (0..count).map(|n| (format!("o{n}"), String::new())).collect();
        let mut question = Question {
            text: "Which?".into(),
            header: String::new(),
            options: options(12),
            many: true,
            options_left: 4,
            questions_left: 3,
        };
        let text = worded(Lang::En, &question);
        assert!(text.contains("o11"), "{text}");
        assert!(text.contains("The last 2 have no button"), "{text}");
        assert!(text.contains("only one"), "{text}");
        assert!(text.contains("4 more answers were left out"), "{text}");
        assert!(text.contains("3 more questions were left out"), "{text}");
        let (options_left, questions_left) = (0, 0);
        question = Question {
            options: options(10),
            many: false,
            options_left,
            questions_left,
            ..question
        };
        assert!(worded(Lang::En, &question).ends_with("- **o9** "));
    }
}

//! An agent's question as cards in the chat, and somebody's answer as the agent's.
//!
//! No answer in time means no, and the card says so. Each question ends in one way: answered, too
//! late, or taken back.

use std::time::Duration;

use larkline_agent::{Answer, Ask, AskKind, ChoiceKind, Question};
use larkline_proto::content::Outgoing;
use larkline_proto::id::OpenId;
use larkline_proto::markdown;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::leaves::Leaves;
use crate::ask::{Given, Look};
use crate::card::{self, Button};
use crate::live::Live;
use crate::words::{self, Lang};

/// Characters of a button that are said again.
const LABEL_CHARS_MAX: usize = 100;
/// Buttons under one question; the platform shows more, nobody reads them.
const OPTIONS_MAX: usize = 10;

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
        let look = Look { title, body, labels };
        match self.one(look, &looks, &self.means_no(), withdrawn).await {
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
            let options = question.options.iter().take(OPTIONS_MAX);
            let said: Vec<String> = options.clone().map(|(label, _)| label.clone()).collect();
            let lines = options.map(|(label, about)| format!("- **{label}** {about}"));
            let body = format!("{}\n\n{}", question.text, lines.collect::<Vec<_>>().join("\n"));
            let look =
                Look { title: words::question_title(self.live.lang()), body, labels: said.clone() };
            let looks = vec!["default"; said.len()];
            match self.one(look, &looks, &self.means_no(), withdrawn).await {
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
        look: Look,
        looks: &[&'static str],
        unanswered: &Unanswered,
        withdrawn: &CancellationToken,
    ) -> End {
        let (lang, shared) = (self.live.lang(), self.live.shared());
        let Some(mut asked) = shared.asks.open(self.people.clone(), look.clone()) else {
            return End::TooLate;
        };
        let button = |(n, (label, look)): (usize, (&String, &&'static str))| Button {
            label: label.clone(),
            look,
            value: json!({ "ask": asked.id, "choose": n }),
        };
        let buttons: Vec<Button> = look.labels.iter().zip(looks).enumerate().map(button).collect();
        let card = card::question(&look.title, &look.body, &unanswered.until, &buttons);
        let part = format!("ask/{}", asked.id);
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
        let settled = Outgoing::card(&card::settled(&look.title, &look.body, &result));
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
}

//! What the simulator's ledger and the gateway's own books say about a town's messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use larkline_proto::id::MessageId;
use larkline_sim::{EventRow, Ledger, MessageRow};

use super::town::{Chat, Kind, Message, Town};
use crate::rig::{PATIENCE, read, text};

/// So often books that do not add up are looked at again before it is a finding,
const LOOKS: usize = 50;
/// with this between.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What was found wrong, a sentence each.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) messages: usize,
    /// Answered with a notice that it failed: an outcome, though nobody's favourite.
    pub(super) failed: usize,
    pub(super) lost: Vec<String>,
    pub(super) doubled: Vec<String>,
    pub(super) disordered: Vec<String>,
    pub(super) other: Vec<String>,
}

impl Judgement {
    /// Fails with everything that was found.
    pub(super) fn must_be_clean(&self, log: &str) {
        let Self { lost, doubled, disordered, other, .. } = self;
        let found = [lost.len(), doubled.len(), disordered.len(), other.len()];
        assert!(
            found == [0; 4],
            "lost {lost:#?}\ndoubled {doubled:#?}\nout of order {disordered:#?}\nother {other:#?}\nlog:\n{log}"
        );
    }
}

impl Town {
    /// Waits until every message is acked and answered and every event has its verdict, then
    /// judges.
    pub(super) async fn judge(&mut self) -> Judgement {
        while self.presses.join_next().await.is_some() {}
        let ids: Vec<MessageId> =
            self.messages().map(|(_, message)| message.said.message_id.clone()).collect();
        let complete = |ledger: &Ledger| {
            ledger.messages.len() >= ids.len() && {
                let answered: BTreeSet<_> = ledger
                    .messages
                    .iter()
                    .filter(answers)
                    .filter_map(|m| m.reply_to.as_ref())
                    .collect();
                let mut messages = ledger.events.iter().filter(|e| e.message_id.is_some());
                ids.iter().all(|id| answered.contains(id)) && messages.all(|e| e.done)
            }
        };
        // One that never comes is a finding, not a failure of the wait.
        drop(self.rig.sim.platform().wait_for(complete, PATIENCE).await);
        let problems = self.settled_books().await;
        let mut judgement = Judgement { messages: ids.len(), ..Judgement::default() };
        let ledger = self.rig.sim.platform().ledger();
        let runs = read(&self.rig.path("once.runs"));
        for chat in &self.chats {
            judge_chat(chat, &ledger, &runs, &mut judgement);
        }
        judgement.other.extend(ledger.violations.iter().cloned());
        judgement.other.extend(problems);
        if let Some((_, lost)) = self.messages().find(|(_, m)| {
            judgement.lost.iter().any(|lost| lost.contains(m.said.message_id.as_str()))
        }) {
            let told = self.rig.cli(&["explain", lost.said.message_id.as_str()]).await;
            judgement.other.push(format!("{}{}", text(&told.stdout), text(&told.stderr)));
        }
        judgement
    }

    /// What is wrong with the gateway's books, once what is still on its way (events of the bot's own
    /// reactions come after the answers) had time to arrive between one look and the next.
    async fn settled_books(&self) -> Vec<String> {
        for _ in 0..LOOKS {
            let tally = self.rig.tally().await;
            // Aged books have lost their oldest rows.
            if self.aged || self.books(&self.rig.sim.platform().ledger(), &tally).is_empty() {
                return Vec::new();
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let tally = self.rig.tally().await;
        self.books(&self.rig.sim.platform().ledger(), &tally)
    }

    /// The gateway's books: every acked event is in them, none waits, and the tally is the sum
    /// of the rows.
    fn books(&self, ledger: &Ledger, tally: &BTreeMap<String, u64>) -> Vec<String> {
        let path = self.rig.path("state/larkline.db");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let books = rusqlite::Connection::open_with_flags(path, flags).unwrap();
        let mut query =
            books.prepare("SELECT event_id, verdict, why, message_id FROM inbox").unwrap();
        let rows = query.query_map([], |row| {
            let verdict: (String, String) = (row.get(1)?, row.get(2)?);
            Ok((row.get::<_, String>(0)?, verdict, row.get::<_, Option<String>>(3)?))
        });
        let (mut known, mut counts) = (BTreeSet::new(), BTreeMap::<String, u64>::new());
        for (id, (verdict, why), message) in rows.unwrap().map(Result::unwrap) {
            let name = if why.is_empty() { verdict } else { format!("{verdict}/{why}") };
            *counts.entry(name).or_default() += 1;
            known.insert(id);
            known.extend(message);
        }
        let mut problems = Vec::new();
        let acked = ledger.events.iter().filter(|event| event.done);
        let is_known = |event: &&EventRow| {
            // A duplicate under another event id is known by its message.
            let message = event.message_id.as_ref().map(|id| id.as_str());
            known.contains(event.event_id.as_str()) || message.is_some_and(|id| known.contains(id))
        };
        for event in acked.filter(|event| !is_known(event)) {
            problems.push(format!("{} {} was acked and is in no book", event.kind, event.event_id));
        }
        let mut tally = tally.clone();
        tally.remove("filtered/duplicate");
        if tally != counts {
            problems.push(format!("the tally says {tally:?}, the rows are {counts:?}"));
        }
        problems
    }
}

fn judge_chat(chat: &Chat, ledger: &Ledger, runs: &str, judgement: &mut Judgement) {
    let Some(Message { said, .. }) = chat.said.first() else { return };
    let answers: Vec<_> = ledger.in_chat(&said.chat_id).filter(answers).collect();
    for message in &chat.said {
        let Message { said, words, during } = message;
        let id = &said.message_id;
        let about = format!("{:?} `{words}` {id}, written during {during}", chat.kind);
        let texts: Vec<&str> = answers
            .iter()
            .filter(|answer| answer.reply_to.as_ref() == Some(id))
            .filter_map(|answer| answer.text.as_deref())
            .collect();
        match texts[..] {
            [] => judgement.lost.push(about.clone()),
            [one] if fits(chat.kind, message, one) => {}
            [one] if one.starts_with("⚠️") => judgement.failed += 1,
            [one] => judgement.other.push(format!("{about}: answered `{one}`")),
            _ => judgement.doubled.push(format!("{about}: {texts:?}")),
        }
        if !ledger.event(&said.event_id).is_some_and(|event| event.done) {
            judgement.other.push(format!("{about}: never acked"));
        }
        let times = runs.lines().filter(|line| *line == id.as_str()).count();
        if chat.kind == Kind::Once && times > 1 {
            judgement.doubled.push(format!("{about}: ran {times} times"));
        }
    }
    let order = answers.iter().filter_map(|answer| answer.reply_to.as_ref());
    let wanted: Vec<_> = chat.said.iter().map(|message| &message.said.message_id).collect();
    let heard: Vec<_> = order.collect();
    // Later answers come in the order in which the service has them.
    let ordered = !matches!(chat.kind, Kind::Later | Kind::Never);
    if ordered && heard.len() == wanted.len() && heard != wanted {
        judgement.disordered.push(format!("{:?} of {}: {heard:?}", chat.kind, chat.who));
    }
    let stray = answers.len() - heard.len();
    if stray > 0 {
        judgement.other.push(format!("{:?}: {stray} messages that answer nothing", chat.kind));
    }
}

/// An answer, and no word on how long one will take.
fn answers(message: &&MessageRow) -> bool {
    !message.text.as_deref().is_some_and(|text| text.starts_with('⏳'))
}

fn fits(kind: Kind, message: &Message, answer: &str) -> bool {
    let done = format!("done {}", message.said.message_id);
    match kind {
        Kind::Echo | Kind::Group | Kind::Now | Kind::Later => answer == message.words,
        Kind::File | Kind::Agent => answer.contains(&message.words),
        Kind::Work => answer == done,
        Kind::Once => answer == done || answer.contains("(interrupted)"),
        Kind::Never => answer.contains("(no_reply)"),
    }
}

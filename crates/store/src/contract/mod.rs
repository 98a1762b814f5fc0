//! The laws of [`Store`]: what every backend promises, as functions over a fresh store.
//!
//! A backend's tests call [`store_laws!`](crate::store_laws) with a function that opens an empty
//! store; each law becomes a test of its own. Not here: what only one backend can show (disk
//! full, kill, query plans).

#![expect(clippy::unwrap_used, reason = "a law that fails panics: these functions are tests")]
#![expect(clippy::missing_panics_doc, reason = "every law panics when it is broken, as said here")]

pub mod clock;
pub mod conversations;
pub mod history;
pub mod intake;
pub mod jobs;
pub mod lists;
pub mod merging;
pub mod outbox;
pub mod recalls;
pub mod sessions;
pub mod tasks;
pub mod verdicts;

use std::collections::BTreeMap;

use crate::{
    Store,
    inbox::{Accepted, Decision, InboxId, NewEvent, RouteDecision, Ruling, event_key, message_key},
    outbox::{ClaimedOutbox, NewOutbox, OutboxClaim, OutboxSettlement},
    record::Tally,
    task::{ClaimedTask, NewTask, TaskClaim, TaskSettlement},
};

/// Makes a test of every law. `$open` names a function that answers a future of a fresh [`Store`] and
/// something to keep alive while it is used.
#[macro_export]
macro_rules! store_laws {
    ($open:path) => {
        $crate::store_laws! { @tests $open,
            intake::accepted_events_come_back_in_order_as_they_were,
            intake::a_repeated_key_makes_no_second_event,
            intake::a_batch_recognises_its_own_repeats,
            intake::a_new_key_beside_a_known_one_leads_to_the_known_event,
            intake::a_key_named_twice_is_one_key,
            intake::keys_belong_to_one_app,
            intake::equal_texts_are_two_events,
            intake::a_second_decision_is_ignored,
            intake::a_notice_comes_with_its_decision,
            intake::a_ruling_with_its_event_is_as_good_as_a_later_one,
            intake::a_ruling_about_a_repetition_is_dropped,
            intake::an_event_is_not_decided_before_an_older_one,
            tasks::a_lane_runs_one_task_at_a_time_in_order_of_events,
            tasks::the_oldest_lanes_go_first,
            tasks::a_lane_belongs_to_one_handler,
            tasks::a_task_waits_until_it_is_due,
            tasks::tasks_of_apps_that_nobody_serves_stay_and_are_named,
            tasks::a_retrying_head_blocks_its_lane,
            tasks::a_dead_head_lets_its_lane_go_on,
            tasks::a_head_in_hand_stays_the_only_head,
            tasks::a_lane_that_is_given_up_has_a_head_again,
            tasks::a_lapsed_lease_is_claimed_again_and_fenced,
            tasks::an_extended_lease_does_not_lapse,
            tasks::a_fenced_settlement_writes_nothing,
            tasks::a_release_uses_up_no_attempt,
            tasks::a_claim_tells_how_the_attempt_before_ended,
            tasks::a_second_run_repeats_no_reply,
            tasks::a_late_reply_completes_its_task_once,
            tasks::waiting_tasks_are_counted_by_handler,
            tasks::waiting_tasks_of_a_handler_can_be_given_up,
            tasks::those_next_in_line_are_told_in_order,
            tasks::an_awaiting_task_dies_when_its_time_is_over,
            clock::what_waits_follows_a_clock_that_is_set_back,
            clock::what_is_in_hand_outlives_a_clock_that_is_set_back,
            clock::a_lease_that_nobody_holds_lapses_by_the_clock_as_it_is,
            clock::what_was_stamped_by_the_clock_as_it_is_stays,
            clock::a_clock_found_set_back_is_not_found_so_by_each_start,
            jobs::jobs_are_listed_newest_first_as_they_stand,
            jobs::a_waiting_task_can_be_withdrawn,
            recalls::a_recalled_message_leaves_its_lane,
            recalls::a_recalled_task_is_withdrawn_not_done,
            recalls::a_recalled_message_in_hand_is_told_and_goes_on,
            recalls::a_recalled_message_that_was_half_answered_keeps_its_answer,
            outbox::a_lane_sends_one_row_at_a_time_in_order,
            outbox::priority_goes_before_age,
            outbox::what_is_due_later_waits_also_at_the_head_of_its_lane,
            outbox::only_what_is_due_by_then_is_leaving,
            outbox::an_urgent_row_goes_before_others_of_its_lane,
            outbox::what_waits_is_replaced_until_it_was_tried,
            outbox::a_busy_lane_takes_turns_with_the_others,
            outbox::an_app_sees_its_own_rows,
            outbox::a_repeated_key_inserts_nothing,
            outbox::a_retry_keeps_its_uuid_and_blocks_its_lane,
            outbox::a_throttled_attempt_does_not_count,
            clock::the_time_of_a_uuid_follows_a_clock_that_is_set_back,
            outbox::a_replacement_is_due_at_once_with_its_own_uuid,
            outbox::what_was_looked_for_is_delivered_or_sent_anew,
            outbox::a_dead_row_lets_its_lane_go_on,
            outbox::a_lapsed_send_is_claimed_again_and_fenced,
            outbox::an_extended_send_does_not_lapse,
            outbox::a_row_is_found_by_its_key_with_what_became_of_it,
            outbox::rows_are_found_by_their_event,
            verdicts::the_equation_holds_after_every_step,
            verdicts::an_event_waits_for_its_last_row,
            verdicts::the_settlement_that_decides_a_verdict_returns_it,
            verdicts::a_filtered_event_stays_filtered,
            verdicts::a_failure_keeps_its_code,
            verdicts::a_retried_dead_letter_waits_again,
            verdicts::a_dropped_dead_letter_stays_failed,
            verdicts::a_retried_row_keeps_its_uuid_and_its_first_attempt,
            lists::a_boot_knows_how_the_previous_one_ended,
            lists::starts_are_counted,
            lists::a_boot_gives_back_what_the_previous_one_held,
            lists::an_owner_gives_back_its_leases,
            lists::the_next_due_moment_is_the_earliest_to_come,
            lists::depths_count_what_waits,
            lists::what_waits_and_what_was_handled_last_are_known,
            lists::arrivals_are_told_oldest_first,
            lists::records_are_listed_newest_first,
            lists::chats_are_counted_and_named,
            history::an_event_is_over_with_its_verdict_and_when_it_is_gone,
            history::a_history_forgets_nothing,
            history::a_history_tells_what_was_cut_off,
            history::each_event_has_the_times_of_its_own_ack,
            history::an_event_is_found_by_every_id_and_by_words,
            lists::a_fact_is_kept_under_its_name,
            merging::those_behind_the_head_are_told_in_order,
            merging::a_merged_task_leaves_its_lane_and_never_runs,
            merging::only_what_waits_behind_in_the_lane_is_merged,
            merging::a_merged_event_gets_its_verdict_with_the_heads,
            merging::a_merged_event_fails_and_lives_again_with_the_heads,
            merging::merged_events_follow_over_several_lanes,
            merging::an_event_merged_with_itself_waits_for_nothing_else,
            merging::a_second_run_answers_what_was_merged_before_it,
            sessions::a_key_has_one_current_session_after_another,
            sessions::every_step_has_its_time_and_cause,
            sessions::an_illegal_step_is_refused_and_writes_nothing,
            sessions::a_session_that_was_chosen_again_takes_the_place_of_the_current_one,
            sessions::what_is_known_of_a_session_grows_with_its_turns,
            sessions::an_agents_former_id_stays_known,
            sessions::a_session_left_in_a_turn_is_suspended_by_the_next_boot,
            sessions::starting_often_clears_nothing,
            sessions::only_what_is_idle_longer_is_completed,
            conversations::a_session_is_forgotten_with_its_facts,
            sessions::handlers_with_idle_sessions_are_known,
            sessions::sessions_are_listed_by_their_last_use,
            conversations::sessions_that_are_over_or_unused_are_forgotten,
            conversations::a_conversation_goes_on_after_a_restart_and_begins_anew_with_its_session,
            conversations::a_second_run_does_not_double_what_was_said,
            conversations::a_long_conversation_keeps_its_newest_part,
            lists::pruning_takes_what_is_finished_and_old,
            lists::pruning_leaves_dead_letters_until_somebody_decides,
            lists::what_follows_a_dead_letter_is_kept_with_it,
            lists::what_is_done_to_messages_is_not_listed_among_them,
            lists::a_number_is_not_used_twice,
            lists::a_closed_store_says_so,
        }
    };
    (@tests $open:path, $($module:ident :: $law:ident,)+) => {$(
        #[tokio::test]
        async fn $law() {
            let (store, _kept) = $open().await;
            $crate::contract::$module::$law(&store).await;
        }
    )+};
}

/// The one app of most laws.
const APP: &str = "main";
/// The one handler of most laws.
const HANDLER: &str = "echo";

/// The `n`-th message, in chat `oc_1`, received at `n` ms.
fn event(n: i64) -> NewEvent {
    let (event_id, message_id) = (format!("ev_{n}"), format!("om_{n}"));
    NewEvent {
        app: APP.into(),
        keys: vec![event_key(&event_id), message_key(&message_id)],
        event_id: event_id.into(),
        kind: "im.message.receive_v1".into(),
        message_id: Some(message_id.into()),
        chat_id: Some("oc_1".into()),
        chat_type: Some("group".into()),
        sender: Some("ou_1".into()),
        created_ms: n,
        received_ms: n,
        preview: format!("text {n}"),
        payload: format!("payload {n}").into_bytes(),
        boot_id: "boot-1".into(),
        ruling: None,
    }
}

/// Accepts an event that is new.
async fn accepted(store: &dyn Store, event: NewEvent) -> InboxId {
    match store.accept(vec![event].into()).await.unwrap()[..] {
        [Accepted::New(id)] => id,
        ref other => unreachable!("expected a new event, got {other:?}"),
    }
}

async fn decide(store: &dyn Store, inbox: InboxId, decision: Decision) {
    store
        .route(vec![RouteDecision { inbox, ruling: Ruling { at_ms: 1, decision, notice: None } }])
        .await
        .unwrap();
}

fn new_task(handler: &str, lane: &str, due_ms: i64) -> NewTask {
    NewTask { route: "all".into(), handler: handler.into(), lane: lane.into(), due_ms }
}

/// Accepts the `n`-th event and queues one task for it.
async fn queued(store: &dyn Store, n: i64, lane: &str) -> InboxId {
    let inbox = accepted(store, event(n)).await;
    decide(store, inbox, Decision::Queue(vec![new_task(HANDLER, lane, 0)])).await;
    inbox
}

/// Claims at most `limit` tasks at `now_ms`, for a thousand milliseconds.
async fn claim(store: &dyn Store, limit: usize, now_ms: i64) -> Vec<ClaimedTask> {
    let (handler, owner) = (HANDLER.into(), "boot-1".into());
    let until_ms = now_ms + 1_000;
    store
        .claim_tasks(TaskClaim {
            handler,
            without: Vec::new(),
            limit,
            now_ms,
            until_ms,
            owner,
            once: false,
        })
        .await
        .unwrap()
}

/// Claims the one task that can be had.
async fn claim_one(store: &dyn Store, now_ms: i64) -> ClaimedTask {
    let mut tasks = claim(store, 10, now_ms).await;
    assert_eq!(tasks.len(), 1, "one task is due at {now_ms}");
    tasks.remove(0)
}

fn done(replies: Vec<NewOutbox>, at_ms: i64) -> TaskSettlement {
    TaskSettlement::Done { replies, at_ms }
}

fn dead(code: &str, at_ms: i64) -> TaskSettlement {
    let (code, error) = (code.into(), "it broke".into());
    TaskSettlement::Dead { at_ms, code, error, notices: Vec::new() }
}

/// An outgoing message that answers nothing, made at 1 ms.
fn message(key: &str, lane: &str) -> NewOutbox {
    NewOutbox {
        app: APP.into(),
        inbox: None,
        task: None,
        key: key.into(),
        lane: lane.into(),
        uuid: format!("uuid-{key}"),
        priority: 0,
        preview: format!("answer {key}"),
        body: format!("body {key}").into_bytes(),
        created_ms: 1,
        due_ms: 0,
    }
}

/// Claims at most `limit` outbox rows at `now_ms`, for a thousand milliseconds.
async fn claim_rows(store: &dyn Store, limit: usize, now_ms: i64) -> Vec<ClaimedOutbox> {
    let (app, owner) = (APP.into(), "boot-1".into());
    let until_ms = now_ms + 1_000;
    store.claim_outbox(OutboxClaim { app, limit, now_ms, until_ms, owner }).await.unwrap()
}

/// Claims the one row that can be had.
async fn claim_row(store: &dyn Store, now_ms: i64) -> ClaimedOutbox {
    let mut rows = claim_rows(store, 10, now_ms).await;
    assert_eq!(rows.len(), 1, "one row is due at {now_ms}");
    rows.remove(0)
}

fn delivered(message_id: &str, at_ms: i64) -> OutboxSettlement {
    OutboxSettlement::Delivered { at_ms, message_id: message_id.into(), log_id: "log-1".into() }
}

fn undeliverable(code: &str, at_ms: i64) -> OutboxSettlement {
    let (code, error, log_id) = (code.into(), "refused".into(), "log-2".into());
    OutboxSettlement::Dead { at_ms, code, error, log_id }
}

/// Deliveries by verdict, reasons and apps together.
async fn verdicts(store: &dyn Store) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for Tally { verdict, count, .. } in store.tally().await.unwrap() {
        *sums.entry(verdict).or_insert(0) += count;
    }
    sums
}

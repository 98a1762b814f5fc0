//! Reads the conditions of all rules from what the gateway knows anyway. Nothing here calls the
//! platform.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larkline_client::link::{LinkStatus, State};

use super::disk::Disk;
use super::engine::{Reading, Standing};
use super::health::HandlerHealth;
use super::last_words;
use super::late::Late;
use super::rule::Rule;
use super::storm::Storm;
use super::words::one_line;
use crate::both::Both;
use crate::config::Config;
use crate::link_fault;
use crate::pressure::Subject;
use crate::proof::{self, Proof, Standing as ProofStanding};
use crate::say_in;
use crate::shared::{AppRuntime, Shared};
use crate::words::{self, Lang};

/// Who is meant when it is nobody in particular.
pub(super) const GATEWAY: &str = "gateway";
/// A child that was over its limit is an alert for so long after the last one.
const OVER_LIMIT_FOR_MS: i64 = 10 * 60 * 1000;
/// What the platform says to wrong ids and secrets, apps of the other platform, disabled apps.
const CREDENTIALS: [i64; 4] = [1_000_040_344, 1_000_040_345, 1_000_040_351, 403];

/// Reads conditions, and remembers what only time can tell.
#[derive(Debug, Default)]
pub(super) struct Sources {
    storms: BTreeMap<String, Storm>,
    disk: Disk,
    late: Late,
}

impl Sources {
    /// All readings of this moment.
    pub(super) async fn read(
        &mut self,
        shared: &Shared,
        apps: &[Arc<AppRuntime>],
        now_ms: i64,
    ) -> Vec<Reading> {
        let config = shared.config.load_full();
        let mut readings = Vec::new();
        for app in apps {
            // Copied out: holding the borrow would hold up the link's own task.
            let link = app.link.status().borrow().clone();
            let seen = Seen { app: &app.name, link: &link, config: &config };
            readings.extend(seen.link(shared.started_ms, now_ms));
            readings.extend(seen.deaf(&app.proofs.list(&link)));
            readings.extend(self.storm(&seen, shared.started_ms, now_ms));
            readings.extend(running_out(app, &config, now_ms));
        }
        self.disk.ask(shared, &config, now_ms).await;
        readings.extend(self.disk.readings(shared, &config));
        readings.extend(self.late.readings(&shared.unanswered.list(), &named(shared)));
        readings.extend(queue(shared, &config));
        readings.extend(seen_in_passing(shared, &config, now_ms));
        readings.extend(shared.alerts.telling(&config));
        readings.extend(last_words::not_yet_over(shared, apps));
        readings
    }

    fn storm(&mut self, seen: &Seen<'_>, started_ms: i64, now_ms: i64) -> Option<Reading> {
        let (app, connects) = (seen.app, seen.link.counters.connects);
        let begun = || Storm::begin(started_ms, now_ms, connects);
        let new = self.storms.entry(app.to_owned()).or_insert_with(begun).look(now_ms, connects);
        let most = u64::from(seen.config.alerts.threshold(Rule::ReconnectStorm));
        (new >= most).then(|| {
            bad(Rule::ReconnectStorm, app, |lang| {
                say_in!(lang,
                    zh: "应用 {app}：十分钟内重新连接了 {new} 次",
                    en: "app {app}: reconnected {new} times within ten minutes"
                )
            })
        })
    }
}

/// One app's link, as it is.
struct Seen<'a> {
    app: &'a str,
    link: &'a LinkStatus,
    config: &'a Config,
}

impl Seen<'_> {
    fn link(&self, started_ms: i64, now_ms: i64) -> Vec<Reading> {
        let (app, link) = (self.app, self.link);
        let mut readings: Vec<Reading> = self.pong(started_ms, now_ms).into_iter().collect();
        if link.is_verified() {
            return readings;
        }
        let fault = link.last_fault.as_ref().map(link_fault::in_full);
        let fault = |lang: Lang| match &fault {
            Some(fault) => format!("{}{}", lang.either("：", ": "), fault.text(lang)),
            None => String::new(),
        };
        let state = link.state.as_str();
        readings.push(bad(Rule::LinkDown, app, |lang| {
            say_in!(lang,
                zh: "应用 {app}：连接未经验证（{state}）{fault}",
                en: "app {app}: the link is not verified ({state}){fault}",
                state = words::link_state(lang, state), fault = fault(lang)
            )
        }));
        let attempts = link.attempt;
        readings.push(match attempts >= self.config.link.alarm_after {
            true => bad(Rule::ReconnectsFailing, app, |lang| {
                say_in!(lang,
                    zh: "应用 {app}：连续 {attempts} 次连接失败{fault}",
                    en: "app {app}: {attempts} attempts to connect failed in a row{fault}",
                    fault = fault(lang)
                )
            }),
            // After a restart the count begins anew, and nothing is better.
            false => unknown(Rule::ReconnectsFailing, app),
        });
        let code = link.last_fault.as_ref().map_or("", |fault| fault.cause.code());
        let number = link.last_fault.as_ref().and_then(|fault| fault.platform_code);
        for (rule, is_it) in [
            (Rule::CertificateRefused, code.starts_with("tls_")),
            (
                Rule::CredentialsRefused,
                code == "refused" && number.is_some_and(|n| CREDENTIALS.contains(&n)),
            ),
        ] {
            readings.push(match is_it {
                true => bad(rule, app, |lang| {
                    say_in!(lang,
                        zh: "应用 {app}{fault}", en: "app {app}{fault}", fault = fault(lang)
                    )
                }),
                false => unknown(rule, app),
            });
        }
        readings
    }

    /// A ping is sent each interval and answered within the timeout; what is older is missing.
    fn pong(&self, started_ms: i64, now_ms: i64) -> Option<Reading> {
        let (app, link) = (self.app, self.link);
        let due_ms = link.ping_interval_ms.saturating_add(link.heartbeat.pong_timeout_ms);
        // Before the first answer the settings may not be known either.
        let last_ms = link.last_pong_at_ms.unwrap_or(started_ms);
        let age_ms = u64::try_from(now_ms - last_ms).unwrap_or(0);
        if age_ms <= due_ms {
            return None;
        }
        if !matches!(link.state, State::Upgraded | State::Verified | State::Stale) {
            // There is nobody to answer: that is another rule's.
            return Some(unknown(Rule::PongMissing, app));
        }
        let age_s = age_ms / 1000;
        Some(bad(Rule::PongMissing, app, |lang| {
            say_in!(lang,
                zh: "应用 {app}：{age_s} 秒没有收到心跳应答",
                en: "app {app}: no answer to a ping for {age_s} s"
            )
        }))
    }

    fn deaf(&self, proofs: &[Proof]) -> Option<Reading> {
        let app = self.app;
        if !self.link.is_verified() {
            return Some(unknown(Rule::Deaf, app));
        }
        let failing = proof::weakest_failing(proofs);
        let known = proofs.iter().any(|p| p.name != "pong" && p.standing == ProofStanding::Holds);
        match failing {
            Some(proof) => Some(bad(Rule::Deaf, app, |lang| {
                say_in!(lang,
                    zh: "应用 {app}：证明 `{name}` 不成立：{detail}",
                    en: "app {app}: the proof `{name}` fails: {detail}",
                    name = proof.name, detail = proof.detail(lang)
                )
            })),
            // After a restart nothing was asked yet; an event is an answer too.
            None if known || self.link.last_event_at_ms.is_some() => None,
            None => Some(unknown(Rule::Deaf, app)),
        }
    }
}

/// Late messages with an alert of their own.
fn named(shared: &Shared) -> BTreeSet<String> {
    let engine = shared.alerts.engine();
    let late = engine.firing().into_iter().filter(|alert| alert.rule == Rule::Unanswered);
    late.map(|alert| alert.subject.clone()).collect()
}

fn queue(shared: &Shared, config: &Config) -> Option<Reading> {
    let most = config.limits.queue_max;
    let words = |lang| {
        say_in!(lang,
            zh: "等待的消息超过 `limits.queue_max`（{most}）",
            en: "more messages wait than `limits.queue_max` ({most}) allows"
        )
    };
    shared.overfull.load(Ordering::Relaxed).then(|| bad(Rule::QueueFull, GATEWAY, words))
}

fn seen_in_passing(shared: &Shared, config: &Config, now_ms: i64) -> Vec<Reading> {
    let seen = shared.health.seen(now_ms);
    let mut readings = Vec::new();
    let most = config.alerts.threshold(Rule::HandlerDown);
    let run_ms = now_ms - shared.started_ms;
    for handler in config.handlers.keys() {
        let health = seen.handlers.get(handler).cloned().unwrap_or_default();
        readings.extend(handler_down(handler, &health, most));
        readings.extend(over_limit(handler, &health, now_ms, run_ms));
    }
    for (app, used_up) in &seen.quota_used_up {
        if *used_up {
            readings.push(bad(Rule::QuotaUsedUp, app, |lang| {
                say_in!(lang,
                    zh: "应用 {app}：本月 API 调用额度已用完（99991403）",
                    en: "app {app}: this month's API calls are used up (99991403)"
                )
            }));
        }
    }
    for app in config.apps.iter().filter(|app| !seen.quota_used_up.contains_key(&app.name)) {
        readings.push(unknown(Rule::QuotaUsedUp, &app.name));
    }
    readings.extend(seen.pressure.iter().map(|(Subject { who, what }, (value, limit))| {
        let (rule, unit, shift) = match *what {
            "memory" => (Rule::HighMemory, "MiB", 20),
            _ => (Rule::HighCpu, "%", 0),
        };
        let (value, limit) = (value >> shift, limit >> shift);
        bad(rule, who, |lang| {
            say_in!(lang,
                zh: "{who} 的 {what} 用量 {value} {unit}，超过 {limit} {unit}",
                en: "{what} of {who}: {value} {unit}, over {limit} {unit}"
            )
        })
    }));
    readings
}

fn handler_down(handler: &str, health: &HandlerHealth, most: u32) -> Option<Reading> {
    let (failures, code) = (health.failures, &health.code);
    if failures < most {
        // After a restart the count begins anew, and nothing is better until it succeeds.
        return (!health.succeeded).then(|| unknown(Rule::HandlerDown, handler));
    }
    Some(bad(Rule::HandlerDown, handler, |lang| {
        say_in!(lang,
            zh: "处理器 {handler} 连续失败 {failures} 次（{code}）",
            en: "handler {handler} failed {failures} times in a row ({code})"
        )
    }))
}

fn over_limit(handler: &str, health: &HandlerHealth, now_ms: i64, run_ms: i64) -> Option<Reading> {
    let Some((at_ms, code)) = &health.over_limit else {
        // One of the run before may not be over yet.
        let is_young = (0..OVER_LIMIT_FOR_MS).contains(&run_ms);
        return is_young.then(|| unknown(Rule::ChildOverLimit, handler));
    };
    (now_ms - at_ms < OVER_LIMIT_FOR_MS).then(|| {
        bad(Rule::ChildOverLimit, handler, |lang| {
            say_in!(lang,
                zh: "处理器 {handler} 的子进程超出限制（{code}）",
                en: "a child of handler {handler} was over its limit ({code})"
            )
        })
    })
}

/// A condition that holds.
pub(super) fn bad(rule: Rule, subject: &str, words: impl Fn(Lang) -> String) -> Reading {
    let (subject, what) = (subject.to_owned(), Both::each(|lang| one_line(&words(lang))));
    Reading { rule, subject, standing: Standing::Bad, level: 0, what }
}

/// Much of the month's calls is used; worse at each step.
fn running_out(app: &AppRuntime, config: &Config, now_ms: i64) -> Option<Reading> {
    let quota = config.quota_of(&app.name)?;
    let month = app.quota.month(&app.api, Some(quota), now_ms);
    let least = u64::from(config.alerts.threshold(Rule::QuotaRunningOut));
    let (app, step) = (&app.name, month.passed(least)?);
    let (used, projected) = (month.used, month.projected);
    let reading = bad(Rule::QuotaRunningOut, app, |lang| {
        say_in!(lang,
            zh: "应用 {app}：本月已调用 {used} 次，超过配额 {quota} 的 {step}%，预计月底 {projected} 次",
            en: "app {app}: {used} calls this month, beyond {step} % of {quota}, {projected} by its end if it goes on so"
        )
    });
    Some(Reading { level: step, ..reading })
}

/// A condition that cannot be known now.
pub(super) fn unknown(rule: Rule, subject: &str) -> Reading {
    let what = Both::same("");
    Reading { rule, subject: subject.to_owned(), standing: Standing::Unknown, level: 0, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Health;

    fn standing(reading: Option<Reading>) -> Option<Standing> {
        reading.map(|reading| reading.standing)
    }

    #[test]
    fn a_handler_that_was_down_is_down_over_a_restart_until_it_succeeds() {
        let health = Health::default();
        let reading = || {
            let health = health.seen(0).handlers.get("work").cloned().unwrap_or_default();
            standing(handler_down("work", &health, 3))
        };
        assert_eq!(reading(), Some(Standing::Unknown));
        for word in ["cancelled", "exit", "exit"] {
            health.attempt("work", word, 0);
            assert_eq!(reading(), Some(Standing::Unknown), "{word}");
        }
        health.attempt("work", "exit", 0);
        assert_eq!(reading(), Some(Standing::Bad));
        health.attempt("work", "ok", 0);
        assert_eq!(reading(), None);
        health.attempt("work", "exit", 0);
        assert_eq!(reading(), None, "one failure is none");
    }

    #[test]
    fn a_child_over_its_limit_is_over_ten_minutes_after_the_last_one_or_the_start() {
        let mut health = HandlerHealth::default();
        let reading =
            |health: &HandlerHealth, now_ms| standing(over_limit("work", health, now_ms, now_ms));
        assert_eq!(reading(&health, 0), Some(Standing::Unknown));
        assert_eq!(reading(&health, OVER_LIMIT_FOR_MS), None);
        assert_eq!(reading(&health, -1), None, "the clock was set back");
        health.over_limit = Some((5, "memory".to_owned()));
        assert_eq!(reading(&health, OVER_LIMIT_FOR_MS), Some(Standing::Bad));
        assert_eq!(reading(&health, OVER_LIMIT_FOR_MS + 5), None);
    }
}

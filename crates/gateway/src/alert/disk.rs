//! What a disk and the store on it are asked. Either may hang, and then somebody has to be told of
//! exactly that: each question is asked beside the others, and none is waited for.

use std::path::Path;
use std::time::Duration;

use larkline_store::StoreError;
use larkline_store::record::Depths;

use super::engine::Reading;
use super::rule::Rule;
use super::sources::{GATEWAY, bad, unknown};
use crate::both::Both;
use crate::causes;
use crate::clock::ms;
use crate::config::Config;
use crate::question::Question;
use crate::say_in;
use crate::shared::Shared;

/// They are asked so often.
const ASK_EVERY_MS: i64 = 2000;
/// A look waits so long for answers; those that come later are the next look's.
const PATIENCE: Duration = Duration::from_millis(500);
/// Silence for longer is an alert. A machine under load keeps a disk waiting for seconds.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The questions, and what was told last.
#[derive(Debug, Default)]
pub(super) struct Disk {
    asked_ms: Option<i64>,
    room: Question<Option<u64>>,
    depths: Question<Result<Depths, StoreError>>,
    boots: Question<Result<u64, StoreError>>,
    turn: Question<()>,
    told: Told,
}

/// Nothing where it is not known.
#[derive(Clone, Debug, Default)]
struct Told {
    free_mib: Option<u64>,
    depths: Option<Depths>,
    boots: Option<u64>,
    /// For how long there was no answer, when that is too long.
    silence: Option<Duration>,
    /// Why the store cannot be read.
    unread: Option<Both>,
}

impl Disk {
    /// Asks whatever is due, of which nothing holds up the caller for longer than [`PATIENCE`].
    pub(super) async fn ask(&mut self, shared: &Shared, config: &Config, now_ms: i64) {
        if self.asked_ms.is_some_and(|at| (0..ASK_EVERY_MS).contains(&(now_ms - at))) {
            return;
        }
        self.asked_ms = Some(now_ms);
        let path = config.store.path.clone();
        let since_ms = now_ms - ms(config.alerts.boots_within);
        let store = || shared.store.clone();
        let (of_depths, of_boots, of_turn) = (store(), store(), store());
        let (free, depths, boots, turn) = tokio::join!(
            self.room.ask(PATIENCE, |set| drop(set.spawn_blocking(move || free_mib(&path)))),
            self.depths.ask(PATIENCE, |set| {
                set.spawn(async move { of_depths.depths().await });
            }),
            self.boots.ask(PATIENCE, |set| {
                set.spawn(async move { of_boots.boots_since(since_ms).await });
            }),
            // One that refuses has answered, and is ill for whoever wrote.
            self.turn.ask(PATIENCE, |set| {
                set.spawn(async move { drop(of_turn.turn().await) });
            }),
        );
        let silences = [free.silence(), depths.silence(), boots.silence(), turn.silence()];
        let silence = silences.into_iter().max().filter(|longest| *longest > SILENCE_MAX);
        shared.store_health.hangs(silence.is_some());
        let (depths, boots) = (depths.told().transpose(), boots.told().transpose());
        let unread = depths.as_ref().err().or_else(|| boots.as_ref().err());
        shared.store_health.read(unread);
        self.told = Told {
            free_mib: free.told().flatten(),
            silence,
            unread: unread.map(|error| Both::each(|lang| causes::store(lang, error))),
            depths: depths.unwrap_or_default(),
            boots: boots.unwrap_or_default(),
        };
    }

    /// What that means.
    pub(super) fn readings(&self, shared: &Shared, config: &Config) -> Vec<Reading> {
        let ill = shared.store_health.is_ill();
        let readings = [
            self.told.writable(ill),
            self.told.dead(config),
            self.told.boots(config),
            self.told.room(config),
        ];
        readings.into_iter().flatten().collect()
    }
}

impl Told {
    fn writable(&self, is_ill: bool) -> Option<Reading> {
        if let Some(silence) = self.silence {
            let silence = silence.as_secs();
            return Some(bad(Rule::StoreRefuses, GATEWAY, |lang| {
                say_in!(lang,
                    zh: "状态目录所在磁盘或存储已有 {silence} 秒没有响应",
                    en: "the disk of the state directory, or the store on it, has not answered for {silence} s"
                )
            }));
        }
        if let Some(error) = &self.unread {
            return Some(bad(Rule::StoreRefuses, GATEWAY, |lang| {
                let error = error.text(lang);
                say_in!(lang, zh: "存储无法读取：{error}", en: "the store cannot be read: {error}")
            }));
        }
        is_ill.then(|| {
            bad(Rule::StoreRefuses, GATEWAY, |lang| {
                lang.either("存储拒绝写入", "the store refuses writes").to_owned()
            })
        })
    }

    fn dead(&self, config: &Config) -> Option<Reading> {
        let Some(depths) = &self.depths else { return Some(unknown(Rule::DeadLetters, GATEWAY)) };
        let dead = depths.dead;
        let most = u64::from(config.alerts.threshold(Rule::DeadLetters));
        let words = |lang| say_in!(lang, zh: "有 {dead} 条死信", en: "{dead} dead letters");
        let reading = bad(Rule::DeadLetters, GATEWAY, words);
        (dead >= most).then_some(Reading { level: dead, ..reading })
    }

    fn boots(&self, config: &Config) -> Option<Reading> {
        let Some(boots) = self.boots else { return Some(unknown(Rule::CrashLoop, GATEWAY)) };
        let within = config.alerts.boots_within.as_secs();
        (boots >= u64::from(config.alerts.boots)).then(|| {
            bad(Rule::CrashLoop, GATEWAY, |lang| {
                say_in!(lang,
                    zh: "{within} 秒内启动了 {boots} 次",
                    en: "started {boots} times within {within} s"
                )
            })
        })
    }

    fn room(&self, config: &Config) -> Option<Reading> {
        let least = u64::from(config.alerts.threshold(Rule::DiskLow));
        match self.free_mib {
            Some(free) if free < least => Some(bad(Rule::DiskLow, GATEWAY, |lang| {
                say_in!(lang,
                    zh: "状态目录所在磁盘只剩 {free} MiB",
                    en: "{free} MiB left on the disk of the state directory"
                )
            })),
            // A tenth more, so that a value around the threshold is one alert.
            Some(free) if free >= least + least / 10 => None,
            Some(_) | None => Some(unknown(Rule::DiskLow, GATEWAY)),
        }
    }
}

fn free_mib(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_silent_or_cannot_be_read_is_one_that_refuses() {
        let words = |told: Told, ill| told.writable(ill).map(|reading| reading.what.en);
        assert_eq!(words(Told::default(), false), None);
        assert_eq!(words(Told::default(), true).unwrap(), "the store refuses writes");
        let silence = Some(Duration::from_secs(16));
        let silent = words(Told { silence, ..Told::default() }, false).unwrap();
        assert!(silent.ends_with("has not answered for 16 s"), "{silent}");
        let unread = Some(Both::same("a damaged page"));
        let unread = words(Told { unread, ..Told::default() }, false).unwrap();
        assert_eq!(unread, "the store cannot be read: a damaged page");
    }
}

//! Laws of the server's settings: merged, clamped, never trusted.

use larkline_proto::settings::{Merge, PingBounds, ServerSettings, SettingsError};
use proptest::prelude::*;

use crate::rig::secs;

fn merged(json: &str) -> ServerSettings {
    let mut settings = ServerSettings::default();
    settings.merge_json(json.as_bytes(), PingBounds::default()).unwrap();
    settings
}

#[test]
fn all_four_values_are_taken() {
    let got = merged(
        r#"{"ReconnectCount":-1,"ReconnectInterval":90,"ReconnectNonce":25,"PingInterval":91}"#,
    );
    assert_eq!(got.ping_interval, secs(91));
    assert_eq!((got.pace.interval, got.pace.nonce), (secs(90), secs(25)));
}

#[test]
fn a_missing_field_keeps_its_value() {
    assert_eq!(merged("{}"), ServerSettings::default());
    let got = merged(r#"{"PingInterval":7}"#);
    assert_eq!(got, ServerSettings { ping_interval: secs(7), ..ServerSettings::default() });
    let mut settings = ServerSettings::default();
    let merge = settings.merge_json(br#"{"PingInterval":null}"#, PingBounds::default()).unwrap();
    assert_eq!((settings, merge), (ServerSettings::default(), Merge::default()));
}

#[test]
fn numbers_out_of_range_are_clamped() {
    assert_eq!(merged(r#"{"PingInterval":0}"#).ping_interval, secs(1));
    assert_eq!(merged(r#"{"PingInterval":-5}"#).ping_interval, secs(1));
    assert_eq!(merged(r#"{"PingInterval":18446744073709551615}"#).ping_interval, secs(3600));
    assert_eq!(merged(r#"{"ReconnectInterval":0}"#).pace.interval, secs(1));
    assert_eq!(merged(r#"{"ReconnectNonce":-1}"#).pace.nonce, secs(0));
    assert_eq!(merged(r#"{"ReconnectCount":-9}"#).reconnect_count, -1);
}

#[test]
fn a_field_of_a_wrong_type_keeps_its_value_and_is_named() {
    for json in [r#"{"PingInterval":"30"}"#, r#"{"PingInterval":1.5}"#, r#"{"PingInterval":[1]}"#] {
        let mut settings = ServerSettings::default();
        let merge = settings.merge_json(json.as_bytes(), PingBounds::default()).unwrap();
        assert_eq!(settings, ServerSettings::default(), "{json}");
        assert_eq!(merge.ignored, ["PingInterval"], "{json}");
    }
}

#[test]
fn what_is_no_object_is_refused_whole() {
    for json in ["", "null", "[]", "7", "{", "\u{fe}"] {
        let mut settings = ServerSettings::default();
        let got = settings.merge_json(json.as_bytes(), PingBounds::default());
        assert_eq!(got, Err(SettingsError), "{json}");
        assert_eq!(settings, ServerSettings::default());
    }
}

proptest! {
    #[test]
    fn the_ping_interval_stays_within_its_bounds(ping: i64, bytes: Vec<u8>) {
        let mut settings = merged(&format!(r#"{{"PingInterval":{ping}}}"#));
        let _ignored = settings.merge_json(&bytes, PingBounds::default());
        prop_assert!((secs(1)..=secs(3600)).contains(&settings.ping_interval));
    }
}

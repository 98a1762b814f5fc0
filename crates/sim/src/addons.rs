//! What the address of a registration code asks for: base64url of gzip of JSON, with scopes, events and
//! callbacks. Reference: app registration.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::options::AppSpec;

/// Most bytes the JSON may have; a QR code holds less than 3 KB.
const JSON_BYTES_MAX: u64 = 64 << 10;

/// What is asked for. The platform's own preset is not played: what it holds is not known.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Addons {
    scopes: OfApp,
    events: Items<OfApp>,
    callbacks: Items<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfApp {
    tenant: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Items<T: Default> {
    items: T,
}

impl Addons {
    /// Reads the parameter; a text says what is wrong with it.
    pub(crate) fn read(packed: &str) -> Result<Self, String> {
        let refuse = |what: &str, why: &dyn std::fmt::Display| format!("addons: {what}: {why}");
        let bytes = URL_SAFE_NO_PAD
            .decode(packed)
            .map_err(|e| refuse("not base64url without padding", &e))?;
        let mut json = String::new();
        let mut unpacked = GzDecoder::new(bytes.as_slice()).take(JSON_BYTES_MAX);
        unpacked.read_to_string(&mut json).map_err(|e| refuse("not gzip", &e))?;
        serde_json::from_str(&json).map_err(|e| refuse("not the JSON it should be", &e))
    }

    /// The app has it from now on, in its released version.
    pub(crate) fn add_to(self, spec: &mut AppSpec) {
        let add = |list: &mut Vec<String>, more: Vec<String>| {
            for name in more {
                if !list.contains(&name) {
                    list.push(name);
                }
            }
        };
        // Without a list everything is granted already.
        if let Some(scopes) = &mut spec.scopes {
            add(scopes, self.scopes.tenant);
        }
        add(&mut spec.console.events, self.events.items.tenant);
        spec.callbacks |= self.callbacks.items.iter().any(|name| name == "card.action.trigger");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_official_sdk_packs_is_read_and_anything_else_is_refused_in_words() {
        // Made of the reference's example with Python's gzip, mtime 0.
        let packed = "H4sIAAAAAAACA2XMywrCMBAF0H-ZdQjoMr9SSkjTSwg2D2amBSn-u0EQKm7v45zUGQIlp7zDkMTW\
            IeROUtRQRz5RLq5AJCTYfu--SHKMsLa6PclcWieoqw_il6Y0G9oFPP7zyxAOVP2wWVH-fPv1GRH5gD9uP8AQYti2JcTH\
            FZlGyqsNUXOrVjmnNA5j_gZR-_Tm1gAAAA";
        let mut spec = AppSpec { scopes: Some(Vec::new()), callbacks: false, ..AppSpec::default() };
        spec.console.events.clear();
        Addons::read(packed).unwrap().add_to(&mut spec);
        let scopes = ["im:message.p2p_msg:readonly", "im:message:send_as_bot"];
        assert_eq!(spec.scopes.unwrap(), scopes);
        assert_eq!(spec.console.events, ["im.message.receive_v1"]);
        assert!(spec.callbacks);
        assert!(Addons::read("%%%").is_err_and(|why| why.contains("base64url")));
        assert!(Addons::read("AAAA").is_err_and(|why| why.contains("gzip")));
    }
}

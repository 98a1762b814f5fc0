//! Signatures, held against vectors made with another implementation.

use http::{HeaderMap, HeaderName};
use larkline_client::Secret;
use larkline_gateway::handler::http::signature::{
    ID, SIGNATURE, SigningKey, TIMESTAMP, TOLERANCE_S, VerifyError, sign, verify,
};
use serde_json::Value;

use crate::handler_service::{SECRETS, keys};

/// The time at which the vectors are fresh.
const NOW_S: i64 = 1_763_633_000;

fn vectors() -> Vec<Value> {
    let file = include_str!("../../../../tests/fixtures/webhook/signature_vectors.json");
    let file: Value = serde_json::from_str(file).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)]
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .into_iter()
        .collect()
}

fn verify_vector(vector: &Value, keys: &[SigningKey]) -> Result<String, VerifyError> {
    let text = |name: &str| vector[name].as_str().unwrap();
    let headers = headers(text(ID), text(TIMESTAMP), text(SIGNATURE));
    verify(&headers, text("body").as_bytes(), keys, NOW_S).map(str::to_owned)
}

#[test]
fn every_vector_is_judged_as_recorded() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let must_fail = vector["case"].as_str().is_some_and(|case| case.contains("must fail"));
        let secrets = vector["secrets"].as_array().cloned();
        for secret in secrets.unwrap_or_else(|| vec![vector["secret"].clone()]) {
            let verified = verify_vector(&vector, &keys(&[secret.as_str().unwrap()]));
            assert_eq!(verified.is_err(), must_fail, "{vector}");
        }
    }
}

#[test]
fn signing_gives_the_recorded_signatures() {
    let vector = &vectors()[1];
    let text = |name: &str| vector[name].as_str().unwrap();
    let signed = sign(&keys(&SECRETS), text(ID), NOW_S, text("body").as_bytes());
    assert_eq!(signed, text(SIGNATURE));
}

#[test]
fn a_stranger_a_changed_id_and_a_stale_time_are_refused() {
    let (known, other) = (keys(&SECRETS[..1]), keys(&SECRETS[1..]));
    let signed = sign(&known, "msg_1", NOW_S, b"{}");
    let try_with = |id: &str, keys: &[SigningKey], now_s: i64| {
        verify(&headers(id, &NOW_S.to_string(), &signed), b"{}", keys, now_s).map(str::to_owned)
    };
    assert_eq!(try_with("msg_1", &known, NOW_S), Ok("msg_1".to_owned()));
    assert_eq!(try_with("msg_1", &other, NOW_S), Err(VerifyError::Signature));
    assert_eq!(try_with("msg_1", &[], NOW_S), Err(VerifyError::Signature));
    assert_eq!(try_with("msg_2", &known, NOW_S), Err(VerifyError::Signature));
    for late in [TOLERANCE_S, -TOLERANCE_S] {
        assert!(try_with("msg_1", &known, NOW_S + late).is_ok());
        let later = NOW_S + late + late.signum();
        assert_eq!(try_with("msg_1", &known, later), Err(VerifyError::Timestamp));
    }
    let own_time = headers("msg_1", &i64::MIN.to_string(), &signed);
    assert_eq!(verify(&own_time, b"{}", &known, i64::MAX), Err(VerifyError::Timestamp));
}

#[test]
fn what_is_missing_is_named_and_unknown_versions_are_skipped() {
    let known = keys(&SECRETS[..1]);
    let signed = sign(&known, "msg_1", NOW_S, b"{}");
    for missing in [ID, TIMESTAMP, SIGNATURE] {
        let mut headers = headers("msg_1", &NOW_S.to_string(), &signed);
        headers.remove(missing);
        assert_eq!(verify(&headers, b"{}", &known, NOW_S), Err(VerifyError::Missing(missing)));
    }
    let many = format!("v1a,AAAA v2,{} v1,!!! v1, {signed}", &signed[3..]);
    assert!(verify(&headers("msg_1", &NOW_S.to_string(), &many), b"{}", &known, NOW_S).is_ok());
    let unknown = format!("v1a,{}", &signed[3..]);
    let unknown = headers("msg_1", &NOW_S.to_string(), &unknown);
    assert_eq!(verify(&unknown, b"{}", &known, NOW_S), Err(VerifyError::Signature));
}

#[test]
fn a_secret_has_its_form_its_length_and_no_print() {
    for bad in ["", "whsec_", "whsec_AAEC", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_*"] {
        assert!(SigningKey::parse(&Secret::from(bad)).is_err(), "{bad}");
    }
    assert_eq!(format!("{:?}", keys(&SECRETS)), "[<redacted>, <redacted>]");
}

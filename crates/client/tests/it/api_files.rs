//! Files: bounded both ways, and refusals told from files.

use bytes::Bytes;
use larkline_client::{ApiErrorKind, FileType};
use larkline_proto::id::MessageId;

use crate::peer::{Peer, answer, json, token};

async fn peer(reply: String) -> Peer {
    Peer::start(move |request| match request.is_token() {
        true => token("t-1"),
        false => reply.clone(),
    })
    .await
}

#[tokio::test]
async fn an_upload_carries_its_fields_its_name_and_its_bytes() {
    let peer = peer(json("200 OK", r#"{"code":0,"data":{"file_key":"file_1"}}"#)).await;
    let bytes = Bytes::from_static(b"the bytes");
    let key = peer.client().upload_file(FileType::Stream, "a.log", bytes).await.unwrap().data;
    assert_eq!(key, "file_1");
    let body = String::from_utf8(peer.requests().pop().unwrap().body).unwrap();
    for part in ["name=\"file_type\"\r\n\r\nstream", "filename=\"a.log\"", "the bytes"] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn a_file_outside_the_platforms_limits_is_not_sent() {
    let peer = peer(json("200 OK", r#"{"code":0,"data":{"image_key":"img_1"}}"#)).await;
    let large = Bytes::from(vec![0; (10 << 20) + 1]);
    let error = peer.client().upload_image("a.png", large).await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::TooLarge { bytes_max: 10_485_760 }));
    let error = peer.client().upload_image("a.png", Bytes::new()).await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Input { .. }));
    assert!(peer.requests().is_empty());
}

#[tokio::test]
async fn a_download_stops_at_its_bound_with_and_without_a_length() {
    let sized = answer("200 OK", "content-type: image/png\r\n", "0123456789");
    let unsized_body = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n";
    let message = MessageId::new("om_1");
    for reply in [sized, unsized_body.to_owned()] {
        let peer = peer(reply).await;
        let client = peer.client();
        let error = client.download_file(&message, "file_1", 9).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::TooLarge { bytes_max: 9 }));
        let found = client.download_file(&message, "file_1", 10).await.unwrap().data;
        assert_eq!(found.bytes, "0123456789");
    }
}

#[tokio::test]
async fn a_refused_download_is_an_error_and_a_json_file_is_a_file() {
    let message = MessageId::new("om_1");
    let refusal = r#"{"code":234003,"msg":"file not in message","error":{"log_id":"L1"}}"#;
    for status in ["400 Bad Request", "200 OK"] {
        let peer = peer(json(status, refusal)).await;
        let client = peer.client();
        let error = client.download_file(&message, "file_1", 1000).await.unwrap_err();
        assert_eq!(error.code(), "234003", "{status}");
    }
    let headers = "content-type: application/json\r\ncontent-disposition: attachment; filename=\"a.json\"\r\n";
    let named = peer(answer("200 OK", headers, r#"{"code":1}"#)).await;
    let found = named.client().download_file(&message, "file_1", 1000).await.unwrap().data;
    assert_eq!(found.file_name.as_deref(), Some("a.json"));
    assert_eq!(found.bytes, r#"{"code":1}"#);

    let unnamed = peer(json("200 OK", "[1]")).await;
    let found = unnamed.client().download_file(&message, "file_1", 1000).await.unwrap().data;
    assert_eq!((found.bytes.as_ref(), found.file_name), (b"[1]".as_slice(), None));
}

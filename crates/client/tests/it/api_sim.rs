//! The API against the simulated platform: every call once, and what must survive its faults.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use larkline_client::{ApiClient, Container, FileType, Listing, ProxyChoice, Secret, Sort};
use larkline_proto::api::{Disposition, ReceiveId, RetryReason};
use larkline_proto::content::Outgoing;
use larkline_proto::id::{AppId, ChatId, MessageId, OpenId};
use larkline_sim::{Answer, DEMO_APP_ID, DEMO_APP_SECRET, Fault, Limits, Say, Sim, SimOptions};
use url::Url;

use crate::peer::dialer;

/// A platform with one person in one group, and a client of it.
struct Stage {
    sim: Sim,
    client: ApiClient,
    user: OpenId,
    group: ChatId,
}

impl Stage {
    async fn new(options: SimOptions) -> Self {
        let sim = Sim::start(options).await.unwrap();
        let user = sim.platform().add_user("Lin");
        let group = sim.platform().add_group("line", std::slice::from_ref(&user));
        let client = client(&sim.url(), DEMO_APP_SECRET);
        Self { sim, client, user, group }
    }

    async fn unlimited() -> Self {
        Self::new(SimOptions { limits: Limits::unlimited(), ..SimOptions::default() }).await
    }

    fn said(&self, text: &str) -> MessageId {
        let say = Say {
            user: self.user.clone(),
            chat: self.group.clone(),
            text: text.to_owned(),
            mention_bot: true,
            ..Say::default()
        };
        self.sim.platform().say(say).unwrap().message_id
    }

    fn sent(&self) -> usize {
        self.sim.platform().read(|ledger| ledger.messages.len())
    }
}

fn client(url: &str, secret: &str) -> ApiClient {
    let domain = Url::parse(url).unwrap();
    ApiClient::new(dialer(ProxyChoice::None), domain, AppId::new(DEMO_APP_ID), Secret::new(secret))
}

#[tokio::test]
async fn a_message_is_sent_answered_edited_listed_and_recalled() {
    let stage = Stage::unlimited().await;
    let (client, group) = (&stage.client, &stage.group);
    let to = ReceiveId::Chat(group.clone());
    let sent = client.send(&to, &Outgoing::text("one"), "u-1").await.unwrap();
    assert!(sent.log_id.is_some());
    assert_eq!(&sent.data.chat_id, group);
    let id = sent.data.message_id;

    let asked = stage.said("hello");
    let reply = client.reply(&asked, &Outgoing::markdown("**hi**"), true, "u-2").await.unwrap();
    assert_eq!(reply.data.parent_id.as_ref(), Some(&asked));
    assert!(reply.data.thread_id.is_some(), "the reply made a thread");

    let edited = client.edit(&id, &Outgoing::text("two")).await.unwrap();
    assert!(edited.data.updated);
    let found = client.get(&id).await.unwrap().data;
    assert!(found[0].content.contains("two"), "{found:?}");

    let mut listing = Listing::of(Container::Chat(group.clone()));
    listing.sort = Sort::NewestFirst;
    let page = client.list(&listing).await.unwrap().data;
    assert!(page.items.iter().any(|message| message.message_id == id));

    client.recall(&id).await.unwrap();
    let gone = client.reply(&id, &Outgoing::text("too late"), false, "u-3").await.unwrap_err();
    assert_eq!(gone.disposition(), Disposition::MessageGone);
    assert!(gone.log_id.is_some());
}

#[tokio::test]
async fn a_card_is_patched_and_a_reaction_comes_and_goes() {
    let stage = Stage::unlimited().await;
    let card = serde_json::json!({"schema": "2.0", "body": {"elements": []}});
    let to = ReceiveId::Open(stage.user.clone());
    let sent = stage.client.send(&to, &Outgoing::card(&card), "u-1").await.unwrap().data;
    stage.client.patch_card(&sent.message_id, &card.to_string()).await.unwrap();

    let asked = stage.said("hello");
    let reaction = stage.client.add_reaction(&asked, "Typing").await.unwrap().data;
    stage.client.remove_reaction(&asked, &reaction).await.unwrap();
    let unknown = stage.client.add_reaction(&asked, "typing").await.unwrap_err();
    assert_eq!(unknown.code(), "231001");
}

#[tokio::test]
async fn the_bot_its_chats_and_its_connections_are_known() {
    let stage = Stage::unlimited().await;
    let client = &stage.client;
    client.verify().await.unwrap();
    let bot = client.bot_info().await.unwrap().data;
    assert_eq!((bot.open_id, bot.activate_status), (stage.sim.platform().bot_open_id(), 2));
    assert_eq!(client.connection_count().await.unwrap().data, 0);
    assert_eq!(client.chat(&stage.group).await.unwrap().data.name, "line");
    let chats = client.chats(None).await.unwrap().data.items;
    assert!(chats.iter().any(|chat| chat.chat_id == stage.group));
}

#[tokio::test]
async fn files_go_up_and_come_back_bounded() {
    let stage = Stage::unlimited().await;
    let client = &stage.client;
    let bytes = Bytes::from_static(b"a log\n");
    let key = client.upload_file(FileType::Stream, "a.log", bytes.clone()).await.unwrap().data;
    let to = ReceiveId::Chat(stage.group.clone());
    let sent = client.send(&to, &Outgoing::file(&key), "u-1").await.unwrap().data.message_id;
    let back = client.download_file(&sent, &key, 6).await.unwrap().data;
    assert_eq!((back.bytes, back.file_name.as_deref()), (bytes, Some("a.log")));
    assert_eq!(client.download_file(&sent, &key, 5).await.unwrap_err().code(), "api_too_large");
    assert_eq!(client.download_file(&sent, "file_none", 6).await.unwrap_err().code(), "234003");
}

#[tokio::test]
async fn every_reply_arrives_although_the_token_is_revoked_in_between() {
    let stage = Stage::unlimited().await;
    let asked = stage.said("hello");
    let text = Outgoing::text("hi");
    let reply = async |n: usize| stage.client.reply(&asked, &text, false, &format!("u-{n}")).await;
    for round in 0..3 {
        let replies = join_all((0..8).map(|n| reply(round * 8 + n))).await;
        assert!(replies.iter().all(Result::is_ok), "{replies:?}");
        stage.sim.platform().fault(Fault::RevokeTokens).unwrap();
    }
    assert_eq!(stage.sent(), 24);
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_the_same_uuid_makes_no_second_message() {
    let stage = Stage::unlimited().await;
    let to = ReceiveId::Chat(stage.group.clone());
    let lose = Fault::LoseAnswer { path: "/messages".to_owned(), times: 1 };
    stage.sim.platform().fault(lose).unwrap();
    let lost = stage.client.send(&to, &Outgoing::text("once"), "u-1").await.unwrap_err();
    assert!(lost.is_ambiguous(), "{lost}");
    assert_eq!(lost.disposition(), Disposition::UNAVAILABLE);
    stage.client.send(&to, &Outgoing::text("once"), "u-1").await.unwrap();
    assert_eq!(stage.sent(), 1);
}

#[tokio::test]
async fn scripted_answers_become_the_right_decisions() {
    let stage = Stage::unlimited().await;
    let to = ReceiveId::Chat(stage.group.clone());
    let reset = Some(Duration::from_secs(52));
    let limited = Disposition::Retry { reason: RetryReason::RateLimited, after: reset };
    let code = |status, code| Answer::Code { status, code, msg: String::new(), reset_s: Some(52) };
    let cases = [
        (code(429, 99_991_400), limited, "99991400"),
        (code(400, 230_020), limited, "230020"),
        (code(400, 230_099), Disposition::Simplify, "230099"),
        (code(400, 230_025), Disposition::TooLong, "230025"),
        (Answer::Html { status: 502 }, Disposition::UNAVAILABLE, "http_502"),
        (Answer::NullData, Disposition::UNAVAILABLE, "api_unreadable"),
        (Answer::Cut, Disposition::UNAVAILABLE, "connection_broken"),
    ];
    for (answer, disposition, code) in cases {
        let fault = Fault::Api {
            path: "/messages".to_owned(),
            method: "POST".to_owned(),
            answer,
            times: 1,
        };
        stage.sim.platform().fault(fault).unwrap();
        let error = stage.client.send(&to, &Outgoing::text("x"), "u-1").await.unwrap_err();
        assert_eq!((error.code().as_ref(), error.disposition()), (code, disposition), "{error}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_fatal() {
    let stage = Stage::unlimited().await;
    let error = client(&stage.sim.url(), "wrong").verify().await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Fatal, "{error}");
    assert!(error.log_id.is_some());
}

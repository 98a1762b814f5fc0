//! Credentials, and the app in the developer console.

use std::collections::BTreeMap;
use std::sync::Arc;

use larkline_sim::{Answer, AppSpec, Console, Draft, Fault, Sim, SimOptions};
use rcgen::CertificateParams;

use super::{By, Own, Row, is, row};
use crate::doctor::{Diagnosis, Expected};
use crate::rig::{ECHO, Rig};
use crate::tls::Authority;
use crate::ways::proxy::{Manner, Proxy};

/// Everything in groups, also what does not mention the bot.
const EAVESDROPPER: &str = r#"
[[route]]
name = "all"
senders = "everyone"
mention = "never"
handler = "echo"

[handler.echo]
kind = "echo"
"#;
/// One that wants to hear of buttons.
const BUTTONS: &str = r#"
[[route]]
name = "all"
senders = "everyone"
events = ["card.action.trigger"]
handler = "echo"

[handler.echo]
kind = "echo"
"#;
/// One that wants to hear of reactions.
const REACTIONS: &str = r#"
[[route]]
name = "all"
senders = "everyone"
events = ["im.message.receive_v1", "im.message.reaction.deleted_v1"]
handler = "echo"

[handler.echo]
kind = "echo"
"#;

const SEND: &str = "im:message:send_as_bot";
const DIRECT: &str = "im:message.p2p_msg:readonly";
const MENTIONED: &str = "im:message.group_at_msg:readonly";
const MANAGE: &str = "application:application:self_manage";

pub(super) fn credentials() -> Vec<Row> {
    let tried = |says| is("credentials", "credentials", says);
    let link = |says| is("credentials", "endpoint", says);
    vec![
        row(
            "a wrong secret",
            "secret 错误",
            By::Env(&[("TEST_APP_SECRET", "wrong")]),
            tried("copy app_secret again"),
        ),
        row(
            "a wrong app id",
            "app id 错误",
            By::Env(&[("LARKLINE__APP__main__APP_ID", "cli_ffffffffffffffff")]),
            tried("copy app_id again"),
        ),
        row(
            "an app of the other brand",
            "应用属于另一个平台（飞书与 Lark）",
            By::Own("two simulators, a proxy", other_brand),
            tried("domain = \\\"lark\\\""),
        ),
        row(
            "1000040345 for the link: the platform does not take the secret",
            "长连接返回 1000040345：secret 不被接受",
            By::Sim(|| refusal(1_000_040_345)),
            link("1000040345"),
        ),
        row(
            "1000040344 for the link: none arrived",
            "长连接返回 1000040344：没有收到凭据",
            By::Sim(|| refusal(1_000_040_344)),
            link("1000040344"),
        ),
        row(
            "1000040351 for the link: the other domain",
            "长连接返回 1000040351：domain 不对",
            By::Sim(|| refusal(1_000_040_351)),
            link("for a Lark app"),
        ),
        row(
            "a handshake with 514 and 1000040345",
            "握手返回 514 和 1000040345",
            By::Sim(|| Fault::RefuseHandshake {
                status: 400,
                handshake_status: Some(514),
                autherrcode: Some(1_000_040_345),
                msg: None,
                times: 1000,
            }),
            is("credentials", "upgrade", "1000040345"),
        ),
    ]
}

fn refusal(code: i64) -> Fault {
    let answer = Answer::Code { status: 200, code, msg: "no".to_owned(), reset_s: None };
    Fault::Endpoint { answer, times: 1000 }
}

pub(super) fn rows() -> Vec<Row> {
    [scopes(), subscriptions(), releases(), switches()].into_iter().flatten().collect()
}

const fn config(check: &'static str, says: &'static str) -> Expected {
    is("platform config", check, says)
}

fn grant(spec: &mut AppSpec, scopes: &[&str]) {
    spec.scopes = Some(scopes.iter().map(|s| (*s).to_owned()).collect());
}

fn scopes() -> Vec<Row> {
    vec![
        row(
            "no scope to answer",
            "缺少发消息的权限",
            By::Console(ECHO, |s| grant(s, &[DIRECT, MENTIONED, MANAGE])),
            config("scopes", "without im:message:send_as_bot: cannot answer"),
        ),
        row(
            "no scope to hear direct chats",
            "缺少接收单聊消息的权限",
            By::Console(ECHO, |s| grant(s, &[SEND, MENTIONED, MANAGE])),
            config("scopes", "auth?q=im:message.p2p_msg:readonly"),
        ),
        row(
            "no scope to hear groups",
            "缺少接收群聊 @ 消息的权限",
            By::Console(ECHO, |s| grant(s, &[SEND, DIRECT, MANAGE])),
            config("scopes", "auth?q=im:message.group_at_msg:readonly"),
        ),
        row(
            "a route without mention, and no scope for all of a group",
            "路由不要求 @，却缺少接收群聊全部消息的权限",
            By::Console(EAVESDROPPER, |s| grant(s, &[SEND, DIRECT, MENTIONED, MANAGE])),
            config("scopes", "auth?q=im:message.group_msg"),
        ),
        row(
            "a route for reactions, and no scope for them",
            "路由接收表情回复，却缺少其权限",
            By::Console(REACTIONS, |s| grant(s, &[SEND, DIRECT, MENTIONED, MANAGE])),
            config("scopes", "im:message.reactions:read"),
        ),
        row(
            "no scope to read messages and files",
            "缺少读取消息和文件的权限",
            By::Console(ECHO, |s| grant(s, &[SEND, DIRECT, MENTIONED, MANAGE])),
            is("healthy", "scopes", "without im:message:readonly: cannot read back"),
        ),
        row(
            "the app may not read its own configuration",
            "应用无权读取自己的配置",
            By::Console(ECHO, |s| grant(s, &[SEND, DIRECT, MENTIONED])),
            is("healthy", "version", "may not read its own configuration"),
        ),
    ]
}

fn subscriptions() -> Vec<Row> {
    vec![
        row(
            "the event is not subscribed",
            "未订阅事件",
            By::Console(ECHO, |s| s.console.events.clear()),
            config("events", "not subscribed: im.message.receive_v1"),
        ),
        row(
            "the event is added, and not released",
            "事件已添加，未发布",
            By::Console(ECHO, |s| {
                let events = std::mem::take(&mut s.console.events);
                s.console.draft = Some(Draft { status: 4, events, scopes: Vec::new() });
            }),
            config("events", "added, and not released"),
        ),
        row(
            "another event that a route wants is not subscribed",
            "未订阅路由需要的另一个事件",
            By::Console(REACTIONS, |_| {}),
            config("events", "not subscribed: im.message.reaction.deleted_v1"),
        ),
        row(
            "the callback of buttons is not subscribed",
            "未订阅按钮回调",
            By::Console(BUTTONS, |s| s.callbacks = false),
            config("app", "callbacks not subscribed: card.action.trigger"),
        ),
        row(
            "callbacks go out by webhook",
            "回调经 webhook 推送",
            By::Console(BUTTONS, |s| {
                s.console = Console { callback_type: "webhook".to_owned(), ..Console::default() };
            }),
            config("app", "by webhook"),
        ),
    ]
}

fn releases() -> Vec<Row> {
    vec![
        row(
            "no version was ever released",
            "从未发布过版本",
            By::Console(ECHO, |s| s.console.unreleased = true),
            config("version", "no version was ever released"),
        ),
        row(
            "a newer version is in review",
            "较新的版本在审核中",
            By::Console(ECHO, |s| s.console.draft = Some(waiting(3))),
            is("healthy", "version", "is in review"),
        ),
        row(
            "a newer version was rejected",
            "较新的版本被驳回",
            By::Console(ECHO, |s| s.console.draft = Some(waiting(2))),
            is("healthy", "version", "was rejected"),
        ),
        row(
            "a newer version is not submitted",
            "较新的版本尚未提交",
            By::Console(ECHO, |s| s.console.draft = Some(waiting(4))),
            is("healthy", "version", "is not submitted"),
        ),
    ]
}

fn waiting(status: i64) -> Draft {
    Draft { status, ..Draft::default() }
}

fn switches() -> Vec<Row> {
    vec![
        row(
            "the bot is disabled in the tenant",
            "机器人在企业中被停用",
            By::Console(ECHO, |s| s.console.activate_status = 1),
            config("bot", "disabled in the tenant"),
        ),
        row(
            "the app is not installed in the tenant",
            "应用未安装到企业",
            By::Console(ECHO, |s| s.console.activate_status = 0),
            config("bot", "not installed"),
        ),
        row(
            "the bot waits to be enabled",
            "机器人等待启用",
            By::Console(ECHO, |s| s.console.activate_status = 3),
            config("bot", "waits to be enabled"),
        ),
        row(
            "the plan has expired",
            "套餐已过期",
            By::Console(ECHO, |s| s.console.activate_status = 5),
            config("bot", "no valid licence or plan"),
        ),
        row(
            "the app is disabled",
            "应用已停用",
            By::Console(ECHO, |s| s.console.status = 0),
            config("app", "the app is disabled"),
        ),
        row(
            "403 for the link: no app for it",
            "长连接返回 403：应用不可用",
            By::Sim(|| refusal(403)),
            config("endpoint", "enabled and self-built"),
        ),
        row(
            "403 at the handshake",
            "握手返回 403",
            By::Sim(|| Fault::RefuseHandshake {
                status: 403,
                handshake_status: Some(403),
                autherrcode: None,
                msg: None,
                times: 1000,
            }),
            config("upgrade", "self-built"),
        ),
        row(
            "a route names a group that the bot is not in",
            "路由所列的群里没有机器人",
            By::Own("simulator", outside),
            config("chats", "the bot is not in oc_"),
        ),
    ]
}

fn outside() -> Own {
    Box::pin(async {
        let routes = ECHO.replace("senders", "chats = [\"{group}\"]\nsenders");
        let rig = Rig::new(&routes).await;
        let inside = Diagnosis::of(&rig, &[]).await;
        assert_eq!(inside.outcome("chats"), "pass", "{:#}", inside.report);
        rig.sim.platform().remove_bot(&rig.group, &AppSpec::default().app_id).unwrap();
        Some(Diagnosis::of(&rig, &[]).await)
    })
}

/// Both brands' real names through a proxy, each another simulator.
fn other_brand() -> Own {
    Box::pin(async {
        let hosts = ["open.feishu.cn", "open.larksuite.com"];
        let names = hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
        let authority = Authority::of("Test CA", &CertificateParams::new(names).unwrap());
        let stranger = AppSpec { app_id: "cli_0000000000000000".into(), ..AppSpec::default() };
        let feishu =
            Sim::start(SimOptions { apps: vec![stranger], ..authority.platform() }).await.unwrap();
        let ca = authority.file("ca.pem");
        let rest = format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", ca.display());
        let rig = Rig::with(authority.platform(), &rest).await;
        let address = |sim: &Sim| sim.url().replace("https://", "");
        let map = BTreeMap::from([
            ("open.feishu.cn:443".to_owned(), address(&feishu)),
            ("open.larksuite.com:443".to_owned(), address(&rig.sim)),
        ]);
        let proxy = Proxy::start(Manner::Connects(Arc::new(map))).await;
        let ask = async |domain| {
            let env = [
                ("LARKLINE__NETWORK__PROXY", proxy.url.as_str()),
                ("LARKLINE__APP__main__DOMAIN", domain),
            ];
            Diagnosis::of(&rig, &env).await
        };
        let right = ask("lark").await;
        right.expect("right", is("healthy", "tunnel", "connects to open.larksuite.com"));
        assert_eq!(right.outcome("pong"), "pass", "the socket goes there too: {:#}", right.report);
        Some(ask("feishu").await)
    })
}

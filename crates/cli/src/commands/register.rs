//! A QR code on the terminal until somebody has scanned it: shared by `init` and `doctor --fix`.

use std::time::Duration;

use larkline_client::registration::{Offer, Registered, Registrar, RegistrationError, Wanted};
use larkline_gateway::causes;
use larkline_gateway::needs::{Kind, Need};
use larkline_proto::id::AppId;
use tokio::time::{Instant, sleep};

use crate::exit::{Class, Failed};
use crate::lang::{either, lang};
use crate::{output, qr};

/// Codes offered one after the other; each works for ten minutes.
const OFFERS_MAX: u32 = 3;
/// How often the time left is written.
const TICK: Duration = Duration::from_secs(1);

/// What to ask for so that all these needs are met.
pub(crate) fn wanted(needs: &[Need], amends: Option<AppId>) -> Wanted {
    let of = |kind| needs.iter().filter(|n| n.kind == kind).map(|n| n.name().to_owned()).collect();
    Wanted {
        scopes: of(Kind::Scope),
        events: of(Kind::Event),
        callbacks: of(Kind::Callback),
        amends,
    }
}

/// All its names in a line.
pub(crate) fn listed(wanted: &Wanted) -> String {
    [&wanted.scopes[..], &wanted.events, &wanted.callbacks].concat().join(", ")
}

/// Offers a code, and another one when it expires, until somebody has answered.
///
/// # Errors
/// [`Failed`]: refused, nobody came, or the server has words of its own.
pub(crate) async fn run(registrar: &Registrar, wanted: &Wanted) -> Result<Registered, Failed> {
    let mut nth = 1;
    loop {
        let offer = registrar.begin(wanted).await.map_err(failed)?;
        show(&offer);
        let answer = tokio::select! {
            answer = registrar.wait(&offer) => answer,
            never = count_down(&offer) => match never {},
        };
        output::progress("");
        match answer {
            Err(RegistrationError::Expired { .. }) if nth < OFFERS_MAX => {
                nth += 1;
                output::note(either(
                    "这个码已过期，换一个新的：",
                    "that code has expired; here is another:",
                ));
            }
            other => return other.map_err(failed),
        }
    }
}

fn show(offer: &Offer) {
    match qr::for_stderr(offer.url.as_str()) {
        Some(code) => {
            output::note(either(
                "请用飞书（或 Lark）扫码，或在浏览器里打开下面的链接：",
                "Scan this with Feishu or Lark, or open the address below in a browser:",
            ));
            output::note(&code);
        }
        None => output::note(either(
            "请在浏览器里打开此链接（终端足够宽时会画出二维码）：",
            "Open this address in a browser (a terminal that is wide enough gets a QR code):",
        )),
    }
    output::note(offer.url.as_str());
}

/// Shows how long the code still works.
async fn count_down(offer: &Offer) -> std::convert::Infallible {
    loop {
        let left = output::minutes(offer.expires.saturating_duration_since(Instant::now()));
        output::progress(&say!(
            zh: "等待扫码，此码还有 {left} 有效",
            en: "waiting for somebody to scan it; it works for {left} more"
        ));
        sleep(TICK).await;
    }
}

/// What a failure means to the operator.
fn failed(error: RegistrationError) -> Failed {
    let by_hand = either(
        "这是服务器的原话；请改在开发者后台手工设置（docs/getting-started.zh-CN.md）",
        "these are the server's own words; set the app up in the console by hand (docs/getting-started.md)",
    );
    let (class, what, next) = match error {
        RegistrationError::Denied => (
            Class::PlatformConfig,
            either("对方拒绝了", "the person refused").to_owned(),
            either(
                "再运行一次并在页面上同意；或者在开发者后台手工设置（docs/getting-started.zh-CN.md）",
                "run it again and allow it on the page; or set the app up in the console by hand (docs/getting-started.md)",
            ),
        ),
        RegistrationError::Expired { last } => (
            Class::PlatformConfig,
            match last {
                None => either("没有人扫码", "nobody scanned a code").to_owned(),
                Some(last) => say!(
                    zh: "没有得到回答：{last}", en: "there was no answer: {last}",
                    last = causes::api(lang(), &last)
                ),
            },
            either("准备好手机后再运行一次", "run it again when a phone is at hand"),
        ),
        RegistrationError::Refused { error, description } => (
            Class::Platform,
            say!(
                zh: "服务器拒绝：{error}：{description}",
                en: "the server refused: {error}: {description}"
            ),
            by_hand,
        ),
        RegistrationError::Call(call) => (
            Class::of_api(&call),
            say!(
                zh: "账号主机没有给出回答：{call}", en: "the host of accounts gave no answer: {call}",
                call = causes::api(lang(), &call)
            ),
            either(
                "请检查到账号主机的网络和代理（[network]，init 用 --proxy 和 --ca-file），或在开发者后台手工设置",
                "check network and proxy to the host of accounts ([network]; for init --proxy and --ca-file), or set the app up in the console by hand",
            ),
        ),
        other @ (RegistrationError::Unsupported { .. } | _) => (
            Class::Platform,
            say!(zh: "注册失败：{other}", en: "the registration failed: {other}"),
            by_hand,
        ),
    };
    Failed { class, what, next: next.to_owned() }
}

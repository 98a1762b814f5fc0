//! Which app: a new or another one by QR code, or one whose id and secret are at hand. Its credentials
//! are tried before anything depends on them.

use std::time::Duration;

use anyhow::Result;
use larkline_client::registration::{Accounts, Registrar};
use larkline_client::{Dialer, LARK, Secret};
use larkline_gateway::causes;
use larkline_gateway::config::{App, Config};
use larkline_gateway::needs;
use larkline_proto::id::AppId;

use super::draft::{Draft, SecretAt};
use super::files::Place;
use super::questions::{Asker, Way};
use crate::args::{Brand, InitArgs};
use crate::commands::credentials::{self, Refused, Trial};
use crate::commands::register;
use crate::exit::{Class, Failed, Yours};
use crate::explain;
use crate::lang::{either, lang};
use crate::output;

/// How often a person may paste credentials that are refused.
const PASTES_MAX: u32 = 3;
/// A new app may take a moment to be known everywhere.
const NEW_APP_TRIES: u32 = 4;
/// Between those tries.
const NEW_APP_WAIT: Duration = Duration::from_secs(2);

/// Finds the app and completes the draft with it.
pub(super) async fn find(
    asker: &Asker,
    args: &InitArgs,
    place: &Place,
    draft: &mut Draft,
) -> Result<()> {
    let config = place.check_without_secret(&draft.text())?;
    let dialer = Dialer::new(&config.network.to_net_options())
        .map_err(|error| local(causes::net(lang(), &error)))?;
    match asker.way(args)? {
        Way::Scan => scan(args, place, draft, &config, dialer).await,
        Way::Known(app_id, secret) => {
            (draft.app_id, draft.secret) = (app_id, secret);
            let config = place.check(&draft.text())?;
            let app = main(&config)?;
            accepted(&dialer, app, &app.app_secret, args.timeout).await.map_err(Into::into)
        }
        Way::Paste => paste(asker, args, place, draft, &dialer).await,
    }
}

fn local(what: String) -> Failed {
    let next =
        either("改正 --proxy 或 --ca-file 后再运行", "mend --proxy or --ca-file, and run it again");
    Failed { class: Class::LocalFault, what, next: next.to_owned() }
}

/// The app that the draft is about; the environment may add others.
pub(super) fn main(config: &Config) -> Result<&App> {
    let main = config.apps.iter().find(|app| app.name == "main");
    main.ok_or_else(|| {
        Yours(either("配置中没有 app.main", "there is no app.main").to_owned()).into()
    })
}

async fn scan(
    args: &InitArgs,
    place: &Place,
    draft: &mut Draft,
    config: &Config,
    dialer: Dialer,
) -> Result<()> {
    let app = main(config)?;
    let wanted = register::wanted(&needs::of(config, app), None);
    let list = register::listed(&wanted);
    output::note(&say!(
        zh: "将申请的权限、事件和回调：{list}",
        en: "scopes, events and callbacks that are asked for: {list}"
    ));
    let mut accounts = Accounts::of(&app.domain);
    accounts.base = args.accounts.clone().unwrap_or(accounts.base);
    accounts.lark = args.lark_accounts.clone().unwrap_or(accounts.lark);
    let registrar = Registrar::new(dialer.clone(), accounts, args.timeout);
    let done = register::run(&registrar, &wanted).await?;
    if done.on_lark && draft.brand == Brand::Feishu {
        draft.brand = Brand::Lark;
        output::note(
            &say!(zh: "扫码的人在 Lark 上：domain = \"lark\"（{LARK}）", en: "the person is on Lark: domain = \"lark\" ({LARK})"),
        );
    }
    let path = place.write_secret(&done.app_secret)?;
    output::note(&say!(
        zh: "应用 {id}；secret 在 {path}，权限 0600",
        en: "the app is {id}; its secret is in {path}, mode 0600",
        id = done.app_id, path = path.display()
    ));
    draft.app_id = done.app_id;
    if draft.owners.is_empty()
        && let Some(owner) = done.owner
    {
        output::note(
            &say!(zh: "owner 是扫码的人：{owner}", en: "its owner is whoever scanned: {owner}"),
        );
        draft.owners.push(owner);
    }
    let config = place.check(&draft.text())?;
    let app = main(&config)?;
    let mut nth = 1;
    while let Err(failed) = accepted(&dialer, app, &done.app_secret, args.timeout).await {
        if nth >= NEW_APP_TRIES {
            return Err(failed.into());
        }
        nth += 1;
        tokio::time::sleep(NEW_APP_WAIT).await;
    }
    Ok(())
}

/// Id and secret from a terminal, again when they are refused.
async fn paste(
    asker: &Asker,
    args: &InitArgs,
    place: &Place,
    draft: &mut Draft,
    dialer: &Dialer,
) -> Result<()> {
    let mut nth = 1;
    loop {
        let (app_id, secret) = asker.credentials(args.app_id.as_deref())?;
        draft.app_id = app_id;
        let config = place.check_without_secret(&draft.text())?;
        match accepted(dialer, main(&config)?, &secret, args.timeout).await {
            Ok(()) => {
                let path = place.write_secret(&secret)?;
                output::note(&say!(
                    zh: "secret 在 {path}，权限 0600",
                    en: "the secret is in {path}, mode 0600",
                    path = path.display()
                ));
                draft.secret = SecretAt::File(place.secret_name());
                return Ok(());
            }
            Err(failed) if nth < PASTES_MAX && failed.class == Class::Credentials => {
                nth += 1;
                output::note(&failed.to_string());
            }
            Err(failed) => return Err(failed.into()),
        }
    }
}

/// Tries the credentials by fetching a token.
async fn accepted(
    dialer: &Dialer,
    app: &App,
    secret: &Secret,
    limit: Duration,
) -> Result<(), Failed> {
    let trial = Trial { dialer, domain: &app.domain, app_id: &app.app_id, secret, limit };
    let Err(error) = trial.client().verify().await else {
        output::note(either("平台接受 app id 和 secret", "the platform accepts app id and secret"));
        return Ok(());
    };
    let Refused { class, what, next } = trial.explain(&error, "--domain").await;
    let (what, next) = match next {
        Some(next) => (what, next),
        None => match what.rsplit_once(either("；", "; ")) {
            Some((what, next)) => (what.to_owned(), next.to_owned()),
            None => (what.clone(), known(&what).to_owned()),
        },
    };
    let look = say!(
        zh: "；网络和代理的问题见 docs/errors/network.md，--proxy 和 --ca-file 可设置",
        en: "; for network and proxies see docs/errors/network.md, and --proxy and --ca-file"
    );
    let far = matches!(class, Class::Network | Class::Tls | Class::Proxy);
    Err(Failed { class, what, next: if far { next + &look } else { next } })
}

/// What to do about an error that does not say so itself.
fn known(error: &str) -> &'static str {
    let entry = explain::find(error).into_iter().next();
    entry.map_or_else(credentials::look_up, |entry| entry.words(lang()).remedy)
}

/// The pages where the app is set up, by the way there in the console.
pub(super) fn event_page(app: &App) -> String {
    credentials::page(&app.domain, &app.app_id, "event")
}

/// Whether an id has the form of the platform's.
pub(super) fn well_formed(id: &str) -> Result<AppId, String> {
    let app_id = AppId::new(id.trim());
    match app_id.is_well_formed() {
        true => Ok(app_id),
        false => Err(say!(
            zh: "{id} 不是 app id：它是 `cli_` 加 16 位数字或字母 a-f，见后台“凭证与基础信息”",
            en: "{id} is no app id: one is `cli_` and 16 digits or letters a-f, see Credentials & basic info in the console"
        )),
    }
}

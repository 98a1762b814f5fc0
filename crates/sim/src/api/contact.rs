//! People, by id, by mail, one or many. Reference: open API, 6.3.
//!
//! A mail address is the user id at `example.com`. Without the scope of a field the call
//! succeeds and the field is missing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::reply::{Refusal, Reply, Result};
use crate::world::UserIx;

/// People asked for at once.
const BATCH_MAX: usize = 50;
/// People whose profile is asked for at once.
const PROFILES_MAX: usize = 10;

/// `GET /open-apis/contact/v3/users/:user_id`.
pub(super) fn get(cx: &mut Context<'_>) -> Result {
    let user = of_id(cx, &cx.param("user_id"));
    let user = user.ok_or_else(|| Refusal::new(41_012, "user id invalid"))?;
    Ok(Reply::Data(json!({ "user": object(cx, user) })))
}

/// `GET /open-apis/contact/v3/users/batch?user_ids=…&user_ids=…`: unknown ids are left out.
pub(super) fn batch(cx: &mut Context<'_>) -> Result {
    let ids: Vec<_> =
        cx.call.query.iter().filter(|(k, _)| k == "user_ids").map(|(_, v)| v.clone()).collect();
    if ids.is_empty() || ids.len() > BATCH_MAX {
        return Err(Refusal::new(40_001, "user_ids must be 1 to 50"));
    }
    let users = ids.iter().filter_map(|id| of_id(cx, id));
    let items: Vec<_> = users.map(|user| object(cx, user)).collect();
    Ok(Reply::Data(json!({ "items": items })))
}

/// `POST /open-apis/contact/v3/users/basic_batch`: names, whatever the contacts range.
pub(super) fn basic_batch(cx: &mut Context<'_>) -> Result {
    #[derive(Deserialize)]
    struct Asked {
        user_ids: Vec<String>,
    }
    let asked: Asked = cx.json()?;
    if asked.user_ids.is_empty() || asked.user_ids.len() > PROFILES_MAX {
        return Err(Refusal::new(40_001, "user_ids must be 1 to 10"));
    }
    let named = |id: &String| {
        let name = &cx.world.user(of_id(cx, id)?).name;
        Some(json!({"user_id": id, "name": name, "i18n_name": {"zh_cn": name, "en_us": name}}))
    };
    let users: Vec<_> = asked.user_ids.iter().filter_map(named).collect();
    Ok(Reply::Data(json!({ "users": users })))
}

/// `POST /open-apis/contact/v3/users/batch_get_id`: an unknown address comes back without an id.
pub(super) fn batch_get_id(cx: &mut Context<'_>) -> Result {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Asked {
        emails: Vec<String>,
        mobiles: Vec<String>,
    }
    let asked: Asked = cx.json()?;
    if asked.emails.len() > BATCH_MAX || asked.mobiles.len() > BATCH_MAX {
        return Err(Refusal::new(40_001, "at most 50 of each"));
    }
    let by_mail = asked.emails.iter().map(|mail| {
        let mut entry = json!({ "email": mail });
        let id = mail.strip_suffix("@example.com");
        let user = cx.world.users.iter().position(|u| Some(u.user_id.as_str()) == id).map(UserIx);
        if let Some(user) = user {
            entry["user_id"] = id_of(cx, user);
        }
        entry
    });
    // Nobody here has a telephone.
    let by_mobile = asked.mobiles.iter().map(|mobile| json!({ "mobile": mobile }));
    let list: Vec<Value> = by_mail.chain(by_mobile).collect();
    Ok(Reply::Data(json!({ "user_list": list })))
}

/// The person an id of the asked type means.
fn of_id(cx: &Context<'_>, id: &str) -> Option<UserIx> {
    let users = &cx.world.users;
    match cx.call.query("user_id_type") {
        Some("union_id") => users.iter().position(|u| u.union_id == id).map(UserIx),
        Some("user_id") => users.iter().position(|u| u.user_id == id).map(UserIx),
        _ => {
            let known = cx.world.by_open_id(&id.into()).filter(|(_, app)| *app == cx.app);
            known.map(|(user, _)| user)
        }
    }
}

fn id_of(cx: &Context<'_>, user: UserIx) -> Value {
    let person = cx.world.user(user);
    match cx.call.query("user_id_type") {
        Some("union_id") => json!(person.union_id),
        Some("user_id") => json!(person.user_id),
        _ => json!(person.open_ids.get(cx.app.0)),
    }
}

fn object(cx: &Context<'_>, user: UserIx) -> Value {
    let mut data = cx.world.user_ids(user, cx.app);
    let person = cx.world.user(user);
    if cx.world.app(cx.app).may(&["contact:user.base:readonly"]) {
        data["name"] = json!(person.name);
        data["en_name"] = json!(person.name);
    }
    if cx.world.app(cx.app).may(&["contact:user.email:readonly"]) {
        data["email"] = json!(format!("{}@example.com", person.user_id));
    }
    data
}

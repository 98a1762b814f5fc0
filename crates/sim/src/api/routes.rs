//! The table of routes: method, path, scopes, API.

use http::Method;

use super::reply::Result;
use super::{
    Context, cardkit, chat, contact, diagnosis, file, history, message, reaction, receipt,
};

const SEND: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:send"];
const UPDATE: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:update"];
const RECALL: &[&str] = &["im:message", "im:message:recall", "im:message:send_as_bot"];
const READ: &[&str] = &["im:message", "im:message:readonly", "im:message.history:readonly"];
const REACT: &[&str] = &["im:message", "im:message.reactions:write_only"];
const READ_REACTIONS: &[&str] = &["im:message.reactions:read", "im:message:readonly"];
const CHAT: &[&str] =
    &["im:chat", "im:chat:readonly", "im:chat:read", "im:chat.group_info:readonly"];
const MEMBERS: &[&str] = &["im:chat", "im:chat:readonly", "im:chat:read", "im:chat.members:read"];
const CARDKIT: &[&str] = &["cardkit:card:write"];
const UPLOAD: &[&str] = &["im:resource", "im:resource:upload"];
const MANAGE: &[&str] = &["application:application:self_manage", "admin:app.info:readonly"];
const PROFILE: &[&str] = &["contact:user.basic_profile:readonly"];
const USER_ID: &[&str] = &["contact:user.id:readonly"];
const READ_USERS: &[&str] = &["im:message", "im:message:readonly", "im:message:basic"];
const URGENT: &[&str] = &["im:message.urgent"];
const CONTACT: &[&str] = &[
    "contact:contact.base:readonly",
    "contact:contact:readonly",
    "contact:contact:readonly_as_app",
];

/// A route: method, path with `:name` for parameters, scopes of which one is needed, API.
pub(super) struct Route(
    pub(super) Method,
    pub(super) &'static str,
    pub(super) &'static [&'static str],
    pub(super) fn(&mut Context<'_>) -> Result,
);

/// Every API behind a token.
pub(super) const ROUTES: &[Route] = &[
    Route(Method::POST, "/open-apis/im/v1/messages", SEND, message::send),
    Route(Method::GET, "/open-apis/im/v1/messages", READ, history::list),
    Route(Method::POST, "/open-apis/im/v1/messages/:message_id/reply", SEND, message::reply),
    Route(Method::PUT, "/open-apis/im/v1/messages/:message_id", UPDATE, message::edit),
    Route(Method::PATCH, "/open-apis/im/v1/messages/:message_id", UPDATE, message::patch_card),
    Route(Method::DELETE, "/open-apis/im/v1/messages/:message_id", RECALL, message::recall),
    Route(Method::GET, "/open-apis/im/v1/messages/:message_id", READ, history::get),
    Route(Method::POST, "/open-apis/im/v1/messages/:message_id/reactions", REACT, reaction::add),
    Route(
        Method::GET,
        "/open-apis/im/v1/messages/:message_id/reactions",
        READ_REACTIONS,
        reaction::list,
    ),
    Route(
        Method::DELETE,
        "/open-apis/im/v1/messages/:message_id/reactions/:reaction_id",
        REACT,
        reaction::remove,
    ),
    Route(
        Method::GET,
        "/open-apis/im/v1/messages/:message_id/resources/:file_key",
        READ,
        file::resource,
    ),
    Route(Method::POST, "/open-apis/im/v1/images", UPLOAD, file::upload_image),
    Route(Method::POST, "/open-apis/im/v1/files", UPLOAD, file::upload_file),
    Route(Method::GET, "/open-apis/im/v1/images/:file_key", UPLOAD, file::own_image),
    Route(Method::GET, "/open-apis/im/v1/files/:file_key", UPLOAD, file::own_file),
    Route(Method::GET, "/open-apis/im/v1/chats", CHAT, chat::list),
    Route(Method::GET, "/open-apis/im/v1/chats/:chat_id", CHAT, chat::get),
    Route(Method::GET, "/open-apis/im/v1/chats/:chat_id/members", MEMBERS, chat::members),
    Route(
        Method::GET,
        "/open-apis/im/v1/chats/:chat_id/members/is_in_chat",
        MEMBERS,
        chat::is_in_chat,
    ),
    Route(Method::POST, "/open-apis/interactive/v1/card/update", UPDATE, cardkit::update_by_token),
    Route(Method::POST, "/open-apis/cardkit/v1/cards", CARDKIT, cardkit::create),
    Route(Method::POST, "/open-apis/cardkit/v1/cards/id_convert", CARDKIT, cardkit::id_convert),
    Route(Method::PUT, "/open-apis/cardkit/v1/cards/:card_id", CARDKIT, cardkit::replace),
    Route(
        Method::PATCH,
        "/open-apis/cardkit/v1/cards/:card_id/settings",
        CARDKIT,
        cardkit::settings,
    ),
    Route(
        Method::POST,
        "/open-apis/cardkit/v1/cards/:card_id/batch_update",
        CARDKIT,
        cardkit::batch,
    ),
    Route(
        Method::POST,
        "/open-apis/cardkit/v1/cards/:card_id/elements",
        CARDKIT,
        cardkit::add_elements,
    ),
    Route(
        Method::PUT,
        "/open-apis/cardkit/v1/cards/:card_id/elements/:element_id",
        CARDKIT,
        cardkit::replace_element,
    ),
    Route(
        Method::PATCH,
        "/open-apis/cardkit/v1/cards/:card_id/elements/:element_id",
        CARDKIT,
        cardkit::patch_element,
    ),
    Route(
        Method::DELETE,
        "/open-apis/cardkit/v1/cards/:card_id/elements/:element_id",
        CARDKIT,
        cardkit::delete_element,
    ),
    Route(
        Method::PUT,
        "/open-apis/cardkit/v1/cards/:card_id/elements/:element_id/content",
        CARDKIT,
        cardkit::stream,
    ),
    Route(Method::GET, "/open-apis/contact/v3/users/batch", CONTACT, contact::batch),
    Route(Method::POST, "/open-apis/contact/v3/users/basic_batch", PROFILE, contact::basic_batch),
    Route(Method::POST, "/open-apis/contact/v3/users/batch_get_id", USER_ID, contact::batch_get_id),
    Route(Method::GET, "/open-apis/contact/v3/users/:user_id", CONTACT, contact::get),
    Route(
        Method::GET,
        "/open-apis/im/v1/messages/:message_id/read_users",
        READ_USERS,
        receipt::read_users,
    ),
    Route(
        Method::POST,
        "/open-apis/im/v1/messages/reactions/batch_query",
        READ_REACTIONS,
        reaction::batch,
    ),
    Route(
        Method::PATCH,
        "/open-apis/im/v1/messages/:message_id/urgent_app",
        URGENT,
        receipt::urgent,
    ),
    Route(Method::GET, "/open-apis/bot/v3/info", &[], diagnosis::bot_info),
    Route(Method::GET, "/open-apis/event/v1/connection", &[], diagnosis::connection_count),
    Route(Method::GET, "/open-apis/application/v6/scopes", &[], diagnosis::scopes),
    Route(
        Method::GET,
        "/open-apis/application/v6/applications/:app_id",
        MANAGE,
        diagnosis::application,
    ),
    Route(
        Method::GET,
        "/open-apis/application/v6/applications/:app_id/app_versions",
        MANAGE,
        diagnosis::versions,
    ),
];

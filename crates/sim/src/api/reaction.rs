//! Reactions: add, remove, list. Reference: open API, 2.7.

use larkline_proto::id::MessageId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::chat::{page, paged};
use super::history::in_chat;
use super::reply::{Refusal, Reply, Result};
use crate::ledger::ReactionRow;
use crate::world::{Reaction, Sender, World};

/// The documented names. Case matters.
const EMOJI: &str = "
OK THUMBSUP THANKS MUSCLE FINGERHEART APPLAUSE FISTBUMP JIAYI DONE SMILE BLUSH LAUGH SMIRK LOL FACEPALM
LOVE WINK PROUD WITTY SMART SCOWL THINKING SOB CRY ERROR NOSEPICK HAUGHTY SLAP SPITBLOOD TOASTED GLANCE
DULL INNOCENTSMILE JOYFUL WOW TRICK YEAH ENOUGH TEARS EMBARRASSED KISS SMOOCH DROOL OBSESSED MONEY TEASE
SHOWOFF COMFORT CLAP PRAISE STRIVE XBLUSH SILENT WAVE WHAT FROWN SHY DIZZY LOOKDOWN CHUCKLE WAIL CRAZY
WHIMPER HUG BLUBBER WRONGED HUSKY SHHH SMUG ANGRY HAMMER SHOCKED TERROR PETRIFIED SKULL SWEAT SPEECHLESS
SLEEP DROWSY YAWN SICK PUKE BETRAYED HEADSET EatingFood MeMeMe Sigh Typing Lemon Get LGTM OnIt OneSecond
VRHeadset YouAreTheBest SALUTE SHAKE HIGHFIVE UPPERLEFT ThumbsDown SLIGHT TONGUE EYESCLOSED RoarForYou
CALF BEAR BULL RAINBOWPUKE ROSE HEART PARTY LIPS BEER CAKE GIFT CUCUMBER Drumstick Pepper CANDIEDHAWS
BubbleTea Coffee Yes No OKR CheckMark CrossMark MinusOne Hundred AWESOMEN Pin Alarm Loudspeaker Trophy
Fire BOMB Music XmasTree Snowman XmasHat FIREWORKS 2022 REDPACKET FORTUNE LUCK FIRECRACKER StickyRiceBalls
HEARTBROKEN POOP StatusFlashOfInspiration 18X CLEAVER Soccer Basketball GeneralDoNotDisturb
Status_PrivateMessage GeneralInMeetingBusy StatusReading StatusInFlight GeneralBusinessTrip
GeneralWorkFromHome StatusEnjoyLife GeneralTravellingCar StatusBus GeneralSun GeneralMoonRest MoonRabbit
Mooncake JubilantRabbit TV Movie Pumpkin BeamingFace Delighted ColdSweat FullMoonFace Partying GoGoGo
ThanksFace SaluteFace Shrug ClownFace HappyDragon";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    reaction_type: Kind,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    emoji_type: String,
}

/// Adds one; the same emoji again gives the reaction that is there.
pub(super) fn add(cx: &mut Context<'_>) -> Result {
    let emoji = cx.json::<Asked>()?.reaction_type.emoji_type;
    if !EMOJI.split_whitespace().any(|known| known == emoji) {
        return Err(Refusal::new(231_001, "The reaction type is invalid."));
    }
    let message = target(cx)?;
    let by = Sender::App(cx.app);
    let same = |r: &&Reaction| r.by == by && r.emoji == emoji;
    if let Some(reaction) = of(cx, &message).iter().find(same) {
        return Ok(Reply::Data(object(cx.world, reaction)));
    }
    let id = cx.world.hex(24);
    let row = ReactionRow {
        reaction_id: id.clone(),
        message_id: message.clone(),
        emoji: emoji.clone(),
        at_ms: cx.now_ms,
        removed_ms: None,
    };
    let rows_max = cx.world.options.ledger_rows_max;
    let row = Some(cx.world.ledger.reactions.push(row, rows_max));
    let reaction = Reaction { id, by, emoji: emoji.clone(), at_ms: cx.now_ms, row };
    let data = object(cx.world, &reaction);
    if let Some(known) = cx.world.messages.get_mut(&message) {
        known.reactions.push(reaction);
    }
    // A bot hears of its own reactions too (reference 5.3).
    cx.world.app_reacted(cx.now_ms, cx.app, &message, &emoji, true);
    Ok(Reply::Data(data))
}

/// Removes the app's own.
pub(super) fn remove(cx: &mut Context<'_>) -> Result {
    let message = target(cx)?;
    let id = cx.param("reaction_id");
    let reaction = of(cx, &message).iter().find(|r| r.id == id);
    let reaction = reaction.ok_or_else(|| Refusal::new(231_011, "The reaction_id is invalid."))?;
    if reaction.by != Sender::App(cx.app) {
        return Err(Refusal::new(231_007, "The reaction is not yours."));
    }
    let (data, row, emoji) = (object(cx.world, reaction), reaction.row, reaction.emoji.clone());
    if let Some(message) = cx.world.messages.get_mut(&message) {
        message.reactions.retain(|r| r.id != id);
    }
    if let Some(row) = row.and_then(|row| cx.world.ledger.reactions.get_mut(row)) {
        row.removed_ms = Some(cx.now_ms);
    }
    cx.world.app_reacted(cx.now_ms, cx.app, &message, &emoji, false);
    Ok(Reply::Data(data))
}

/// `POST /open-apis/im/v1/messages/reactions/batch_query`: up to twenty messages.
pub(super) fn batch(cx: &mut Context<'_>) -> Result {
    #[derive(Deserialize)]
    struct Of {
        message_id: MessageId,
    }
    #[derive(Deserialize)]
    struct Queries {
        queries: Vec<Of>,
        #[serde(default = "page_size")]
        page_size_per_message: usize,
    }
    fn page_size() -> usize {
        10
    }
    let asked: Queries = cx.json()?;
    let sizes = 1..=10;
    if !(1..=20).contains(&asked.queries.len()) || !sizes.contains(&asked.page_size_per_message) {
        return Err(Refusal::new(99_992_402, "field validation failed: queries"));
    }
    let of_message = |query: &Of| {
        let all = of(cx, &query.message_id);
        let items: Vec<_> =
            all.iter().take(asked.page_size_per_message).map(|r| object(cx.world, r)).collect();
        json!({"message_id": query.message_id, "items": items, "has_more": items.len() < all.len()})
    };
    let items: Vec<_> = asked.queries.iter().map(of_message).collect();
    Ok(Reply::Data(json!({ "success_msg_reactions": items })))
}

/// Lists a message's reactions.
pub(super) fn list(cx: &mut Context<'_>) -> Result {
    let message = target(cx)?;
    let wanted = cx.call.query("reaction_type").filter(|t| !t.is_empty());
    let rows = of(cx, &message).iter().filter(|r| wanted.is_none_or(|w| w == r.emoji));
    let rows: Vec<_> = rows.map(|r| object(cx.world, r)).collect();
    let (items, next) = page(cx, rows, 20, 50)?;
    Ok(Reply::Data(paged(items, next)))
}

fn of<'a>(cx: &'a Context<'_>, message: &MessageId) -> &'a [Reaction] {
    cx.world.messages.get(message).map_or(&[], |m| &m.reactions)
}

fn target(cx: &Context<'_>) -> std::result::Result<MessageId, Refusal> {
    let id = MessageId::new(cx.param("message_id"));
    let gone = || Refusal::new(231_003, "The message is not found or has been recalled.");
    let message = cx.world.messages.get(&id).filter(|m| !m.recalled).ok_or_else(gone)?;
    let out = |_| Refusal::new(231_002, "No permission to react in this chat.");
    in_chat(cx, &message.chat).map_err(out)?;
    Ok(id)
}

fn object(world: &World, reaction: &Reaction) -> Value {
    let (operator, kind) = match reaction.by {
        Sender::App(app) => (world.app_id(app).to_string(), "app"),
        Sender::User(user) => {
            (world.user(user).open_ids.first().map(ToString::to_string).unwrap_or_default(), "user")
        }
    };
    json!({
        "reaction_id": reaction.id,
        "operator": {"operator_id": operator, "operator_type": kind},
        "action_time": reaction.at_ms.to_string(),
        "reaction_type": {"emoji_type": reaction.emoji},
    })
}

// The platform names its emoji; these are the ones that have a sign of their own here.

const SIGNS = {
  THUMBSUP: "👍", ThumbsDown: "👎", OK: "👌", THANKS: "🙏", HEART: "❤️", SMILE: "🙂", LAUGH: "😄", LOL: "😂",
  CLAP: "👏", APPLAUSE: "👏", PARTY: "🎉", Fire: "🔥", DONE: "✅", CheckMark: "✔️", CrossMark: "❌", MUSCLE: "💪",
  THINKING: "🤔", CRY: "😢", SOB: "😭", WOW: "😮", SALUTE: "🫡", LOVE: "😍", WINK: "😉", ROSE: "🌹",
  OneSecond: "⏳", Typing: "⌨️", OnIt: "🛠️", LGTM: "👀", Get: "📥", JIAYI: "➕", Pin: "📌", Alarm: "⏰",
  Coffee: "☕", BEER: "🍺", CAKE: "🎂", GIFT: "🎁", Trophy: "🏆", ROCKET: "🚀", Hundred: "💯", SHAKE: "🤝",
  Yes: "✅", No: "🚫", SWEAT: "😅", FACEPALM: "🤦", ANGRY: "😠", POOP: "💩", BOMB: "💣", Music: "🎵",
};

/** The sign of an emoji's name, if it has one. */
export const emoji = (name) => SIGNS[name];

/** What people react with most. */
export const REACTIONS = ["THUMBSUP", "OK", "HEART", "THANKS", "LAUGH", "CLAP", "PARTY", "DONE", "THINKING", "Fire", "SALUTE", "SOB"];

// The page: its parts started, and the feed followed.

import { fill, onLanguage } from "./i18n.js";
import { follow } from "./api.js";
import { state, take, tell } from "./store.js";
import * as composer from "./composer.js";
import * as faults from "./faults.js";
import * as header from "./header.js";
import * as keys from "./keys.js";
import * as log from "./log.js";
import * as sidebar from "./sidebar.js";
import * as story from "./story.js";

fill();
for (const part of [header, sidebar, log, composer, faults, keys, story]) part.start();
onLanguage(() => {
  for (const part of [header, sidebar, composer, faults]) part.redraw();
  log.redrawAll();
});
follow(take, (online) => {
  if (state.online === online) return;
  state.online = online;
  document.body.dataset.online = String(online);
  tell("online");
});

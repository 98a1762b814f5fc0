// What the page asks of the simulator.

/** A refusal, with the simulator's own sentence. */
export class Refused extends Error {}

async function read(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(body.error ?? `HTTP ${response.status}`);
  return body;
}

export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(`/_sim/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function get(path) {
  return read(await fetch(`/_sim/${path}`));
}

export const fileUrl = (key) => `/_sim/file?key=${encodeURIComponent(key)}`;

const KINDS = ["everything", "people", "message", "state", "gateway", "verdicts"];
const RETRY_MS = 1000;

/**
 * Follows the feed of changes. The browser reconnects by itself and says where it stopped; only
 * when it has given up is a new connection made here, which says the same.
 */
export function follow(onEvent, onState) {
  let last = "";
  const open = () => {
    const source = new EventSource(`/_sim/feed${last ? `?last=${encodeURIComponent(last)}` : ""}`);
    source.addEventListener("open", () => onState(true));
    source.addEventListener("error", () => {
      onState(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS);
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        onEvent(kind, JSON.parse(event.data));
      });
    }
  };
  open();
}

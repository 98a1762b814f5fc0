-- What an event costs at the moment it comes in.
--
-- The number of an event is one above the greatest there is: no page of its own for the last
-- number. Pruning leaves the newest event where it is, so from here on no number is used twice.
-- When events left their acks moved out of their rows: events that came together share one line.

CREATE TABLE acked (
    first        INTEGER PRIMARY KEY,    -- events from here
    last         INTEGER NOT NULL,       -- to here, both among them
    journaled_ms INTEGER NOT NULL,
    acked_ms     INTEGER NOT NULL
) STRICT;
INSERT INTO acked (first, last, journaled_ms, acked_ms)
    SELECT id, id, coalesce(journaled_ms, acked_ms), acked_ms FROM inbox
    WHERE acked_ms IS NOT NULL;

CREATE TABLE inbox_new (
    id          INTEGER PRIMARY KEY,
    app         TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    message_id  TEXT,
    chat_id     TEXT,
    chat_type   TEXT,
    sender      TEXT,
    created_ms  INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    boot_id     TEXT    NOT NULL,
    preview     TEXT    NOT NULL,
    repeats     INTEGER NOT NULL DEFAULT 0,
    routed_ms   INTEGER,                 -- NULL: no routing decision yet
    final       INTEGER NOT NULL DEFAULT 0,  -- 1: the router ended it; a notice does not reopen it
    pending     INTEGER NOT NULL DEFAULT 0,  -- its tasks and outbox rows that are not terminal
    dead        INTEGER NOT NULL DEFAULT 0,  -- its tasks and outbox rows that died
    verdict     TEXT    NOT NULL DEFAULT 'waiting',
    why         TEXT    NOT NULL DEFAULT '',
    verdict_ms  INTEGER
) STRICT;
INSERT INTO inbox_new
    SELECT id, app, event_id, kind, message_id, chat_id, chat_type, sender, created_ms,
        received_ms, boot_id, preview, repeats, routed_ms, final, pending, dead, verdict, why,
        verdict_ms
    FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE INDEX inbox_unrouted ON inbox (app, id) WHERE routed_ms IS NULL;
CREATE INDEX inbox_waiting  ON inbox (id) WHERE verdict = 'waiting';
CREATE INDEX inbox_failed   ON inbox (id) WHERE verdict = 'failed';
CREATE INDEX inbox_chat     ON inbox (chat_id, id) WHERE chat_id IS NOT NULL;
-- An event is not decided before an older one of its chat.
CREATE INDEX inbox_undecided ON inbox (app, chat_id) WHERE routed_ms IS NULL;

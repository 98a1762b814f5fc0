-- The line: what came in, what is to be done with it, what goes out.
--
-- Times are Unix milliseconds and come from the caller. Numbers of inbox, task and outbox
-- rows are never used twice (AUTOINCREMENT): leases and reply keys are made of them.

CREATE TABLE boot (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id    TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    reason     TEXT                      -- NULL when it never said goodbye
) STRICT;

-- Narrow on purpose: a row is updated up to four times, its payload never.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
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
    acked_ms    INTEGER,
    routed_ms   INTEGER,                 -- NULL: no routing decision yet
    final       INTEGER NOT NULL DEFAULT 0,  -- 1: the router ended it; a notice does not reopen it
    pending     INTEGER NOT NULL DEFAULT 0,  -- its tasks and outbox rows that are not terminal
    dead        INTEGER NOT NULL DEFAULT 0,  -- its tasks and outbox rows that died
    verdict     TEXT    NOT NULL DEFAULT 'waiting',
    why         TEXT    NOT NULL DEFAULT '',
    verdict_ms  INTEGER
) STRICT;
CREATE INDEX inbox_unrouted ON inbox (app, id) WHERE routed_ms IS NULL;
CREATE INDEX inbox_waiting  ON inbox (id) WHERE verdict = 'waiting';
CREATE INDEX inbox_failed   ON inbox (id) WHERE verdict = 'failed';
CREATE INDEX inbox_chat     ON inbox (chat_id, id) WHERE chat_id IS NOT NULL;

CREATE TABLE payload (
    inbox INTEGER PRIMARY KEY,
    keys  TEXT NOT NULL,                 -- its rows in seen, a JSON array: pruning finds them here
    body  BLOB NOT NULL
) STRICT;

-- Dedupe keys; they live as long as their event.
CREATE TABLE seen (
    key   TEXT    NOT NULL,
    app   TEXT    NOT NULL,
    inbox INTEGER NOT NULL,
    PRIMARY KEY (key, app)
) STRICT, WITHOUT ROWID;

-- ready_ms makes a lane out of rows. NULL: not the head of its lane. 0: may be claimed.
-- Otherwise: may be claimed from then on, be it the due time or the end of a lease.
CREATE TABLE task (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    inbox      INTEGER NOT NULL,
    handler    TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    route      TEXT    NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'queued',  -- awaiting, done, dead, dropped
    ready_ms   INTEGER,
    due_ms     INTEGER NOT NULL,
    owner      TEXT,                     -- NULL: not leased
    epoch      INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    claimed_ms INTEGER,
    until_ms   INTEGER,                  -- awaiting: when patience ends
    ended_ms   INTEGER,
    code       TEXT    NOT NULL DEFAULT '',
    error      TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX task_lane     ON task (handler, lane, inbox, id) WHERE state = 'queued';
CREATE INDEX task_ready    ON task (ready_ms, handler, inbox, id) WHERE ready_ms IS NOT NULL;
CREATE INDEX task_awaiting ON task (until_ms) WHERE state = 'awaiting';
CREATE INDEX task_dead     ON task (ended_ms) WHERE state = 'dead';
CREATE INDEX task_inbox    ON task (inbox);

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT    NOT NULL UNIQUE,
    app        TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    inbox      INTEGER,
    task       INTEGER,
    uuid       TEXT    NOT NULL,
    priority   INTEGER NOT NULL,
    preview    TEXT    NOT NULL,
    boot_id    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'queued',  -- delivered, dead, dropped
    ready_ms   INTEGER,                  -- as in task
    served_ms  INTEGER NOT NULL,         -- when its lane was served last, or began to wait
    due_ms     INTEGER NOT NULL DEFAULT 0,
    owner      TEXT,
    epoch      INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    first_ms   INTEGER,                  -- when its present uuid was first tried
    claimed_ms INTEGER,
    ended_ms   INTEGER,
    message_id TEXT,
    log_id     TEXT    NOT NULL DEFAULT '',
    code       TEXT    NOT NULL DEFAULT '',
    error      TEXT    NOT NULL DEFAULT '',
    body       BLOB    NOT NULL
) STRICT;
CREATE INDEX outbox_lane    ON outbox (app, lane, id) WHERE state = 'queued';
CREATE INDEX outbox_ready   ON outbox (ready_ms, app, priority DESC, served_ms, id)
    WHERE ready_ms IS NOT NULL;
CREATE INDEX outbox_dead    ON outbox (ended_ms) WHERE state = 'dead';
CREATE INDEX outbox_inbox   ON outbox (inbox) WHERE inbox IS NOT NULL;
CREATE INDEX outbox_alone   ON outbox (created_ms) WHERE inbox IS NULL;
CREATE INDEX outbox_message ON outbox (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX outbox_chat    ON outbox (lane, id);

-- What the rows above forget when they move on: redeliveries, failed attempts, hands.
CREATE TABLE log (
    id     INTEGER PRIMARY KEY,
    inbox  INTEGER NOT NULL,
    at_ms  INTEGER NOT NULL,
    stage  TEXT    NOT NULL,
    detail TEXT    NOT NULL
) STRICT;
CREATE INDEX log_inbox ON log (inbox);

CREATE TABLE tally (
    app     TEXT    NOT NULL,
    verdict TEXT    NOT NULL,
    why     TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (app, verdict, why)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat (
    app       TEXT    NOT NULL,
    chat_id   TEXT    NOT NULL,
    chat_type TEXT    NOT NULL DEFAULT '',
    name      TEXT    NOT NULL DEFAULT '',
    events    INTEGER NOT NULL DEFAULT 0,
    last_ms   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app, chat_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    key           TEXT    PRIMARY KEY,
    handler       TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    agent_session TEXT,
    turns         INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    used_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_used ON session (used_ms);

-- One row, rewritten to prove that a write of ordinary size reaches the disk.
CREATE TABLE probe (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    filler BLOB NOT NULL
) STRICT;

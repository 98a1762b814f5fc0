-- Conversations with a number of their own, one after another under a key, with their steps and
-- what was said in them; tasks that were answered with another one; facts of the gateway itself.

DROP INDEX session_used;
ALTER TABLE session RENAME TO session_old;

CREATE TABLE session (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL,
    handler       TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    agent_session TEXT,
    cwd           TEXT,
    model         TEXT,
    turns         INTEGER NOT NULL DEFAULT 0,
    cost_microusd INTEGER NOT NULL DEFAULT 0,
    tokens_in     INTEGER NOT NULL DEFAULT 0,
    tokens_out    INTEGER NOT NULL DEFAULT 0,
    task          INTEGER,               -- of the running turn, else of the last
    event         TEXT,                  -- the platform's event id of the last turn
    created_ms    INTEGER NOT NULL,
    used_ms       INTEGER NOT NULL
) STRICT;
INSERT INTO session (key, handler, state, agent_session, turns, created_ms, used_ms)
    SELECT key, handler, state, agent_session, turns, created_ms, used_ms FROM session_old
    ORDER BY created_ms, key;
DROP TABLE session_old;

-- One of a key is current.
CREATE UNIQUE INDEX session_current ON session (key)
    WHERE state NOT IN ('completed', 'terminated');
CREATE INDEX session_key   ON session (key, used_ms);
CREATE INDEX session_state ON session (state, used_ms);
CREATE INDEX session_used  ON session (used_ms);

CREATE TABLE session_step (
    id         INTEGER PRIMARY KEY,
    session    INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    from_state TEXT,                     -- NULL: it was begun
    to_state   TEXT    NOT NULL,
    cause      TEXT    NOT NULL,
    detail     TEXT    NOT NULL
) STRICT;
CREATE INDEX session_step_session ON session_step (session);
INSERT INTO session_step (session, at_ms, from_state, to_state, cause, detail)
    SELECT id, used_ms, NULL, state, 'migrated', '' FROM session ORDER BY id;

-- In order of their numbers; what a task says again replaces what it said before.
CREATE TABLE utterance (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    task    INTEGER NOT NULL,
    role    TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    tokens  INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX utterance_session ON utterance (session);
CREATE INDEX utterance_task    ON utterance (task, session);

-- Set in state `merged`: the task that answers this one too. Its event then follows the verdict
-- of the other one's event: `ended_ms` and `code` say what that is, and are empty while it waits.
ALTER TABLE task ADD COLUMN merged INTEGER;
CREATE INDEX task_merged ON task (merged) WHERE merged IS NOT NULL;

CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a story tells and the rows forgot: when an event was known to be on disk, and the
-- particulars of what did not go well. `detail` of older rows holds them as words.

ALTER TABLE inbox ADD COLUMN journaled_ms INTEGER;  -- NULL: not noted before a crash

ALTER TABLE log ADD COLUMN task    INTEGER;
ALTER TABLE log ADD COLUMN outbox  INTEGER;
ALTER TABLE log ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN from_ms INTEGER;         -- when the attempt began
ALTER TABLE log ADD COLUMN code    TEXT    NOT NULL DEFAULT '';
ALTER TABLE log ADD COLUMN log_id  TEXT    NOT NULL DEFAULT '';

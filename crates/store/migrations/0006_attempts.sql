-- Attempts that a stop ended are not held against a task. `code` and `error` of a task that waits are
-- those of its attempt before.

ALTER TABLE task ADD COLUMN stops INTEGER NOT NULL DEFAULT 0;

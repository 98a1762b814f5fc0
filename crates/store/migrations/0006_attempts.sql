-- Attempts that a stop ended, or that nobody settled, are not held against a task as failures. `code` and
-- `error` of a task that waits are those of its attempt before.

ALTER TABLE task ADD COLUMN stops    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN cut_offs INTEGER NOT NULL DEFAULT 0;

-- Urgent messages of a chat go before its others. Durable commands are events of the gateway's own
-- making, and are listed.

DROP INDEX outbox_lane;
CREATE INDEX outbox_lane ON outbox (app, lane, priority DESC, id) WHERE state = 'queued';
CREATE INDEX inbox_job   ON inbox (id) WHERE kind = 'larkline.job';

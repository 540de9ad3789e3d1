-- What happened, written in the transaction that made it happen. `seq` is given afterwards, in the order in which events
-- became visible, so that who reads up to one number never misses a lower one; readers know events by it.
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seq INTEGER,
  org_id BLOB NOT NULL REFERENCES organizations (id),
  kind TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  device_id BLOB,
  deployment_id BLOB,
  actor TEXT,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX events_without_seq ON events (id) WHERE seq IS NULL;
CREATE INDEX events_by_org ON events (org_id, seq);
CREATE INDEX events_by_device ON events (device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX events_by_deployment ON events (deployment_id, id) WHERE deployment_id IS NOT NULL;

CREATE TABLE event_counter (
  id INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL
) STRICT;
INSERT INTO event_counter (id, last_seq) VALUES (1, 0);

-- What happened, written in the transaction that made it happen. `seq` is given afterwards, in the order in which events
-- became visible, so that who reads up to one number never misses a lower one; readers know events by it.
CREATE TABLE events (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seq BIGINT,
  org_id UUID NOT NULL REFERENCES organizations (id),
  kind TEXT NOT NULL,
  occurred_at BIGINT NOT NULL,
  device_id UUID,
  deployment_id UUID,
  actor TEXT,
  data TEXT NOT NULL
);
CREATE INDEX events_without_seq ON events (id) WHERE seq IS NULL;
CREATE INDEX events_by_org ON events (org_id, seq);
CREATE INDEX events_by_device ON events (device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX events_by_deployment ON events (deployment_id, id) WHERE deployment_id IS NOT NULL;

CREATE TABLE event_counter (
  id BIGINT PRIMARY KEY,
  last_seq BIGINT NOT NULL
);
INSERT INTO event_counter (id, last_seq) VALUES (1, 0);

-- Every step of every attempt, for the timeline. A trigger writes them, so that no path past it exists.
CREATE TABLE target_steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BLOB NOT NULL,
  deployment_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  state TEXT NOT NULL,
  happened_at INTEGER NOT NULL,
  error_code TEXT,
  error_message TEXT
) STRICT;
CREATE INDEX target_steps_by_device ON target_steps (device_id, happened_at, id);
CREATE INDEX target_steps_by_deployment ON target_steps (deployment_id, device_id, id);

CREATE TRIGGER target_steps_on_insert AFTER INSERT ON deployment_targets
BEGIN
  INSERT INTO target_steps (org_id, deployment_id, device_id, attempt, state, happened_at, error_code, error_message)
  VALUES (NEW.org_id, NEW.deployment_id, NEW.device_id, NEW.attempt, NEW.state, NEW.updated_at, NEW.error_code, NEW.error_message);
END;

CREATE TRIGGER target_steps_on_update AFTER UPDATE OF state, attempt ON deployment_targets
WHEN OLD.state <> NEW.state OR OLD.attempt <> NEW.attempt
BEGIN
  INSERT INTO target_steps (org_id, deployment_id, device_id, attempt, state, happened_at, error_code, error_message)
  VALUES (NEW.org_id, NEW.deployment_id, NEW.device_id, NEW.attempt, NEW.state, NEW.updated_at, NEW.error_code, NEW.error_message);
END;

CREATE INDEX events_of_device_by_time ON events (device_id, occurred_at, id) WHERE device_id IS NOT NULL;

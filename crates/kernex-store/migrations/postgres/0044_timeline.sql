-- Every step of every attempt, for the timeline. A trigger writes them, so that no path past it exists.
CREATE TABLE target_steps (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id UUID NOT NULL,
  deployment_id UUID NOT NULL,
  device_id UUID NOT NULL,
  attempt BIGINT NOT NULL,
  state TEXT NOT NULL,
  happened_at BIGINT NOT NULL,
  error_code TEXT,
  error_message TEXT
);
CREATE INDEX target_steps_by_device ON target_steps (device_id, happened_at, id);
CREATE INDEX target_steps_by_deployment ON target_steps (deployment_id, device_id, id);

CREATE FUNCTION record_target_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO target_steps (org_id, deployment_id, device_id, attempt, state, happened_at, error_code, error_message)
  VALUES (NEW.org_id, NEW.deployment_id, NEW.device_id, NEW.attempt, NEW.state, NEW.updated_at, NEW.error_code, NEW.error_message);
  RETURN NULL;
END
$$;

CREATE TRIGGER target_steps_on_insert AFTER INSERT ON deployment_targets
FOR EACH ROW EXECUTE FUNCTION record_target_step();

CREATE TRIGGER target_steps_on_update AFTER UPDATE OF state, attempt ON deployment_targets
FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.attempt <> NEW.attempt) EXECUTE FUNCTION record_target_step();

CREATE INDEX events_of_device_by_time ON events (device_id, occurred_at, id) WHERE device_id IS NOT NULL;

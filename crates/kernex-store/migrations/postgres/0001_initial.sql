-- Times are Unix milliseconds. Ids are UUIDs v7, so that they sort by creation. Every table that belongs to an organisation
-- carries its id, and every query asks for it.

CREATE TABLE organizations (
  id UUID PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

INSERT INTO organizations (id, name, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'default', 0);

-- What belongs to the installation as a whole, such as the digest of the bootstrap link's secret.
CREATE TABLE installation (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE users (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  username TEXT NOT NULL UNIQUE,
  email TEXT,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- A login; logging out deletes it, and with it every token that names it.
CREATE TABLE sessions (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  user_id UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE registration_tokens (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  secret_sha256 TEXT NOT NULL UNIQUE,
  uses_left BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  tags TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE devices (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  membership TEXT NOT NULL,
  display_name TEXT,
  public_key BYTEA NOT NULL,
  signature_algorithm TEXT NOT NULL,
  key_fingerprint TEXT NOT NULL UNIQUE,
  device_type TEXT,
  hardware_metadata TEXT NOT NULL,
  tags TEXT NOT NULL,
  registered_at BIGINT NOT NULL,
  -- The replay counter: the timestamp of the last request that was accepted.
  last_request_at BIGINT NOT NULL,
  last_seen_at BIGINT,
  -- From then on the device counts as offline.
  overdue_at BIGINT NOT NULL,
  health TEXT,
  agent_version TEXT,
  boot_id TEXT,
  reported_bundles TEXT NOT NULL,
  last_heartbeat TEXT,
  config_version BIGINT NOT NULL,
  -- From the wanted configuration: how soon missing heartbeats count.
  polling_interval BIGINT NOT NULL,
  reported_config_version BIGINT NOT NULL
);
CREATE INDEX devices_by_org ON devices (org_id, id);
CREATE INDEX devices_by_status ON devices (org_id, membership, overdue_at);

-- What lists are filtered by; the truth is devices.tags and devices.reported_bundles.
CREATE TABLE device_tags (
  device_id UUID NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  org_id UUID NOT NULL REFERENCES organizations (id),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (device_id, key)
);
CREATE INDEX device_tags_by_value ON device_tags (org_id, key, value, device_id);

CREATE TABLE device_bundles (
  device_id UUID NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  org_id UUID NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (device_id, name)
);
CREATE INDEX device_bundles_by_version ON device_bundles (org_id, version, device_id);

CREATE TABLE heartbeats (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id UUID NOT NULL,
  device_id UUID NOT NULL,
  received_at BIGINT NOT NULL,
  status TEXT NOT NULL,
  cpu_pct DOUBLE PRECISION NOT NULL,
  memory_mb DOUBLE PRECISION NOT NULL,
  memory_total_mb DOUBLE PRECISION,
  disk_free_mb DOUBLE PRECISION,
  disk_total_mb DOUBLE PRECISION,
  uptime_secs DOUBLE PRECISION,
  agent_version TEXT NOT NULL,
  metrics TEXT NOT NULL
);
CREATE INDEX heartbeats_by_device ON heartbeats (device_id, id);

CREATE TABLE device_configs (
  device_id UUID NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  org_id UUID NOT NULL REFERENCES organizations (id),
  config TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (device_id, version)
);

CREATE TABLE bundles (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  checksum_sha256 TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  format TEXT NOT NULL,
  manifest TEXT NOT NULL,
  description TEXT,
  uploaded_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  -- The bytes are gone; the row stays, because history names it.
  deleted_at BIGINT
);
CREATE UNIQUE INDEX bundles_by_version ON bundles (org_id, name, version) WHERE deleted_at IS NULL;

CREATE TABLE deployments (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  kind TEXT NOT NULL,
  bundle_id UUID NOT NULL REFERENCES bundles (id),
  bundle_name TEXT NOT NULL,
  bundle_version TEXT NOT NULL,
  status TEXT NOT NULL,
  description TEXT,
  error_message TEXT,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  completed_at BIGINT,
  -- Counts over the targets, kept with every change of a target; they add up to total.
  total BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  in_progress BIGINT NOT NULL,
  success BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  rolled_back BIGINT NOT NULL,
  cancelled BIGINT NOT NULL
);
CREATE INDEX deployments_by_org ON deployments (org_id, id);
CREATE INDEX deployments_by_status ON deployments (org_id, status, id);
CREATE INDEX deployments_by_bundle ON deployments (bundle_id);

CREATE TABLE deployment_targets (
  deployment_id UUID NOT NULL REFERENCES deployments (id),
  device_id UUID NOT NULL REFERENCES devices (id),
  org_id UUID NOT NULL REFERENCES organizations (id),
  state TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  progress_pct DOUBLE PRECISION,
  delivered_at BIGINT,
  started_at BIGINT,
  updated_at BIGINT NOT NULL,
  completed_at BIGINT,
  lease_expires_at BIGINT,
  duration_secs DOUBLE PRECISION,
  error_code TEXT,
  error_message TEXT,
  PRIMARY KEY (deployment_id, device_id)
);
CREATE INDEX targets_open ON deployment_targets (device_id, deployment_id) WHERE completed_at IS NULL;
CREATE INDEX targets_ended ON deployment_targets (device_id, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX targets_leased ON deployment_targets (lease_expires_at) WHERE completed_at IS NULL AND lease_expires_at IS NOT NULL;

CREATE TABLE log_entries (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id UUID NOT NULL,
  device_id UUID NOT NULL,
  level BIGINT NOT NULL,
  message TEXT NOT NULL,
  fields TEXT,
  logged_at BIGINT NOT NULL,
  received_at BIGINT NOT NULL
);
CREATE INDEX log_entries_by_device ON log_entries (device_id, id);
CREATE INDEX log_entries_by_org ON log_entries (org_id, id);

-- First answers to requests that carried an Idempotency-Key, kept for a day.
CREATE TABLE idempotency_keys (
  org_id UUID NOT NULL REFERENCES organizations (id),
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  request_sha256 TEXT NOT NULL,
  status BIGINT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, actor, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

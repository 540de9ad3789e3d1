-- Sites that are gone as a whole; while one is, its devices' own events are details.
CREATE TABLE site_outages (
  org_id UUID NOT NULL REFERENCES organizations (id),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  began_at BIGINT NOT NULL,
  devices BIGINT NOT NULL,
  PRIMARY KEY (org_id, key, value)
);

-- Up to when missing heartbeats have been looked at.
CREATE TABLE offline_watermarks (
  name TEXT PRIMARY KEY,
  looked_at BIGINT NOT NULL
);

-- 1: told in the device's timeline only, because another event tells it for many.
ALTER TABLE events ADD COLUMN is_detail BIGINT NOT NULL DEFAULT 0;

-- Sites that are gone as a whole; while one is, its devices' own events are details.
CREATE TABLE site_outages (
  org_id BLOB NOT NULL REFERENCES organizations (id),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  began_at INTEGER NOT NULL,
  devices INTEGER NOT NULL,
  PRIMARY KEY (org_id, key, value)
) STRICT;

-- Up to when missing heartbeats have been looked at.
CREATE TABLE offline_watermarks (
  name TEXT PRIMARY KEY,
  looked_at INTEGER NOT NULL
) STRICT;

-- 1: told in the device's timeline only, because another event tells it for many.
ALTER TABLE events ADD COLUMN is_detail INTEGER NOT NULL DEFAULT 0;

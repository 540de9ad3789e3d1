-- A group has a selector, or a list of devices when it has none.
CREATE TABLE device_groups (
  id BLOB PRIMARY KEY,
  org_id BLOB NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  description TEXT,
  selector TEXT,
  channel TEXT,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX groups_by_name ON device_groups (org_id, name);
CREATE INDEX groups_by_channel ON device_groups (org_id, channel);

CREATE TABLE group_members (
  group_id BLOB NOT NULL REFERENCES device_groups (id) ON DELETE CASCADE,
  device_id BLOB NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  org_id BLOB NOT NULL REFERENCES organizations (id),
  PRIMARY KEY (group_id, device_id)
) STRICT;
CREATE INDEX group_members_by_device ON group_members (device_id);

-- Release channels: where a version goes after this one.
CREATE TABLE channels (
  org_id BLOB NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  description TEXT,
  next_channel TEXT,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (org_id, name)
) STRICT;

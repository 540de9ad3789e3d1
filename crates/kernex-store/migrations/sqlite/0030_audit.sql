-- What was done and attempted, in one chain per organisation. No foreign keys: the record of what somebody did outlives them,
-- and the organisation too.
CREATE TABLE audit_records (
  org_id BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT,
  actor_name TEXT,
  credential TEXT,
  address TEXT,
  request_id TEXT,
  action TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object_id TEXT,
  before_json TEXT,
  after_json TEXT,
  result TEXT NOT NULL,
  status INTEGER,
  reason TEXT,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (org_id, sequence)
) STRICT;
CREATE INDEX audit_records_by_actor ON audit_records (org_id, actor_id, sequence);
CREATE INDEX audit_records_by_object ON audit_records (org_id, object_id, sequence);
CREATE INDEX audit_records_by_action ON audit_records (org_id, action, sequence);
CREATE INDEX audit_records_by_time ON audit_records (org_id, recorded_at);

-- The end of each chain, and after which record what is kept begins; whoever adds to a chain holds its row until the commit.
CREATE TABLE audit_heads (
  org_id BLOB PRIMARY KEY,
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  archived_sequence INTEGER NOT NULL,
  archived_hash TEXT NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
  org_id BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  signed_at INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (org_id, sequence)
) STRICT;

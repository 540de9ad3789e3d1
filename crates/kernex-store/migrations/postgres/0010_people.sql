-- A user may belong to several organisations, with a role in each. `users.org_id` stays as the one where a login begins.
CREATE TABLE memberships (
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  org_id UUID NOT NULL REFERENCES organizations (id),
  role TEXT NOT NULL,
  -- Which devices the rights end at; NULL for all.
  device_selector TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, org_id)
);
CREATE INDEX memberships_by_org ON memberships (org_id, user_id);
INSERT INTO memberships (user_id, org_id, role, device_selector, created_at)
  SELECT id, org_id, role, NULL, created_at FROM users;

CREATE UNIQUE INDEX organizations_by_name ON organizations (name);

-- 1 for those who make organisations and look after the installation.
ALTER TABLE users ADD COLUMN installation_admin BIGINT NOT NULL DEFAULT 0;
UPDATE users SET installation_admin = 1 WHERE role = 'admin' AND org_id = '00000000-0000-7000-8000-000000000001';
ALTER TABLE users DROP COLUMN role;
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
-- 1 after somebody else has set the password.
ALTER TABLE users ADD COLUMN must_change_password BIGINT NOT NULL DEFAULT 0;
-- The second factor: its sealed secret, since when it is asked for, and the last time step whose code was taken.
ALTER TABLE users ADD COLUMN totp_secret TEXT;
ALTER TABLE users ADD COLUMN totp_enabled_at BIGINT;
ALTER TABLE users ADD COLUMN totp_last_step BIGINT NOT NULL DEFAULT 0;

CREATE TABLE recovery_codes (
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_sha256 TEXT NOT NULL,
  PRIMARY KEY (user_id, code_sha256)
);

-- Logins: of a program (an access token and what renews it), or of a browser (a cookie).
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'token';
ALTER TABLE sessions ADD COLUMN secret_sha256 TEXT;
-- Not of every request: once a minute is enough.
ALTER TABLE sessions ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;
-- When the person last proved who they are.
ALTER TABLE sessions ADD COLUMN authenticated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
CREATE UNIQUE INDEX sessions_by_secret ON sessions (secret_sha256) WHERE secret_sha256 IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (user_id, id);

CREATE TABLE api_keys (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  -- The beginning of the key, by which people tell keys apart.
  prefix TEXT NOT NULL,
  secret_sha256 TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  -- Not of every request: once a minute is enough.
  last_used_at BIGINT
);
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);
CREATE INDEX api_keys_by_user ON api_keys (user_id);

-- Logins whose password was right and whose second factor is still to come.
CREATE TABLE login_challenges (
  secret_sha256 TEXT PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  attempts_left BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX login_challenges_expiry ON login_challenges (expires_at);

-- Failed logins, by account, by address and by both; and addresses from which somebody logged in before.
CREATE TABLE login_attempts (
  key TEXT PRIMARY KEY,
  failures BIGINT NOT NULL,
  blocked_until BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX login_attempts_age ON login_attempts (updated_at);

-- Who somebody is at an identity provider.
CREATE TABLE user_identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_by_user ON user_identities (user_id);

-- Logins that are under way at the identity provider.
CREATE TABLE oidc_logins (
  state_sha256 TEXT PRIMARY KEY,
  nonce TEXT NOT NULL,
  pkce_verifier TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX oidc_logins_expiry ON oidc_logins (expires_at);

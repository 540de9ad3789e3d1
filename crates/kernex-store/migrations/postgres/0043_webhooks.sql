-- Addresses that are told of events. Secrets are derived from the installation's key and the nonce, and not stored.
CREATE TABLE webhooks (
  id UUID PRIMARY KEY,
  org_id UUID NOT NULL REFERENCES organizations (id),
  url TEXT NOT NULL,
  description TEXT,
  -- Kinds of events as a JSON list; an empty one means all.
  kinds TEXT NOT NULL,
  secret_nonce TEXT NOT NULL,
  is_enabled BIGINT NOT NULL,
  disabled_reason TEXT,
  -- Since when nothing got through; NULL after a success.
  failing_since BIGINT,
  -- Events up to this number have their deliveries.
  last_seq BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_by_org ON webhooks (org_id, id);
CREATE INDEX webhooks_enabled ON webhooks (last_seq) WHERE is_enabled = 1;

CREATE TABLE webhook_deliveries (
  id UUID PRIMARY KEY,
  webhook_id UUID NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  org_id UUID NOT NULL REFERENCES organizations (id),
  event_seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  -- When it is due; while it is being sent, when somebody else may try.
  due_at BIGINT,
  last_attempt_at BIGINT,
  last_status BIGINT,
  last_error TEXT,
  duration_ms BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

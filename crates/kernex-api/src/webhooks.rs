//! Webhooks: addresses that are told of events.

use kernex_core::{EventKind, Timestamp, WebhookDeliveryId, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new webhook.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookRequest {
    /// Where to send: `https://` or `http://`, at most 2048 characters, without a user name.
    pub url: String,
    /// Which kinds of events; all when absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<EventKind>,
    /// What it is for, at most 1000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A change of a webhook; a missing field keeps its value.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookRequest {
    /// Another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Other kinds of events; an empty list means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<EventKind>>,
    /// A description; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Switch it on or off. What happened while it was off is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// One webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where to send.
    pub url: String,
    /// Which kinds of events; all when empty.
    pub kinds: Vec<EventKind>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether events are sent.
    pub enabled: bool,
    /// Why it was switched off, when that was not by somebody.
    pub disabled_reason: Option<String>,
    /// Since when nothing got through.
    pub failing_since: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A webhook with its secret, which is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookWithSecret {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// With it the receiver checks `Kernex-Signature`.
    pub secret: String,
}

/// Every webhook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// Newest first.
    pub webhooks: Vec<Webhook>,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    /// Its id, sent as `Kernex-Delivery`; the same for every attempt.
    pub id: WebhookDeliveryId,
    /// The event's number.
    pub event_id: u64,
    /// What happened.
    pub kind: EventKind,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// The last answer's status.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// How long the last attempt took.
    pub duration_ms: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What is sent.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
}

/// One page of deliveries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookDeliveryList {
    /// Newest first.
    pub deliveries: Vec<WebhookDelivery>,
    /// Give it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

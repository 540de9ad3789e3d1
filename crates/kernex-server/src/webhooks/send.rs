//! Sending to webhooks. `docs/webhooks.md` says how a receiver checks what it gets.

use aws_lc_rs::hmac;
use http::{HeaderValue, Method, Request, header};
use kernex_core::{EventKind, OrganizationId, Timestamp, WebhookDeliveryId};
use kernex_store::{Attempt, DeliveryRecord, DueDelivery, EventRecord, WebhookRecord};
use serde_json::json;
use tokio::time::Instant;

use super::secret_of;
use crate::{AppState, events};

/// What is sent of an event.
pub fn body(event: &EventRecord) -> String {
    let org = event.org_id;
    let mut body = serde_json::to_value(events::to_api(event.clone())).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("org_id".to_owned(), json!(org));
    }
    body.to_string()
}

/// A delivery that tries a webhook out.
pub(super) fn sample(webhook: &WebhookRecord, org: OrganizationId, now: Timestamp) -> DueDelivery {
    let event = EventRecord {
        seq: 0,
        org_id: org,
        kind: EventKind::DeviceOnline,
        occurred_at: now,
        device_id: None,
        deployment_id: None,
        actor: None,
        data: [("test".to_owned(), json!(true))].into_iter().collect(),
    };
    let delivery = DeliveryRecord {
        id: WebhookDeliveryId::generate(now),
        event_seq: 0,
        kind: event.kind,
        body: body(&event),
        state: "pending".to_owned(),
        attempts: 0,
        due_at: None,
        last_attempt_at: None,
        last_status: None,
        last_error: None,
        duration_ms: None,
        created_at: now,
    };
    DueDelivery { delivery, webhook: webhook.clone(), org_id: org }
}

/// Sends a delivery; any answer of 200 to 299 means that it got through.
pub async fn send(state: &AppState, due: &DueDelivery) -> Attempt {
    let begun = Instant::now();
    let outcome = match request(state, due) {
        Ok(request) => state.outbound().send(request).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (status, error) = match outcome {
        Ok(answer) if answer.status().is_success() => (Some(answer.status()), None),
        Ok(answer) => (Some(answer.status()), Some(format!("the answer was {}", answer.status()))),
        Err(error) => (None, Some(error)),
    };
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Attempt { status: status.map(|status| status.as_u16()), error, duration_ms }
}

fn request(state: &AppState, due: &DueDelivery) -> http::Result<Request<Vec<u8>>> {
    let timestamp = state.now().as_millis() / 1_000;
    let (delivery, body) = (&due.delivery, &due.delivery.body);
    Request::builder()
        .method(Method::POST)
        .uri(due.webhook.url.as_str())
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::USER_AGENT, concat!("kernex/", env!("CARGO_PKG_VERSION")))
        .header("Kernex-Event", delivery.kind.as_str())
        .header("Kernex-Delivery", delivery.id.to_string())
        .header("Kernex-Timestamp", timestamp.to_string())
        .header("Kernex-Signature", signature(&secret_of(state, &due.webhook), timestamp, body))
        .body(body.clone().into_bytes())
}

/// `v1=` and the HMAC-SHA256, in hex, of the time, a dot and the body, under the secret as it was shown.
fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    format!("v1={}", hex::encode(tag))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_is_that_of_the_documentation() {
        // printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac whsec_example
        let expected = "v1=a2b029aab4264ed92cbe54263f88ea8ef7cd0bef6578f1611962ee67666dd3ca";
        assert_eq!(signature("whsec_example", 1_700_000_000, r#"{"id":1}"#), expected);
    }
}

//! Webhooks.

use kernex_api::webhooks::{
    CreateWebhookRequest, UpdateWebhookRequest, Webhook, WebhookDelivery, WebhookDeliveryList, WebhookList,
    WebhookWithSecret,
};
use kernex_core::{WebhookDeliveryId, WebhookId};
use reqwest::Method;

use super::{OperatorClient, PageQuery};
use crate::Error;

impl OperatorClient {
    /// `POST /webhooks`; the secret is shown only in this answer.
    pub async fn create_webhook(&self, request: &CreateWebhookRequest) -> Result<WebhookWithSecret, Error> {
        self.post(&["webhooks"], request).await
    }

    /// `GET /webhooks`.
    pub async fn list_webhooks(&self) -> Result<WebhookList, Error> {
        self.get(&["webhooks"]).await
    }

    /// `GET /webhooks/{id}`.
    pub async fn get_webhook(&self, id: WebhookId) -> Result<Webhook, Error> {
        self.get(&["webhooks", &id.to_string()]).await
    }

    /// `PATCH /webhooks/{id}`.
    pub async fn update_webhook(
        &self,
        id: WebhookId,
        request: &UpdateWebhookRequest,
    ) -> Result<Webhook, Error> {
        let url = self.endpoint(&["webhooks", &id.to_string()]);
        self.answer(self.request(Method::PATCH, url).json(request)).await
    }

    /// `DELETE /webhooks/{id}`.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, self.endpoint(&["webhooks", &id.to_string()]))).await
    }

    /// `POST /webhooks/{id}/rotate-secret`; the new secret is shown only in this answer.
    pub async fn rotate_webhook_secret(&self, id: WebhookId) -> Result<WebhookWithSecret, Error> {
        self.post(&["webhooks", &id.to_string(), "rotate-secret"], &()).await
    }

    /// `POST /webhooks/{id}/test`.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<WebhookDelivery, Error> {
        self.post(&["webhooks", &id.to_string(), "test"], &()).await
    }

    /// `GET /webhooks/{id}/deliveries`.
    pub async fn list_webhook_deliveries(
        &self,
        id: WebhookId,
        query: &PageQuery,
    ) -> Result<WebhookDeliveryList, Error> {
        self.list(&["webhooks", &id.to_string(), "deliveries"], query).await
    }

    /// `POST /webhooks/{id}/deliveries/{delivery_id}/redeliver`.
    pub async fn redeliver(&self, id: WebhookId, delivery: WebhookDeliveryId) -> Result<(), Error> {
        let segments = ["webhooks", &id.to_string(), "deliveries", &delivery.to_string(), "redeliver"];
        self.done(self.request(Method::POST, self.endpoint(&segments))).await
    }
}

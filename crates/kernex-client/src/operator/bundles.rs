//! Bundles, apart from their bytes: those are in [`super::upload`] and [`super::download`].

use kernex_api::bundles::{BundleList, BundleVerification, VerifyBundleRequest};
use kernex_core::BundleId;
use reqwest::Method;

use super::{BundleQuery, OperatorClient};
use crate::Error;

impl OperatorClient {
    /// `GET /bundles`.
    pub async fn list_bundles(&self, query: &BundleQuery) -> Result<BundleList, Error> {
        self.list(&["bundles"], query).await
    }

    /// `GET /bundles/{id}/manifest`.
    pub async fn get_manifest(&self, id: BundleId) -> Result<serde_json::Value, Error> {
        self.get(&["bundles", &id.to_string(), "manifest"]).await
    }

    /// `POST /bundles/{id}/verify`: the control plane reads the stored bytes again.
    pub async fn verify_bundle(
        &self,
        id: BundleId,
        request: &VerifyBundleRequest,
    ) -> Result<BundleVerification, Error> {
        self.post(&["bundles", &id.to_string(), "verify"], request).await
    }

    /// `DELETE /bundles/{id}`.
    pub async fn delete_bundle(&self, id: BundleId) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, self.endpoint(&["bundles", &id.to_string()]))).await
    }
}

//! Deployments and rollbacks.

use kernex_api::deployments::{
    CreateDeploymentRequest, CreatedDeployment, CreatedRollback, CreatedRollbacks, DeploymentDetail,
    DeploymentList, RollbackDeploymentRequest, RollbackDevicesRequest, Target, TargetList,
};
use kernex_api::{MAX_PAGE_LIMIT, MAX_TARGET_DEVICES};
use kernex_core::DeploymentId;

use super::{DeploymentQuery, OperatorClient, TargetQuery, idempotency_key};
use crate::Error;

impl OperatorClient {
    /// `POST /deployments`, with a fresh idempotency key.
    pub async fn create_deployment(
        &self,
        request: &CreateDeploymentRequest,
    ) -> Result<CreatedDeployment, Error> {
        self.create_deployment_once(&idempotency_key(), request).await
    }

    /// `POST /deployments` with the caller's idempotency key, for callers that try again.
    pub async fn create_deployment_once(
        &self,
        key: &str,
        request: &CreateDeploymentRequest,
    ) -> Result<CreatedDeployment, Error> {
        self.create(&["deployments"], key, request).await
    }

    /// `GET /deployments`.
    pub async fn list_deployments(&self, query: &DeploymentQuery) -> Result<DeploymentList, Error> {
        self.list(&["deployments"], query).await
    }

    /// `GET /deployments/{id}`.
    pub async fn get_deployment(&self, id: DeploymentId) -> Result<DeploymentDetail, Error> {
        self.get(&["deployments", &id.to_string()]).await
    }

    /// `GET /deployments/{id}/targets`.
    pub async fn list_targets(&self, id: DeploymentId, query: &TargetQuery) -> Result<TargetList, Error> {
        self.list(&["deployments", &id.to_string(), "targets"], query).await
    }

    /// Every target of a deployment, page by page.
    pub async fn all_targets(&self, id: DeploymentId) -> Result<Vec<Target>, Error> {
        let mut targets = Vec::new();
        let mut query = TargetQuery { limit: Some(MAX_PAGE_LIMIT), ..TargetQuery::default() };
        // A control plane that hands out cursors for ever must not keep the caller for ever.
        for _ in 0..=MAX_TARGET_DEVICES / MAX_PAGE_LIMIT as usize {
            let page = self.list_targets(id, &query).await?;
            targets.extend(page.targets);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(targets)
    }

    /// `POST /deployments/{id}/rollback`, with a fresh idempotency key.
    pub async fn rollback_deployment(
        &self,
        id: DeploymentId,
        request: &RollbackDeploymentRequest,
    ) -> Result<CreatedRollbacks, Error> {
        self.create(&["deployments", &id.to_string(), "rollback"], &idempotency_key(), request).await
    }

    /// `POST /devices/rollback`, with a fresh idempotency key.
    pub async fn rollback_devices(&self, request: &RollbackDevicesRequest) -> Result<CreatedRollback, Error> {
        self.create(&["devices", "rollback"], &idempotency_key(), request).await
    }
}

//! Devices and their configuration.

use kernex_api::devices::{
    ConfigResponse, ConfigRollbackRequest, ConfigVersionList, Device, DeviceList, HeartbeatList,
    HistoryEntry, UpdateDeviceRequest,
};
use kernex_api::logs::LogList;
use kernex_core::{ConfigPatch, DeviceId};
use reqwest::Method;

use super::{DeviceQuery, LogQuery, OperatorClient, PageQuery};
use crate::Error;

impl OperatorClient {
    /// `GET /devices`.
    pub async fn list_devices(&self, query: &DeviceQuery) -> Result<DeviceList, Error> {
        self.list(&["devices"], query).await
    }

    /// `GET /devices/{id}`.
    pub async fn get_device(&self, id: DeviceId) -> Result<Device, Error> {
        self.get(&["devices", &id.to_string()]).await
    }

    /// `PATCH /devices/{id}`.
    pub async fn update_device(&self, id: DeviceId, request: &UpdateDeviceRequest) -> Result<Device, Error> {
        let url = self.endpoint(&["devices", &id.to_string()]);
        self.answer(self.request(Method::PATCH, url).json(request)).await
    }

    /// `DELETE /devices/{id}`.
    pub async fn delete_device(&self, id: DeviceId) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, self.endpoint(&["devices", &id.to_string()]))).await
    }

    /// `POST /devices/{id}/approve`.
    pub async fn approve_device(&self, id: DeviceId) -> Result<Device, Error> {
        self.change_membership(id, "approve").await
    }

    /// `POST /devices/{id}/reject`.
    pub async fn reject_device(&self, id: DeviceId) -> Result<Device, Error> {
        self.change_membership(id, "reject").await
    }

    /// `POST /devices/{id}/decommission`.
    pub async fn decommission_device(&self, id: DeviceId) -> Result<Device, Error> {
        self.change_membership(id, "decommission").await
    }

    async fn change_membership(&self, id: DeviceId, verb: &str) -> Result<Device, Error> {
        self.answer(self.request(Method::POST, self.endpoint(&["devices", &id.to_string(), verb]))).await
    }

    /// `GET /devices/{id}/heartbeats`.
    pub async fn list_heartbeats(&self, id: DeviceId, query: &PageQuery) -> Result<HeartbeatList, Error> {
        self.list(&["devices", &id.to_string(), "heartbeats"], query).await
    }

    /// `GET /devices/{id}/logs`.
    pub async fn list_device_logs(&self, id: DeviceId, query: &LogQuery) -> Result<LogList, Error> {
        self.list(&["devices", &id.to_string(), "logs"], query).await
    }

    /// `GET /devices/{id}/bundle-history`, newest first.
    pub async fn bundle_history(&self, id: DeviceId, limit: Option<u32>) -> Result<Vec<HistoryEntry>, Error> {
        let query = PageQuery { limit, cursor: None };
        self.list(&["devices", &id.to_string(), "bundle-history"], &query).await
    }

    /// `GET /devices/{id}/config`.
    pub async fn get_config(&self, id: DeviceId) -> Result<ConfigResponse, Error> {
        self.get(&["devices", &id.to_string(), "config"]).await
    }

    /// `PUT /devices/{id}/config`; a missing field keeps its value.
    pub async fn put_config(&self, id: DeviceId, patch: &ConfigPatch) -> Result<ConfigResponse, Error> {
        let url = self.endpoint(&["devices", &id.to_string(), "config"]);
        self.answer(self.request(Method::PUT, url).json(patch)).await
    }

    /// `GET /devices/{id}/config/versions`.
    pub async fn list_config_versions(&self, id: DeviceId) -> Result<ConfigVersionList, Error> {
        self.get(&["devices", &id.to_string(), "config", "versions"]).await
    }

    /// `POST /devices/{id}/config/rollback`.
    pub async fn rollback_config(&self, id: DeviceId, version: u64) -> Result<ConfigResponse, Error> {
        let request = ConfigRollbackRequest { version };
        self.post(&["devices", &id.to_string(), "config", "rollback"], &request).await
    }
}

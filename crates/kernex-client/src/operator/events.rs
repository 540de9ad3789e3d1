//! Events, the timeline, labels of many devices.

use kernex_api::{
    events::{EventList, Timeline},
    tags::{BulkMembershipChanged, BulkMembershipRequest, ChangeTagsRequest, TagsChanged},
};
use kernex_core::DeviceId;
use reqwest::Method;

use super::{EventQuery, OperatorClient, PageQuery};
use crate::Error;

impl OperatorClient {
    /// `GET /events`.
    pub async fn list_events(&self, query: &EventQuery) -> Result<EventList, Error> {
        self.list(&["events"], query).await
    }

    /// `GET /devices/{id}/timeline`.
    pub async fn timeline(&self, id: DeviceId, query: &PageQuery) -> Result<Timeline, Error> {
        self.list(&["devices", &id.to_string(), "timeline"], query).await
    }

    /// `POST /devices/tags`.
    pub async fn change_tags(&self, request: &ChangeTagsRequest) -> Result<TagsChanged, Error> {
        self.post(&["devices", "tags"], request).await
    }

    /// `POST /devices/tags/import` with the text of a CSV file.
    pub async fn import_tags(&self, csv: String, dry_run: bool) -> Result<TagsChanged, Error> {
        let mut url = self.endpoint(&["devices", "tags", "import"]);
        url.query_pairs_mut().append_pair("dry_run", if dry_run { "true" } else { "false" });
        self.answer(self.request(Method::POST, url).header("content-type", "text/csv").body(csv)).await
    }

    /// `POST /devices/approve`.
    pub async fn approve_devices(
        &self,
        request: &BulkMembershipRequest,
    ) -> Result<BulkMembershipChanged, Error> {
        self.post(&["devices", "approve"], request).await
    }

    /// `POST /devices/decommission`.
    pub async fn decommission_devices(
        &self,
        request: &BulkMembershipRequest,
    ) -> Result<BulkMembershipChanged, Error> {
        self.post(&["devices", "decommission"], request).await
    }
}

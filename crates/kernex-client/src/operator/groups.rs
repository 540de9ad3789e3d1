//! Groups.

use kernex_api::{
    devices::DeviceList,
    groups::{
        ChangeMembersRequest, CreateGroupRequest, Group, GroupList, MembersChanged, UpdateGroupRequest,
    },
};
use kernex_core::GroupId;
use reqwest::Method;

use super::{OperatorClient, PageQuery};
use crate::Error;

impl OperatorClient {
    /// `POST /groups`.
    pub async fn create_group(&self, request: &CreateGroupRequest) -> Result<Group, Error> {
        self.post(&["groups"], request).await
    }

    /// `GET /groups`.
    pub async fn list_groups(&self) -> Result<GroupList, Error> {
        self.get(&["groups"]).await
    }

    /// `GET /groups/{id}`.
    pub async fn get_group(&self, id: GroupId) -> Result<Group, Error> {
        self.get(&["groups", &id.to_string()]).await
    }

    /// `PATCH /groups/{id}`.
    pub async fn update_group(&self, id: GroupId, request: &UpdateGroupRequest) -> Result<Group, Error> {
        let url = self.endpoint(&["groups", &id.to_string()]);
        self.answer(self.request(Method::PATCH, url).json(request)).await
    }

    /// `DELETE /groups/{id}`.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, self.endpoint(&["groups", &id.to_string()]))).await
    }

    /// `GET /groups/{id}/devices`.
    pub async fn list_group_devices(&self, id: GroupId, query: &PageQuery) -> Result<DeviceList, Error> {
        self.list(&["groups", &id.to_string(), "devices"], query).await
    }

    /// `POST /groups/{id}/devices`.
    pub async fn change_group_devices(
        &self,
        id: GroupId,
        request: &ChangeMembersRequest,
    ) -> Result<MembersChanged, Error> {
        self.post(&["groups", &id.to_string(), "devices"], request).await
    }
}

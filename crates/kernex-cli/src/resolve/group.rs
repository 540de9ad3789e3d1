//! Groups by id or by name.

use anyhow::Result;
use kernex_api::groups::Group;
use kernex_client::OperatorClient;

use crate::{exit_code::ExitCode, failure::Failure};

/// The one group that a text names.
pub(crate) async fn group(client: &OperatorClient, text: &str) -> Result<Group> {
    let groups = client.list_groups().await?.groups;
    let found = groups.into_iter().find(|group| group.name == text || group.id.to_string() == text);
    found.ok_or_else(|| {
        let failure = Failure::new(ExitCode::NotFound, format!("there is no group `{text}`"));
        failure.hint("`kernex group list` shows the groups").into()
    })
}

//! Groups: named selectors and named lists of devices.

mod create;
mod delete;
mod get;
mod list;
mod members;
mod update;

use kernex_api::groups::Group;
use kernex_core::Selector;
use kernex_store::{GroupRecord, GroupRefusal};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    devices::selector,
    error::{ApiError, ApiResult},
};

/// Routes under `/groups`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(members::list, members::change))
}

const MAX_DESCRIPTION_BYTES: usize = 1_000;

fn to_api(record: GroupRecord) -> Group {
    Group {
        id: record.id,
        name: record.name,
        description: record.description,
        selector: record.selector,
        channel: record.channel,
        devices: None,
        created_by: record.created_by,
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}

/// Which devices are in a group, as a selector that stands alone.
fn selector_of(record: &GroupRecord) -> Selector {
    record.selector.clone().unwrap_or_else(|| Selector::group(&record.name))
}

/// Checks the name of a group or a channel.
pub fn check_name(what: &str, name: &str) -> ApiResult<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(ApiError::invalid(format!("{what}: `{shown}` must be 1 to 64 of a-z A-Z 0-9 . _ -")))
}

/// A group's own selector names no groups, so that groups cannot go round in a circle.
fn group_selector(text: &str) -> ApiResult<Selector> {
    let selector = selector::parse("selector", text)?;
    if let Some(name) = selector.group_names().first() {
        return Err(ApiError::invalid(format!(
            "selector: a group's selector cannot name groups, such as `{name}`"
        )));
    }
    Ok(selector)
}

fn refusal(refusal: GroupRefusal, name: impl std::fmt::Display) -> ApiError {
    match refusal {
        GroupRefusal::Unknown => ApiError::not_found("group", name),
        GroupRefusal::NameTaken => ApiError::conflict(format!("a group called `{name}` exists already")),
        GroupRefusal::IsList => ApiError::conflict("the group is a list of devices; it has no selector"),
        GroupRefusal::IsSelector => {
            ApiError::conflict("the group has a selector; devices are in it or not by what they are")
        }
        GroupRefusal::UnknownChannel => ApiError::invalid("channel: no such channel"),
    }
}

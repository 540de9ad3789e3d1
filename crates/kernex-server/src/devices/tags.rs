//! `POST /devices/tags`, `POST /devices/tags/import`

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    extract::{Request, State},
};
use kernex_api::{
    ErrorCode, Problem,
    tags::{ChangeTagsRequest, TagsChanged},
};
use kernex_core::DeviceId;
use kernex_store::TagChange;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{check_tags, csv, selector};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{JsonBody, QueryParams, read_body},
};

/// Beyond so many devices, the request must say how many it may be.
const CONFIRM_BEYOND: u64 = 100;
const MAX_CSV_BYTES: usize = 4 * 1024 * 1024;
const MAX_CSV_ROWS: usize = 50_000;
/// Mistakes of a file that are told at once.
const MAX_MISTAKES: usize = 20;

/// Change the labels of every device that a selector means, all or none of them.
///
/// `dry_run` says how many it would be. Beyond 100 devices `confirm_devices` must be at least as many.
#[utoipa::path(post, path = "/devices/tags", operation_id = "change_tags", tag = "devices",
    request_body = ChangeTagsRequest, security(("bearer" = [])), responses(
    (status = 200, body = TagsChanged),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(state): State<AppState>,
    user: CurrentUser,
    body: JsonBody<ChangeTagsRequest>,
) -> ApiResult<Json<TagsChanged>> {
    let request = body.value;
    check_tags(&request.set)?;
    check_tags(&request.remove.iter().map(|key| (key.clone(), String::new())).collect())?;
    if request.set.is_empty() && request.remove.is_empty() {
        return Err(ApiError::invalid("set and remove are both empty"));
    }
    if let Some(key) = request.remove.iter().find(|key| request.set.contains_key(*key)) {
        return Err(ApiError::invalid(format!("`{key}` stands in set and in remove")));
    }
    let selected = selector::resolved(&state, user.org(), "selector", &request.selector).await?;
    let selected = selector::within_limit(&state, &user, selected).await?;
    if !request.dry_run {
        require_confirmation(&state, &user, &selected, request.confirm_devices).await?;
    }
    let change = TagChange { set: request.set, remove: request.remove };
    let (store, by) = (state.store(), user.name());
    let changed =
        store.change_tags_of(user.org(), &selected, &change, request.dry_run, by, state.now()).await?;
    answer(changed, request.dry_run)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportParams {
    /// Only say how many devices would change.
    #[serde(default)]
    dry_run: bool,
}

/// Change the labels of the devices in a CSV file, all or none of them.
///
/// The first line names the columns: `device_id` or `name` first, then tags' keys. An empty cell leaves the label as it is, `-`
/// removes it. At most 4 MiB and 50,000 lines.
#[utoipa::path(post, path = "/devices/tags/import", operation_id = "import_tags", tag = "devices", params(ImportParams),
    request_body(content = String, content_type = "text/csv"), security(("bearer" = [])), responses(
    (status = 200, body = TagsChanged),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn import(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<ImportParams>,
    request: Request,
) -> ApiResult<Json<TagsChanged>> {
    if user.standing().device_selector.is_some() {
        let detail = "your rights are limited to certain devices: change labels by a selector, not by a file";
        return Err(ApiError::forbidden(ErrorCode::Forbidden, detail));
    }
    let bytes = read_body(request.into_body(), MAX_CSV_BYTES).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::invalid("the file is not UTF-8"))?;
    let rows = csv::parse(text, MAX_CSV_ROWS).map_err(ApiError::invalid)?;
    let changes = changes(&state, &user, rows).await?;
    let (store, by) = (state.store(), user.name());
    let changed = store.change_tags_each(user.org(), &changes, params.dry_run, by, state.now()).await?;
    answer(changed, params.dry_run)
}

fn answer(changed: kernex_store::TagsChanged, dry_run: bool) -> ApiResult<Json<TagsChanged>> {
    if let Some(device) = changed.too_many {
        return Err(ApiError::invalid(format!(
            "the device {device} would have more than 64 tags; nothing was changed"
        )));
    }
    Ok(Json(TagsChanged { matched: changed.matched, changed: changed.changed, dry_run }))
}

/// Demands that whoever changes many devices knows how many.
pub(super) async fn require_confirmation(
    state: &AppState,
    user: &CurrentUser,
    selected: &kernex_core::Selector,
    confirmed: Option<u64>,
) -> ApiResult<()> {
    let meant = state.store().count_matching(user.org(), selected, state.now()).await?;
    if meant == 0 {
        return Err(ApiError::invalid("selector: it means no device"));
    }
    if meant <= CONFIRM_BEYOND.max(confirmed.unwrap_or(0)) {
        return Ok(());
    }
    Err(ApiError::conflict(format!(
        "the selector means {meant} devices; say confirm_devices: {meant} to change them all"
    )))
}

/// What the lines of a file ask for; every mistake is named, up to a limit.
async fn changes(
    state: &AppState,
    user: &CurrentUser,
    table: csv::Table,
) -> ApiResult<BTreeMap<DeviceId, TagChange>> {
    let (subject, keys) =
        table.columns.split_first().ok_or_else(|| ApiError::invalid("the file is empty"))?;
    let by_name = match subject.as_str() {
        "device_id" | "id" | "device" => false,
        "name" => true,
        _ => return Err(ApiError::invalid("line 1: the first column must be device_id or name")),
    };
    check_tags(&keys.iter().map(|key| (key.clone(), String::new())).collect())?;
    let unique: BTreeSet<&String> = keys.iter().collect();
    if keys.is_empty() || unique.len() != keys.len() {
        return Err(ApiError::invalid("line 1: after the first column come tags' keys, each once"));
    }
    let devices = find(state, user, &table, by_name).await?;
    let (mut changes, mut mistakes) = (BTreeMap::new(), Vec::new());
    for row in &table.rows {
        let found = devices.get(&row.cells[0]).map_or(&[][..], Vec::as_slice);
        let result = match found {
            [id] if changes.contains_key(id) => Err(format!("`{}` stands there twice", row.cells[0])),
            [id] => change_of(keys, &row.cells[1..]).map(|change| drop(changes.insert(*id, change))),
            [] => Err(format!("there is no device `{}`", row.cells[0])),
            several => Err(format!("{} devices are called `{}`", several.len(), row.cells[0])),
        };
        if let Err(mistake) = result {
            mistakes.push(format!("line {}: {mistake}", row.line));
        }
    }
    if mistakes.is_empty() {
        return Ok(changes);
    }
    let more = mistakes.len().saturating_sub(MAX_MISTAKES);
    mistakes.truncate(MAX_MISTAKES);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(ApiError::invalid(format!("nothing was changed: {}{rest}", mistakes.join("; "))))
}

fn change_of(keys: &[String], cells: &[String]) -> Result<TagChange, String> {
    let mut change = TagChange::default();
    for (key, cell) in keys.iter().zip(cells) {
        match cell.as_str() {
            "" => {}
            "-" => change.remove.push(key.clone()),
            value => drop(change.set.insert(key.clone(), value.to_owned())),
        }
    }
    check_tags(&change.set).map_err(|error| error.detail().to_owned())?;
    Ok(change)
}

/// The devices that the first column names.
async fn find(
    state: &AppState,
    user: &CurrentUser,
    table: &csv::Table,
    by_name: bool,
) -> ApiResult<BTreeMap<String, Vec<DeviceId>>> {
    let named: BTreeSet<String> = table.rows.iter().map(|row| row.cells[0].clone()).collect();
    let named: Vec<String> = named.into_iter().collect();
    if by_name {
        return Ok(state.store().devices_called(user.org(), &named).await?);
    }
    let ids: Vec<DeviceId> = named.iter().filter_map(|text| text.parse().ok()).collect();
    let known = state.store().memberships(user.org(), &ids).await?;
    let found = named.into_iter().filter_map(|text| {
        let id = text.parse::<DeviceId>().ok().filter(|id| known.contains_key(id))?;
        Some((text, vec![id]))
    });
    Ok(found.collect())
}

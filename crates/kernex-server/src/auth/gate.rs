//! Every request of the API is held against its line of [`crate::policy`] before a handler sees it.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use kernex_api::ErrorCode;

use super::CurrentUser;
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    policy::{self, Access},
};

/// Lets a request through that may be made, with who makes it.
pub async fn check(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let access = path.and_then(|path| policy::access(request.method(), path));
    let outcome = match access {
        // No such operation: the framework says so.
        None | Some(Access::Public | Access::Device) => return next.run(request).await,
        Some(Access::Nobody) => {
            tracing::error!("an operation has no line in policy.rs and is refused");
            Err(ApiError::forbidden(ErrorCode::Forbidden, "nobody may do this"))
        }
        Some(access) => {
            let (parts, body) = request.into_parts();
            let outcome = CurrentUser::authenticate(&parts, &state).await;
            request = Request::from_parts(parts, body);
            outcome.and_then(|user| demand(access, user))
        }
    };
    match (access, outcome) {
        (Some(Access::HolderOr(..)), outcome) => {
            request.extensions_mut().insert::<ApiResult<CurrentUser>>(outcome);
        }
        (_, Ok(user)) => {
            request.extensions_mut().insert::<ApiResult<CurrentUser>>(Ok(user));
        }
        (_, Err(error)) => return error.into_response(),
    }
    next.run(request).await
}

fn demand(access: Access, user: CurrentUser) -> ApiResult<CurrentUser> {
    match access {
        Access::Login => user.require_login().map(drop)?,
        Access::Holder(permission) | Access::HolderOr(permission, _) => user.require(permission)?,
        Access::Nobody | Access::Public | Access::Device | Access::User => {}
    }
    Ok(user)
}

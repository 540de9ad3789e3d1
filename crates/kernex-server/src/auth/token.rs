//! Access tokens: a JWT that names a session. One fixed algorithm; the session's row decides whether it is still good.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kernex_core::{SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

const ALGORITHM: Algorithm = Algorithm::HS256;
const ISSUER: &str = "kernex";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// A token for a session.
pub(super) fn issue(
    state: &AppState,
    user: UserId,
    session: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> ApiResult<String> {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: user,
        sid: session,
        iat: now.as_millis() / 1_000,
        exp: expires_at.as_millis() / 1_000,
    };
    let key = EncodingKey::from_secret(state.secrets().token_key());
    jsonwebtoken::encode(&Header::new(ALGORITHM), &claims, &key).map_err(ApiError::internal)
}

/// The session that a token names, if the token was made here and has not expired.
pub(super) fn verify(state: &AppState, token: &str) -> Option<SessionId> {
    let mut validation = Validation::new(ALGORITHM);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["iss", "sub", "exp"]);
    validation.validate_exp = false; // below, with our own clock
    let key = DecodingKey::from_secret(state.secrets().token_key());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    (claims.exp > state.now().as_millis() / 1_000).then_some(claims.sid)
}

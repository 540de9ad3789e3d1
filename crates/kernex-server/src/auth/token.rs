//! Access tokens: a JWT that names a session, for minutes. One fixed algorithm (EdDSA with Ed25519); the session's row decides
//! whether a token is still good.

use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kernex_core::{SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AppState,
    error::{ApiError, ApiResult},
    secrets::sha256_hex,
};

const ALGORITHM: Algorithm = Algorithm::EdDSA;
const ISSUER: &str = "kernex";
const AUDIENCE: &str = "kernex-api";

/// The keys of access tokens: the first signs, every one checks, so that a key may be changed while the server runs.
#[derive(Clone)]
pub struct TokenKeys(Arc<[TokenKey]>);

/// One key.
#[derive(Clone)]
pub struct TokenKey {
    id: String,
    signing: EncodingKey,
    checking: DecodingKey,
}

impl TokenKeys {
    /// Keys of these seeds, the current one first.
    pub fn new(seeds: &[[u8; 32]]) -> anyhow::Result<Self> {
        let keys: Vec<_> = seeds.iter().map(TokenKey::new).collect::<anyhow::Result<_>>()?;
        anyhow::ensure!(!keys.is_empty(), "there is no key for access tokens");
        Ok(Self(keys.into()))
    }

    /// The key that signs.
    pub fn current(&self) -> &TokenKey {
        &self.0[0]
    }

    /// The `kid` of each, the current one first.
    pub fn ids(&self) -> Vec<&str> {
        self.0.iter().map(TokenKey::id).collect()
    }

    fn find(&self, id: &str) -> Option<&TokenKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl TokenKey {
    fn new(seed: &[u8; 32]) -> anyhow::Result<Self> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).ok().context("cannot make a key for access tokens")?;
        let document = pair.to_pkcs8().ok().context("cannot write a key for access tokens")?;
        let public = pair.public_key().as_ref();
        Ok(Self {
            id: sha256_hex(&hex::encode(public))[..16].to_owned(),
            signing: EncodingKey::from_ed_der(document.as_ref()),
            checking: DecodingKey::from_ed_der(public),
        })
    }

    /// The `kid` of its tokens.
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    jti: Uuid,
    iat: i64,
    nbf: i64,
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
    let issued = now.as_millis() / 1_000;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user,
        sid: session,
        jti: SessionId::generate(now).0,
        iat: issued,
        nbf: issued,
        exp: expires_at.as_millis() / 1_000,
    };
    let keys = state.secrets().token_keys();
    let key = keys.current();
    let header = Header { kid: Some(key.id.clone()), ..Header::new(ALGORITHM) };
    jsonwebtoken::encode(&header, &claims, &key.signing).map_err(ApiError::internal)
}

/// The session that a token names, if the token was made here and its time is now.
pub(super) fn verify(state: &AppState, token: &str) -> Option<SessionId> {
    let id = jsonwebtoken::decode_header(token).ok()?.kid?;
    let keys = state.secrets().token_keys();
    let key = keys.find(&id)?;
    let mut validation = Validation::new(ALGORITHM);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
    validation.validate_exp = false; // below, with our own clock
    let claims = jsonwebtoken::decode::<Claims>(token, &key.checking, &validation).ok()?.claims;
    let now = state.now().as_millis() / 1_000;
    // Another replica's clock may be ahead a little.
    const LEEWAY_SECS: i64 = 60;
    (claims.exp > now && claims.nbf <= now + LEEWAY_SECS).then_some(claims.sid)
}

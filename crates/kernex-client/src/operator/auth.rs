//! Users and sessions.

use kernex_api::auth::{
    EndedSessions, LoginRequest, LoginResponse, Me, RegisterUserRequest, SessionList, User,
};
use kernex_core::SessionId;
use reqwest::Method;

use super::OperatorClient;
use crate::Error;

impl OperatorClient {
    /// `POST /auth/login`.
    pub async fn login(&self, request: &LoginRequest) -> Result<LoginResponse, Error> {
        self.post(&["auth", "login"], request).await
    }

    /// `POST /auth/register`.
    pub async fn register_user(&self, request: &RegisterUserRequest) -> Result<User, Error> {
        self.post(&["auth", "register"], request).await
    }

    /// `POST /auth/logout`: ends the session that the token belongs to.
    pub async fn logout(&self) -> Result<(), Error> {
        self.done(self.request(Method::POST, self.endpoint(&["auth", "logout"]))).await
    }

    /// `GET /auth/me`.
    pub async fn me(&self) -> Result<Me, Error> {
        self.get(&["auth", "me"]).await
    }

    /// `GET /auth/sessions`: one's own logins.
    pub async fn list_sessions(&self) -> Result<SessionList, Error> {
        self.get(&["auth", "sessions"]).await
    }

    /// `DELETE /auth/sessions/{id}`.
    pub async fn end_session(&self, id: SessionId) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, self.endpoint(&["auth", "sessions", &id.to_string()]))).await
    }

    /// `DELETE /auth/sessions`: every login but the one that asks.
    pub async fn end_other_sessions(&self) -> Result<EndedSessions, Error> {
        self.answer(self.request(Method::DELETE, self.endpoint(&["auth", "sessions"]))).await
    }
}

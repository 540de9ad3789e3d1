//! Users and sessions.

use kernex_api::auth::{LoginRequest, LoginResponse, RegisterUserRequest, User};
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
    pub async fn me(&self) -> Result<User, Error> {
        self.get(&["auth", "me"]).await
    }
}

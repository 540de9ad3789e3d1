//! Registration tokens.

use kernex_api::registration_tokens::{
    CreateRegistrationTokenRequest, CreatedRegistrationToken, RegistrationTokenList,
};
use kernex_core::RegistrationTokenId;
use reqwest::Method;

use super::OperatorClient;
use crate::Error;

impl OperatorClient {
    /// `POST /registration-tokens`; the secret is shown only in this answer.
    pub async fn create_registration_token(
        &self,
        request: &CreateRegistrationTokenRequest,
    ) -> Result<CreatedRegistrationToken, Error> {
        self.post(&["registration-tokens"], request).await
    }

    /// `GET /registration-tokens`.
    pub async fn list_registration_tokens(&self) -> Result<RegistrationTokenList, Error> {
        self.get(&["registration-tokens"]).await
    }

    /// `DELETE /registration-tokens/{id}`.
    pub async fn revoke_registration_token(&self, id: RegistrationTokenId) -> Result<(), Error> {
        let url = self.endpoint(&["registration-tokens", &id.to_string()]);
        self.done(self.request(Method::DELETE, url)).await
    }
}

//! Who is asking: users by bearer token, devices by signature. Handlers get [`CurrentUser`] or [`Signed`] as a parameter; there
//! is no other way to learn an organisation's id.

mod bootstrap;
mod device;
mod download;
mod login;
mod password;
mod register;
mod session;
mod token;
mod user;

pub use bootstrap::{BootstrapLink, make_bootstrap_link};
pub use device::{AnyMember, Member, Signed, SignedBody, is_refused, verify_registration};
pub use download::{BundleAccess, download_url};
pub use password::{PasswordHasher, check_new_password};
pub use user::{CurrentUser, check_username};

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under `/auth`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(register::register))
        .routes(routes!(session::logout))
        .routes(routes!(session::me))
}

//! Who is asking: users by token or cookie, devices by signature. Handlers get [`CurrentUser`] or [`Signed`] as a parameter;
//! there is no other way to learn an organisation's id.

mod bootstrap;
mod browser;
mod browser_login;
mod device;
mod download;
mod gate;
mod login;
mod logout;
mod me;
mod password;
mod refresh;
mod register;
mod sessions;
mod token;
mod user;

pub use bootstrap::{BootstrapLink, make_bootstrap_link};
pub use device::{AnyMember, Member, Signed, SignedBody, is_refused, verify_registration};
pub use download::{BundleAccess, download_url};
pub use gate::check;
pub use password::{PasswordHasher, check_new_password};
pub use token::{TokenKey, TokenKeys};
pub use user::{Credential, CurrentUser, check_email, check_username};

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under `/auth`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(browser_login::browser_login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(register::register))
        .routes(routes!(logout::logout))
        .routes(routes!(me::me))
        .routes(routes!(sessions::list, sessions::delete_others))
        .routes(routes!(sessions::delete))
}

//! The audit log: what is recorded of a request, and reading it.
//!
//! [`Audited`] stands around every request, the store writes the records ([`kernex_store::AuditScope`]). No handler has to think
//! of it; what it may add is what the object was before and after, in the store's method that changes it.

mod action;
mod checkpoint;
mod checkpoints;
mod csv;
mod export;
mod layer;
mod list;
mod signer;
mod strangers;
pub mod verify;

pub use action::{Action, Recorded, action_of};
pub use checkpoint::{CHECKPOINTS_FILE, read_checkpoints, sign_checkpoints};
pub use layer::Audited;
pub use signer::AuditSigner;
pub use strangers::StrangerBudget;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under `/audit`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(export::export))
        .routes(routes!(checkpoints::checkpoints))
}

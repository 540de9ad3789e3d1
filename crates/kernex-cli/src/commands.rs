//! One file per command; the doc comment of its arguments is its help.

pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod deployment;
pub(crate) mod device;
pub(crate) mod event;
pub(crate) mod group;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod registration_token;
pub(crate) mod rollback;
pub(crate) mod stats;
pub(crate) mod webhook;
pub(crate) mod whoami;

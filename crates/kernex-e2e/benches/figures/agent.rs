//! The agent: size, rest, an installation, a rollback.

mod device;
mod install;
mod relay;
mod rest;
mod rollback;

use kernex_testkit::{Backend, ServerSetup, program};

use crate::{
    Size,
    table::{mib, table},
};

pub(crate) async fn measure(size: &Size) -> String {
    let binary = std::fs::metadata(program("kernex-agent")).unwrap().len();
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let mut rows = vec![("program, stripped".to_owned(), mib(binary))];
    rows.extend(rest::measure(&setup, &server, &admin, size.agent_rest).await);
    rows.extend(rollback::measure(&setup, &server, &admin, size.rollbacks).await);
    rows.extend(install::measure(&setup, &server, &admin, size.bundle_bytes).await);
    let rows: Vec<_> = rows.into_iter().map(|(what, figure)| vec![what, figure]).collect();
    table("The agent", &["Figure", "measured"], &rows)
}

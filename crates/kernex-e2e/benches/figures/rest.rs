//! Memory at rest.

use std::time::Duration;

use kernex_testkit::{AgentProcess, Backend, ServerProcess, ServerSetup, memory, wait_for};
use tokio::time::sleep;

use crate::{
    Size,
    table::{mib, table},
};

pub(crate) async fn measure(size: &Size) -> String {
    let mut rows = Vec::new();
    for backend in Backend::all() {
        let setup = ServerSetup::new(backend).await;
        let server = setup.start().await;
        sleep(size.quiet).await;
        rows.push(vec![format!("server on {backend:?}, just started"), mib(memory(server.pid()).resident)]);
        if backend == Backend::Sqlite {
            let admin = server.admin().await;
            let token = ServerProcess::registration_token(&admin, 1).await;
            let agent = AgentProcess::start(&server.url, &setup.folder().join("device"), Some(&token));
            wait_for("the agent's heartbeats", Duration::from_secs(60), async || {
                let devices = admin.list_devices(&Default::default()).await.ok()?.devices;
                devices.first()?.last_seen_at
            })
            .await;
            sleep(size.quiet).await;
            rows.push(vec![
                "agent, with a heartbeat every second".to_owned(),
                mib(memory(agent.pid()).resident),
            ]);
            rows.push(vec![
                format!("server on {backend:?}, after a login"),
                mib(memory(server.pid()).resident),
            ]);
        }
    }
    table("Memory at rest", &["Program", "resident"], &rows)
}

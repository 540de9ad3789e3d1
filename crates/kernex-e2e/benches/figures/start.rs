//! From starting the program to the first good answer of `/health/ready`.

use std::{net::TcpListener, time::Duration};

use kernex_testkit::{Backend, ServerSetup, program};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use crate::{Size, table::table};

const LOOK_INTERVAL: Duration = Duration::from_millis(1);

pub(crate) async fn measure(size: &Size) -> String {
    let mut rows = Vec::new();
    for backend in Backend::all() {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for _ in 0..size.starts {
            let setup = ServerSetup::new(backend).await;
            first.push(start_once(&setup).await);
            later.push(start_once(&setup).await);
        }
        for (what, times) in [("empty database, schema made", first), ("existing database", later)] {
            rows.push(row(&format!("{backend:?}, {what}"), times));
        }
    }
    let title = format!("Server start to ready ({} starts each)", size.starts);
    table(&title, &["Database", "median", "fastest", "slowest"], &rows)
}

fn row(what: &str, mut times: Vec<Duration>) -> Vec<String> {
    times.sort();
    let millis = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1_000.0);
    vec![what.to_owned(), millis(times[times.len() / 2]), millis(times[0]), millis(times[times.len() - 1])]
}

async fn start_once(setup: &ServerSetup) -> Duration {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let began = Instant::now();
    let mut server = Command::new(program("kernex-server"))
        .args(["serve", "--log", "error", "--listen", &address, "--database-url", &setup.database_url()])
        .arg("--data-dir")
        .arg(setup.data_dir())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while !is_ready(&address).await {
        assert!(began.elapsed() < Duration::from_secs(30), "the control plane does not become ready");
        sleep(LOOK_INTERVAL).await;
    }
    let took = began.elapsed();
    server.kill().await.unwrap();
    took
}

async fn is_ready(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

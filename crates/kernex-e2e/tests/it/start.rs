//! Starting: what keeps the control plane from it is said, and the first admin is made once.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Output},
};

use kernex_api::auth::RegisterUserRequest;
use kernex_client::{HttpOptions, OperatorClient};
use kernex_testkit::{ADMIN_PASSWORD, Backend, Kernex, ServerSetup, program};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_newer_than_the_program_is_refused_on_both_databases() {
    for backend in Backend::all() {
        let setup = ServerSetup::new(backend).await;
        let mut server = setup.start().await;
        server.terminate();
        assert!(server.wait().await.success());

        pretend_newer(&setup.database_url()).await;
        let output = setup.run_to_end(&["serve", "--listen", "127.0.0.1:0"]).await;
        assert_refused(&output, &["9999", "newer"]);
    }
}

async fn pretend_newer(url: &str) {
    let newer = "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    let changed = if url.starts_with("sqlite:") {
        let mut database = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(newer).execute(&mut database).await.unwrap().rows_affected()
    } else {
        let mut database = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(newer).execute(&mut database).await.unwrap().rows_affected()
    };
    assert_eq!(changed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program("kernex-server"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            "postgres://kernex:hunter2@127.0.0.1:1/kernex",
        ])
        .arg("--data-dir")
        .arg(folder.path())
        .output()
        .unwrap();
    assert_refused(&output, &["cannot open the database", "127.0.0.1:1"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program("kernex-server"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(&data_dir).current_dir("/");
    if rustix::process::geteuid().is_root() {
        // Permissions do not hold root back.
        command.uid(65_534).gid(65_534);
    }
    let Ok(output) = command.output() else {
        println!("not run: the account without rights cannot reach the programs");
        return;
    };
    assert_refused(&output, &[data_dir.to_str().unwrap(), "denied"]);
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(program("kernex-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(file.path())
        .output()
        .unwrap();
    assert_refused(&output, &[file.path().to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_for_the_first_admin_works_once() {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let mut server = setup.start().await;
    let admin = server.admin().await;
    assert_eq!(admin.me().await.unwrap().username, "admin");

    let link =
        server.log_text().lines().find_map(|line| line.strip_prefix("first admin: ").map(ToOwned::to_owned));
    let request = RegisterUserRequest {
        username: "second".to_owned(),
        email: None,
        password: ADMIN_PASSWORD.to_owned(),
        role: None,
        bootstrap_token: link.unwrap().split_once('#').map(|(_, secret)| secret.to_owned()),
    };
    let stranger = OperatorClient::new(&server.url, &HttpOptions::default()).unwrap();
    let error = stranger.register_user(&request).await.unwrap_err();
    assert!(matches!(error.status(), Some(401 | 403 | 409 | 410)), "{error}");

    server.kill().await;
    server.restart(&setup).await;
    assert_eq!(server.first_admin, None, "there is an admin, so there is no link");
    server.login().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_made_on_the_command_line_can_log_in_on_both_databases() {
    for backend in Backend::all() {
        let setup = ServerSetup::new(backend).await;
        let output = setup.run_to_end(&["admin", "create", "--username", "ada"]).await;
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let password = text.trim().rsplit(' ').next().unwrap().to_owned();

        let server = setup.start().await;
        assert_eq!(server.first_admin, None);
        let kernex = Kernex::log_in(&server.url, "ada", &password).await;
        assert_eq!(kernex.ask(&["whoami"]).await["username"], "ada");

        let twice = setup.run_to_end(&["admin", "create", "--username", "ada"]).await;
        assert_refused(&twice, &["`ada` is taken"]);
    }
}

/// Exit code 1, and every one of these words on standard error, in one line.
fn assert_refused(output: &Output, words: &[&str]) {
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{reason}");
    let line = reason.lines().find(|line| line.starts_with("kernex-server: ")).unwrap_or_default();
    for word in words {
        assert!(line.contains(word), "`{word}` is missing in: {reason}");
    }
}

//! Logging in and out, and whom the token is sent to.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::{
    fake::{Answer, Fake},
    kernex, kernex_at, run, user,
};

fn login(token: &str, expires_in: u32) -> serde_json::Value {
    json!({"access_token": token, "token_type": "bearer", "expires_in": expires_in, "refresh_token": "kxr_1",
        "session_expires_at": "2030-01-01T00:00:00.000Z"})
}

fn control_plane() -> Fake {
    Fake::start(|request| match request.line.as_str() {
        "POST /api/v1/auth/login" if request.json()["password"] == "correct horse" => {
            Answer::json(login("jwt-1", 60))
        }
        // An access token that has ended is renewed.
        "POST /api/v1/auth/login" if request.json()["password"] == "short" => Answer::json(login("jwt-0", 0)),
        "POST /api/v1/auth/refresh" if request.json()["refresh_token"] == "kxr_1" => {
            Answer::json(login("jwt-1", 60))
        }
        "GET /api/v1/auth/me" if request.header("authorization") == Some("Bearer jwt-1") => {
            Answer::json(user())
        }
        "POST /api/v1/auth/logout" => Answer::bytes(204, Vec::new()),
        _ => Answer::problem(401, "unauthenticated", "the credentials are wrong"),
    })
}

#[test]
fn a_login_is_kept_used_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let fake = control_plane();
    let mut login = kernex(folder.path(), &["login", &fake.address, "--username", "ada", "--password-stdin"]);
    login.write_stdin("correct horse\n");
    let (code, stdout, stderr) = run(login);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("as ada (admin)") && !stderr.contains("jwt-1"), "{stderr}");
    let path = folder.path().join("credentials.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let (code, stdout, _) = run(kernex(folder.path(), &["whoami", "--output", "json"]));
    assert_eq!((code, serde_json::from_str::<serde_json::Value>(&stdout).unwrap()), (0, user()));

    assert_eq!(run(kernex(folder.path(), &["logout"])).0, 0);
    assert!(!path.exists());
    assert_eq!(fake.lines().last().unwrap(), "POST /api/v1/auth/logout");
    assert_eq!(run(kernex(folder.path(), &["whoami"])).0, 3);
}

#[test]
fn an_access_token_that_has_ended_is_renewed_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let fake = control_plane();
    let mut login = kernex(folder.path(), &["login", &fake.address, "--username", "ada", "--password-stdin"]);
    login.write_stdin("short\n");
    let (code, _, stderr) = run(login);
    assert_eq!(code, 0, "{stderr}");
    let kept = fs::read_to_string(folder.path().join("credentials.json")).unwrap();
    assert!(kept.contains("jwt-1") && kept.contains("kxr_1"), "{kept}");
    let renewals = || fake.lines().iter().filter(|line| line.ends_with("/auth/refresh")).count();
    assert_eq!(renewals(), 1);
    assert_eq!(run(kernex(folder.path(), &["whoami"])).0, 0);
    assert_eq!(renewals(), 1, "the kept one is still good");
}

#[test]
fn a_wrong_password_is_told_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let fake = control_plane();
    let mut login = kernex(folder.path(), &["login", &fake.address, "-u", "ada", "--password-stdin"]);
    login.write_stdin("wrong");
    let (code, _, stderr) = run(login);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.starts_with("error: the user name or the password is wrong\nhint: "), "{stderr}");
    assert!(!folder.path().join("credentials.json").exists());
}

#[test]
fn a_stored_token_is_not_sent_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let stored = json!({"url": "http://127.0.0.1:1/", "username": "ada", "token": "jwt-1"});
    fs::write(folder.path().join("credentials.json"), stored.to_string()).unwrap();
    let fake = control_plane();
    let (code, _, stderr) = run(kernex(folder.path(), &["whoami", "--url", &fake.address]));
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains(&format!("kernex login {}", fake.address)), "{stderr}");
    assert!(fake.requests().is_empty());
}

#[test]
fn without_a_login_the_hint_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(kernex(folder.path(), &["device", "list"]));
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert_eq!(
        stderr,
        "error: you are not logged in to a control plane\n\
         hint: log in with `kernex login URL`, or set KERNEX_URL and KERNEX_TOKEN\n"
    );
}

#[test]
fn a_token_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let fake = control_plane();
    let file = folder.path().join("token");
    fs::write(&file, "jwt-1\n").unwrap();
    let mut command = kernex(folder.path(), &["whoami"]);
    command.env("KERNEX_URL", &fake.address).env("KERNEX_TOKEN_FILE", &file).env("KERNEX_TOKEN", "");
    assert_eq!(run(command).0, 0);
}

#[test]
fn a_control_plane_that_is_not_there_has_its_exit_code() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}");
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(kernex(folder.path(), &["stats", "--url", &address, "--token", "kx_secret"]));
    assert_eq!(code, 9, "{stderr}");
    assert!(stderr.contains(&format!("cannot reach the control plane at {address}")), "{stderr}");
    assert!(stderr.contains("\nhint: ") && !stderr.contains("kx_secret"), "{stderr}");
}

#[test]
fn something_that_is_no_control_plane_is_said_to_be_none() {
    let fake = Fake::start(|_| Answer::bytes(200, b"<html>".to_vec()));
    let (code, _, stderr) = run(kernex_at(&fake, &["stats"]));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("unexpected answer"), "{stderr}");
}

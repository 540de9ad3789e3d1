//! `kernex-server admin create`: a user without the API, for whoever has the database.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;
use kernex_core::{Clock as _, OrganizationId, Role};
use kernex_store::{NewUser, Store};

use crate::{
    Settings,
    auth::{PasswordHasher, check_new_password, check_username},
    clock::SystemClock,
    config::Options,
    secrets::random_token,
    serve::{create_data_dir, store_options, with_vault},
};

/// Create a user with the role admin.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateAdmin {
    /// The user's name: 1 to 64 of a-z A-Z 0-9 . _ @ + -
    #[arg(long, default_value = "admin")]
    pub username: String,
    /// Where to reach the person.
    #[arg(long)]
    pub email: Option<String>,
    /// Read the password from standard input instead of making one.
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the database is.
    #[command(flatten)]
    pub options: Options,
}

/// Creates the user, and prints the password if it was made here.
#[expect(clippy::print_stdout, reason = "the password is the command's result")]
pub async fn create(create: CreateAdmin) -> anyhow::Result<()> {
    let (settings, _) = with_vault(Settings::resolve(create.options)?).await?;
    let given = if create.password_stdin { Some(read_password()?) } else { None };
    let password = given.clone().unwrap_or_else(random_token);
    let checked = check_username(&create.username).and_then(|()| check_new_password(&password));
    checked.map_err(|error| anyhow::anyhow!(error.detail().to_owned()))?;

    create_data_dir(&settings)?;
    let store = Store::open(&store_options(&settings)).await.context("cannot open the database")?;
    let hash = PasswordHasher::new().hash(&password).await;
    let new = NewUser {
        username: create.username.clone(),
        email: create.email,
        password_hash: Some(hash.map_err(|error| anyhow::anyhow!(error.detail().to_owned()))?),
        role: Role::Admin,
        device_selector: None,
        installation_admin: true,
        must_change_password: false,
    };
    match store.create_user(OrganizationId::DEFAULT, &new, SystemClock.now()).await {
        Err(kernex_store::Error::Exists) => anyhow::bail!("the username `{}` is taken", create.username),
        other => other.context("cannot create the user")?,
    };
    store.close().await;
    match given {
        Some(_) => println!("created the admin {}", create.username),
        None => println!("created the admin {} with the password {password}", create.username),
    }
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        eprintln!("Password (then Enter and Ctrl-D):");
    }
    let mut text = String::new();
    io::stdin()
        .take(4_096)
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

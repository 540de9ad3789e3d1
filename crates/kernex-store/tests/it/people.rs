//! Users, the bootstrap secret, sessions.

use kernex_core::{OrganizationId, Role, SessionId};
use kernex_store::{Error, NewUser};

use crate::{
    database::Database,
    fleet::{ORG, add_other_organization, all_at_once, at, other_org},
};

on_both!(
    a_user_reads_back_and_a_name_is_taken_once,
    many_users_of_one_name_at_once_give_one,
    the_bootstrap_secret_makes_one_admin_however_many_use_it_at_once,
    a_wrong_or_replaced_bootstrap_secret_makes_nobody,
    there_is_no_bootstrap_once_there_are_users,
    a_session_lasts_until_it_expires_or_is_deleted,
    beginning_a_session_forgets_those_that_have_ended,
);

fn new_user(username: &str, role: Role) -> NewUser {
    NewUser {
        username: username.to_owned(),
        email: Some("ada@example.org".to_owned()),
        password_hash: "$argon2id$…".to_owned(),
        role,
    }
}

async fn a_user_reads_back_and_a_name_is_taken_once(db: &Database) {
    add_other_organization(db).await;
    let made = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(1)).await.unwrap();
    let found = db.store.find_user_by_name("ada").await.unwrap().unwrap();
    assert_eq!((found.id, found.org_id, found.role), (made.id, ORG, Role::Ops));
    assert_eq!((found.email.as_deref(), found.created_at), (Some("ada@example.org"), at(1)));
    for org in [ORG, other_org()] {
        let again = db.store.create_user(org, &new_user("ada", Role::Admin), at(2)).await;
        assert!(matches!(again, Err(Error::Exists)), "names are unique in the installation");
    }
    assert!(db.store.find_user_by_name("bob").await.unwrap().is_none());
    assert!(db.store.find_user_by_name("' OR 1=1 --").await.unwrap().is_none());
}

async fn many_users_of_one_name_at_once_give_one(db: &Database) {
    let answers = all_at_once(10, |_| {
        let store = db.store.clone();
        async move { store.create_user(ORG, &new_user("ada", Role::Ops), at(1)).await }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Error::Exists))).count(), 9);
}

async fn the_bootstrap_secret_makes_one_admin_however_many_use_it_at_once(db: &Database) {
    assert!(db.store.set_bootstrap("digest").await.unwrap());
    let replica = db.replica().await;
    let answers = all_at_once(10, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        let new = new_user(&format!("user-{number}"), Role::Admin);
        async move { store.create_first_user(&new, "digest", at(1)).await.unwrap() }
    })
    .await;
    let made: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].org_id, made[0].role), (OrganizationId::DEFAULT, Role::Admin));
    assert_eq!(db.rows_of("users").await, 1);
}

async fn a_wrong_or_replaced_bootstrap_secret_makes_nobody(db: &Database) {
    let ada = new_user("ada", Role::Admin);
    assert!(db.store.create_first_user(&ada, "digest", at(1)).await.unwrap().is_none(), "none was set");
    assert!(db.store.set_bootstrap("first").await.unwrap());
    assert!(db.store.set_bootstrap("second").await.unwrap());
    for wrong in ["first", "", "other"] {
        assert!(db.store.create_first_user(&ada, wrong, at(1)).await.unwrap().is_none(), "{wrong}");
    }
    assert!(db.store.create_first_user(&ada, "second", at(1)).await.unwrap().is_some());
}

async fn there_is_no_bootstrap_once_there_are_users(db: &Database) {
    assert!(db.store.set_bootstrap("digest").await.unwrap());
    db.store.create_user(ORG, &new_user("ada", Role::Admin), at(1)).await.unwrap();
    let late = db.store.create_first_user(&new_user("eve", Role::Admin), "digest", at(2)).await.unwrap();
    assert!(late.is_none());
    assert!(!db.store.set_bootstrap("other").await.unwrap());
    assert!(db.store.find_user_by_name("eve").await.unwrap().is_none());
}

async fn a_session_lasts_until_it_expires_or_is_deleted(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let session = db.store.create_session(ORG, ada.id, at(60), at(0)).await.unwrap();
    let other = db.store.create_session(ORG, ada.id, at(60), at(0)).await.unwrap();
    let user = async |session, secs| {
        db.store.find_session(session, at(secs)).await.unwrap().map(|found| found.user.username)
    };
    assert_eq!(user(session, 59).await.as_deref(), Some("ada"));
    assert_eq!(user(session, 60).await, None);
    assert_eq!(user(SessionId::generate(at(0)), 1).await, None);
    db.store.delete_session(session).await.unwrap();
    db.store.delete_session(session).await.unwrap();
    assert_eq!(user(session, 1).await, None);
    assert_eq!(user(other, 1).await.as_deref(), Some("ada"), "the other login stays");
}

async fn beginning_a_session_forgets_those_that_have_ended(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let bob = db.store.create_user(ORG, &new_user("bob", Role::Ops), at(0)).await.unwrap();
    for user in [ada.id, ada.id, bob.id] {
        db.store.create_session(ORG, user, at(10), at(0)).await.unwrap();
    }
    db.store.create_session(ORG, ada.id, at(100), at(20)).await.unwrap();
    assert_eq!(db.rows_of("sessions").await, 2, "the new one, and that of another user");
}

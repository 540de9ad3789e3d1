//! Users, the bootstrap secret, sessions.

use kernex_core::{OrganizationId, Role, SessionId};
use kernex_store::{AdminChange, Error, MemberRecord, NewSession, NewUser, SessionKey, SessionKind};

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
    a_browsers_session_ends_when_it_is_not_used,
    beginning_a_session_forgets_those_that_have_ended,
    the_last_admin_stays_however_many_go_at_once,
    leaving_an_organisation_ends_what_one_had_there,
);

pub(crate) fn new_user(username: &str, role: Role) -> NewUser {
    NewUser {
        username: username.to_owned(),
        email: Some("ada@example.org".to_owned()),
        password_hash: Some("$argon2id$…".to_owned()),
        role,
        device_selector: None,
        installation_admin: false,
        must_change_password: false,
    }
}

async fn a_user_reads_back_and_a_name_is_taken_once(db: &Database) {
    add_other_organization(db).await;
    let made = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(1)).await.unwrap();
    let found = db.store.find_user_by_name("ada").await.unwrap().unwrap();
    assert_eq!((found.id, found.org_id), (made.id, ORG));
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
    assert_eq!(made[0].org_id, OrganizationId::DEFAULT);
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

pub(crate) fn new_session(kind: SessionKind, secret: &str, secs: i64) -> NewSession {
    NewSession {
        kind,
        secret_sha256: secret.to_owned(),
        expires_at: at(secs),
        address: Some("192.0.2.1".to_owned()),
        user_agent: None,
    }
}

async fn a_session_lasts_until_it_expires_or_is_deleted(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let begin = async |secret: &str| {
        let new = new_session(SessionKind::Token, secret, 60);
        db.store.create_session(ORG, ada.id, &new, at(0)).await.unwrap()
    };
    let (session, other) = (begin("one").await, begin("two").await);
    let user = async |session, secs| {
        let found = db.store.find_session(SessionKey::Id(session), None, at(secs), at(secs)).await.unwrap();
        found.map(|found| (found.user.username, found.standing.unwrap().role))
    };
    assert_eq!(user(session, 59).await, Some(("ada".to_owned(), Role::Ops)));
    assert_eq!(user(session, 60).await, None);
    assert_eq!(user(SessionId::generate(at(0)), 1).await, None);
    let bob = db.store.create_user(ORG, &new_user("bob", Role::Ops), at(0)).await.unwrap();
    assert!(!db.store.delete_session(bob.id, session).await.unwrap(), "only one's own");
    assert!(db.store.delete_session(ada.id, session).await.unwrap());
    assert!(!db.store.delete_session(ada.id, session).await.unwrap());
    assert_eq!(user(session, 1).await, None);
    assert!(user(other, 1).await.is_some(), "the other login stays");
}

async fn a_browsers_session_ends_when_it_is_not_used(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let new = new_session(SessionKind::Browser, "cookie", 10_000);
    db.store.create_session(ORG, ada.id, &new, at(0)).await.unwrap();
    let find = async |secs: i64| {
        let key = SessionKey::Secret(SessionKind::Browser, "cookie");
        db.store.find_session(key, None, at(secs - 1_800), at(secs)).await.unwrap()
    };
    let found = find(1_799).await.unwrap();
    db.store.touch_session(&found.session, at(1_799)).await.unwrap();
    let found = find(3_598).await.unwrap();
    db.store.touch_session(&found.session, at(1_799 + 59)).await.unwrap();
    assert_eq!(find(3_598).await.unwrap().session.last_used_at, at(1_799), "not of every request");
    assert!(find(3_599).await.is_none());
    let other = SessionKey::Secret(SessionKind::Token, "cookie");
    assert!(
        db.store.find_session(other, None, at(0), at(1)).await.unwrap().is_none(),
        "a cookie renews no token"
    );
}

async fn beginning_a_session_forgets_those_that_have_ended(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let bob = db.store.create_user(ORG, &new_user("bob", Role::Ops), at(0)).await.unwrap();
    for (number, user) in [ada.id, ada.id, bob.id].into_iter().enumerate() {
        let new = new_session(SessionKind::Token, &number.to_string(), 10);
        db.store.create_session(ORG, user, &new, at(0)).await.unwrap();
    }
    let new = new_session(SessionKind::Token, "later", 100);
    db.store.create_session(ORG, ada.id, &new, at(20)).await.unwrap();
    assert_eq!(db.rows_of("sessions").await, 2, "the new one, and that of another user");
    for number in 0..110 {
        let new = new_session(SessionKind::Token, &format!("many {number}"), 1_000);
        db.store.create_session(ORG, ada.id, &new, at(21 + number)).await.unwrap();
    }
    assert_eq!(db.store.list_sessions(ada.id, at(200)).await.unwrap().len(), 100, "the oldest make room");
}

async fn the_last_admin_stays_however_many_go_at_once(db: &Database) {
    let mut admins = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let new = NewUser { installation_admin: true, ..new_user(name, Role::Admin) };
        admins.push(db.store.create_user(ORG, &new, at(0)).await.unwrap().id);
    }
    let replica = db.replica().await;
    let answers = all_at_once(12, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        let user = admins[number % 3];
        async move {
            match number / 3 {
                0 => store.set_disabled(user, Some(at(1))).await,
                1 => store.delete_user(user).await,
                2 => store.put_membership(ORG, user, Role::Ops, None, at(1)).await,
                _ => store.delete_membership(ORG, user).await,
            }
            .unwrap()
        }
    })
    .await;
    assert!(answers.contains(&AdminChange::LastAdmin), "{answers:?}");
    let left = db.store.list_members(ORG, None, 10).await.unwrap();
    let in_charge =
        |member: &&MemberRecord| member.standing.role == Role::Admin && member.user.disabled_at.is_none();
    assert!(left.iter().any(|member| in_charge(&member)), "{left:?}");
    assert!(left.iter().any(|member| member.user.installation_admin && member.user.disabled_at.is_none()));
}

async fn leaving_an_organisation_ends_what_one_had_there(db: &Database) {
    add_other_organization(db).await;
    db.store.create_user(ORG, &new_user("root", Role::Admin), at(0)).await.unwrap();
    let ada = db.store.create_user(ORG, &new_user("ada", Role::Ops), at(0)).await.unwrap();
    let put = |role| db.store.put_membership(other_org(), ada.id, role, Some("site=berlin"), at(1));
    assert_eq!(put(Role::Admin).await.unwrap(), AdminChange::Done);
    assert_eq!(put(Role::Ops).await.unwrap(), AdminChange::LastAdmin);
    let session = async |org, secret: &str| {
        let new = new_session(SessionKind::Token, secret, 60);
        db.store.create_session(org, ada.id, &new, at(0)).await.unwrap()
    };
    let (here, there) = (session(ORG, "here").await, session(other_org(), "there").await);
    let find = async |id, org| db.store.find_session(SessionKey::Id(id), org, at(1), at(1)).await.unwrap();
    let standing = find(here, Some(other_org())).await.unwrap().standing.unwrap();
    assert_eq!((standing.role, standing.device_selector.as_deref()), (Role::Admin, Some("site=berlin")));
    assert!(db.store.choose_organization(here, other_org()).await.unwrap());
    assert!(db.store.choose_organization(here, ORG).await.unwrap());
    assert_eq!(db.store.organizations_of(ada.id).await.unwrap().len(), 2);

    assert_eq!(db.store.delete_membership(ORG, ada.id).await.unwrap(), AdminChange::Done);
    assert!(find(here, None).await.is_none() && find(there, None).await.is_some());
    assert!(find(there, Some(ORG)).await.unwrap().standing.is_none());
    assert!(!db.store.choose_organization(there, ORG).await.unwrap());
    assert_eq!(
        db.store.find_user(ada.id).await.unwrap().unwrap().org_id,
        other_org(),
        "logins begin there now"
    );
    assert_eq!(db.store.delete_membership(ORG, ada.id).await.unwrap(), AdminChange::NotFound);
    db.store.create_user(other_org(), &new_user("bob", Role::Admin), at(0)).await.unwrap();
    assert_eq!(db.store.delete_membership(other_org(), ada.id).await.unwrap(), AdminChange::Done);
    assert!(db.store.find_user(ada.id).await.unwrap().is_none(), "who belongs nowhere is gone");
}

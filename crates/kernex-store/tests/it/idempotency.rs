//! Requests with an `Idempotency-Key`: the work once, the first answer every time.

use kernex_core::DeviceId;
use kernex_store::{Error, Idempotency, NewBundle, Once, Result};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, all_at_once, at, bundle, device, new_bundle, new_deployment, other_org,
    },
};

on_both!(
    the_same_request_from_many_at_once_does_the_work_once_and_answers_the_same,
    another_request_with_the_same_key_is_refused,
    keys_belong_to_their_sender_and_organization,
    work_that_fails_leaves_no_answer,
    a_bundle_upload_that_is_repeated_gets_the_first_answer,
    answers_are_forgotten_after_a_day,
);

fn once(actor: &str, key: &str, request: &str) -> Idempotency {
    Idempotency { actor: actor.to_owned(), key: key.to_owned(), request_sha256: request.to_owned() }
}

async fn make(
    db: &Database,
    bundle: &NewBundle,
    devices: &[DeviceId],
    once: &Idempotency,
    secs: i64,
) -> Result<Once<bool>> {
    let new = new_deployment(bundle, devices, at(secs));
    let body = new.id.to_string();
    db.store.create_deployments(ORG, &[new], at(secs), Some(once), || (201, body)).await
}

async fn the_same_request_from_many_at_once_does_the_work_once_and_answers_the_same(db: &Database) {
    let (id, replica) = (device(&db.store, ORG, "key").await, db.replica().await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let answers = all_at_once(20, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        let new = new_deployment(&bundle, &[id], at(1));
        async move {
            let (made, once) = (new.id.to_string(), once("user:1", "key", "digest"));
            let body = made.clone();
            let answer = store.create_deployments(ORG, &[new], at(1), Some(&once), || (201, body)).await;
            match answer.unwrap() {
                Once::Done(done) => {
                    assert!(done);
                    (true, made)
                }
                Once::Before { status, body } => {
                    assert_eq!(status, 201);
                    (false, body)
                }
            }
        }
    })
    .await;
    assert_eq!(answers.iter().filter(|(done, _)| *done).count(), 1);
    assert!(answers.iter().all(|(_, body)| *body == answers[0].1), "{answers:?}");
    assert_eq!(db.rows_of("deployments").await, 1);
}

async fn another_request_with_the_same_key_is_refused(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let first = make(db, &bundle, &[id], &once("user:1", "key", "digest"), 1).await;
    assert_eq!(first.unwrap(), Once::Done(true));
    let other = make(db, &bundle, &[id], &once("user:1", "key", "other digest"), 2).await;
    assert!(matches!(other, Err(Error::IdempotencyMismatch)));
    assert_eq!(db.rows_of("deployments").await, 1);
}

async fn keys_belong_to_their_sender_and_organization(db: &Database) {
    add_other_organization(db).await;
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    for actor in ["user:1", "user:2"] {
        let made = make(db, &bundle, &[id], &once(actor, "key", actor), 1).await.unwrap();
        assert_eq!(made, Once::Done(true));
    }
    let foreign = new_bundle("default", "1.0.0");
    let key = once("user:1", "key", "digest");
    let made = db.store.create_bundle(other_org(), &foreign, at(1), Some(&key), || (201, String::new()));
    assert_eq!(made.await.unwrap(), Once::Done(()));
}

async fn work_that_fails_leaves_no_answer(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let deleted = bundle_that_was_deleted(db).await;
    let key = once("user:1", "key", "digest");
    assert_eq!(make(db, &deleted, &[id], &key, 1).await.unwrap(), Once::Done(false));
    assert_eq!(db.rows_of("idempotency_keys").await, 0);
    let taken = NewBundle { id: kernex_core::BundleId::generate(at(0)), ..bundle.clone() };
    let exists = db.store.create_bundle(ORG, &taken, at(1), Some(&key), || (201, String::new())).await;
    assert!(matches!(exists, Err(Error::Exists)));
    assert_eq!(make(db, &bundle, &[id], &key, 2).await.unwrap(), Once::Done(true), "the key is free");
}

async fn bundle_that_was_deleted(db: &Database) -> NewBundle {
    let deleted = bundle(&db.store, ORG, "0.9.0").await;
    db.store.delete_bundle(ORG, deleted.id, "ada", at(0)).await.unwrap();
    deleted
}

async fn a_bundle_upload_that_is_repeated_gets_the_first_answer(db: &Database) {
    let key = once("user:1", "key", "digest");
    let answers = all_at_once(10, |_| {
        let (store, new, key) = (db.store.clone(), new_bundle("default", "1.0.0"), key.clone());
        async move {
            let body = new.id.to_string();
            let answer = store.create_bundle(ORG, &new, at(1), Some(&key), || (201, body)).await.unwrap();
            match answer {
                Once::Done(()) => new.id.to_string(),
                Once::Before { body, .. } => body,
            }
        }
    })
    .await;
    assert!(answers.iter().all(|body| *body == answers[0]), "{answers:?}");
    assert_eq!(db.rows_of("bundles").await, 1);
}

async fn answers_are_forgotten_after_a_day(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let day = 24 * 60 * 60;
    make(db, &bundle, &[id], &once("user:1", "old", "digest"), 1).await.unwrap();
    make(db, &bundle, &[id], &once("user:1", "new", "digest"), 60).await.unwrap();
    assert_eq!(db.store.prune_idempotency_keys(at(1 + day)).await.unwrap(), 0);
    assert_eq!(db.store.prune_idempotency_keys(at(2 + day)).await.unwrap(), 1);
    assert_eq!(
        make(db, &bundle, &[id], &once("user:1", "old", "digest"), 90).await.unwrap(),
        Once::Done(true)
    );
    let kept = make(db, &bundle, &[id], &once("user:1", "new", "digest"), 90).await.unwrap();
    assert!(matches!(kept, Once::Before { status: 201, .. }));
}

//! Registering: one device per key, tokens, approval.

use std::collections::{BTreeMap, BTreeSet};

use kernex_core::{DeviceId, Membership, OrganizationId, RegistrationTokenId, Timestamp};
use kernex_store::{Error, NewDevice, NewRegistrationToken, Registered, Store};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, all_at_once, at, counter, device_of, fingerprint, new_device, other_org,
        waiting_device,
    },
};

on_both!(
    the_same_key_from_many_at_once_gives_one_device,
    the_same_key_with_a_token_from_many_at_once_takes_one_use,
    a_token_lets_in_exactly_as_many_as_it_has_uses,
    registering_again_gives_the_same_device_and_changes_nothing_of_it,
    a_device_without_a_good_token_waits_for_approval,
    a_token_gives_its_organization_and_its_tags,
    too_many_waiting_devices_are_turned_away_but_a_token_still_lets_in,
    an_organization_that_does_not_exist_is_refused,
    a_waiting_device_that_comes_back_with_a_token_is_let_in,
    a_token_of_another_organization_does_not_let_a_waiting_device_in,
    a_decommissioned_device_stays_out_even_with_a_token,
    after_a_registration_only_later_requests_are_accepted,
    registration_tokens_are_listed_until_they_end_and_can_be_ended,
);

async fn token(store: &Store, org: OrganizationId, uses: u32, expires_at: Timestamp) -> RegistrationTokenId {
    let new = NewRegistrationToken {
        secret_sha256: fingerprint("token"),
        uses,
        expires_at,
        tags: BTreeMap::from([("site".to_owned(), "north".to_owned())]),
        created_by: "ada".to_owned(),
    };
    store.create_registration_token(org, &new, at(0)).await.unwrap()
}

fn with_token(key: &str) -> NewDevice {
    NewDevice { token_sha256: Some(fingerprint("token")), ..new_device(key) }
}

async fn register(store: &Store, new: &NewDevice) -> (DeviceId, Membership) {
    device_of(store.register_device(new, at(1)).await.unwrap())
}

async fn the_same_key_from_many_at_once_gives_one_device(db: &Database) {
    let replica = db.replica().await;
    let answers = all_at_once(40, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        async move { store.register_device(&new_device("same"), at(1)).await.unwrap() }
    })
    .await;
    let ids: BTreeSet<_> = answers.into_iter().map(|answer| device_of(answer).0).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(db.rows_of("devices").await, 1);
}

async fn the_same_key_with_a_token_from_many_at_once_takes_one_use(db: &Database) {
    token(&db.store, ORG, 5, at(60)).await;
    let answers = all_at_once(20, |_| {
        let store = db.store.clone();
        async move { register(&store, &with_token("same")).await }
    })
    .await;
    assert_eq!(answers.iter().collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(answers[0].1, Membership::Active);
    assert_eq!(db.store.list_registration_tokens(ORG, at(1)).await.unwrap()[0].uses_left, 4);
}

async fn a_token_lets_in_exactly_as_many_as_it_has_uses(db: &Database) {
    token(&db.store, ORG, 7, at(60)).await;
    let replica = db.replica().await;
    let answers = all_at_once(21, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        async move { register(&store, &with_token(&format!("device {number}"))).await }
    })
    .await;
    let active = answers.iter().filter(|(_, membership)| *membership == Membership::Active).count();
    assert_eq!((active, answers.len() - active), (7, 14));
    assert!(db.store.list_registration_tokens(ORG, at(1)).await.unwrap().is_empty(), "used up");
}

async fn registering_again_gives_the_same_device_and_changes_nothing_of_it(db: &Database) {
    let (id, _) = register(&db.store, &new_device("key")).await;
    let again = NewDevice {
        device_type: Some("other".to_owned()),
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        ..new_device("key")
    };
    assert_eq!(register(&db.store, &again).await, (id, Membership::PendingApproval));
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.device_type.as_deref(), Some("jetson"));
    assert!(record.tags.is_empty());
}

async fn a_device_without_a_good_token_waits_for_approval(db: &Database) {
    token(&db.store, ORG, 5, at(1)).await;
    let expired = register(&db.store, &with_token("expired at this moment")).await;
    let unknown = NewDevice { token_sha256: Some(fingerprint("guess")), ..new_device("guessing") };
    let unknown = register(&db.store, &unknown).await;
    let none = register(&db.store, &new_device("none")).await;
    for (id, membership) in [expired, unknown, none] {
        assert_eq!(membership, Membership::PendingApproval);
        assert_eq!(db.store.find_identity(id).await.unwrap().unwrap().membership, membership);
    }
}

async fn a_token_gives_its_organization_and_its_tags(db: &Database) {
    add_other_organization(db).await;
    token(&db.store, other_org(), 1, at(60)).await;
    let own = [("site", "south"), ("rack", "7")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let new = NewDevice { tags: BTreeMap::from(own), ..with_token("key") };
    let (id, membership) = register(&db.store, &new).await;
    assert_eq!(membership, Membership::Active);
    let record = db.store.find_device(other_org(), id).await.unwrap().unwrap();
    let expected = [("site", "north"), ("rack", "7")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(record.tags, BTreeMap::from(expected), "what an operator wrote into the token wins");
    assert!(db.store.find_device(ORG, id).await.unwrap().is_none());
}

async fn too_many_waiting_devices_are_turned_away_but_a_token_still_lets_in(db: &Database) {
    token(&db.store, ORG, 1, at(60)).await;
    for key in ["one", "two"] {
        waiting_device(&db.store, ORG, key).await;
    }
    let third = NewDevice { max_pending: 2, ..new_device("three") };
    assert_eq!(db.store.register_device(&third, at(1)).await.unwrap(), Registered::TooManyPending);
    assert_eq!(db.rows_of("devices").await, 2, "nothing was stored");
    let known = NewDevice { max_pending: 2, ..new_device("two") };
    assert_eq!(register(&db.store, &known).await.1, Membership::PendingApproval);
    let invited = NewDevice { max_pending: 2, ..with_token("three") };
    assert_eq!(register(&db.store, &invited).await.1, Membership::Active);
}

async fn an_organization_that_does_not_exist_is_refused(db: &Database) {
    let new = NewDevice { org_id: other_org(), ..new_device("key") };
    assert_eq!(db.store.register_device(&new, at(1)).await.unwrap(), Registered::UnknownOrganization);
    assert_eq!(db.rows_of("devices").await, 0);
}

async fn a_waiting_device_that_comes_back_with_a_token_is_let_in(db: &Database) {
    let (id, _) = register(&db.store, &new_device("key")).await;
    token(&db.store, ORG, 2, at(60)).await;
    assert_eq!(register(&db.store, &with_token("key")).await, (id, Membership::Active));
    assert_eq!(register(&db.store, &with_token("key")).await, (id, Membership::Active));
    let left = db.store.list_registration_tokens(ORG, at(1)).await.unwrap()[0].uses_left;
    assert_eq!(left, 1, "a device that is in already takes no use");
}

async fn a_token_of_another_organization_does_not_let_a_waiting_device_in(db: &Database) {
    add_other_organization(db).await;
    let (id, _) = register(&db.store, &new_device("key")).await;
    token(&db.store, other_org(), 2, at(60)).await;
    assert_eq!(register(&db.store, &with_token("key")).await, (id, Membership::PendingApproval));
    let left = db.store.list_registration_tokens(other_org(), at(1)).await.unwrap()[0].uses_left;
    assert_eq!(left, 2, "a token that lets nobody in loses no use");
}

async fn a_decommissioned_device_stays_out_even_with_a_token(db: &Database) {
    let (id, _) = register(&db.store, &new_device("key")).await;
    let from = Membership::ALL;
    db.store.change_membership(ORG, id, from, Membership::Decommissioned, "ada", at(1)).await.unwrap();
    token(&db.store, ORG, 2, at(60)).await;
    assert_eq!(register(&db.store, &with_token("key")).await, (id, Membership::Decommissioned));
}

async fn after_a_registration_only_later_requests_are_accepted(db: &Database) {
    let signed_at = |secs: i64| NewDevice { signed_at: at(secs).as_millis(), ..new_device("key") };
    let (id, _) = register(&db.store, &signed_at(10)).await;
    let accept = async |secs| db.store.accept_request(&counter(id, at(secs))).await;
    assert!(matches!(accept(10).await, Err(Error::Replayed)));
    accept(11).await.unwrap();
    register(&db.store, &signed_at(20)).await;
    assert!(matches!(accept(15).await, Err(Error::Replayed)));
    accept(21).await.unwrap();
    register(&db.store, &signed_at(5)).await;
    assert!(matches!(accept(21).await, Err(Error::Replayed)), "an old registration does not turn it back");
}

async fn registration_tokens_are_listed_until_they_end_and_can_be_ended(db: &Database) {
    add_other_organization(db).await;
    let id = token(&db.store, ORG, 3, at(60)).await;
    let listed = db.store.list_registration_tokens(ORG, at(59)).await.unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].uses_left), (1, id, 3));
    assert!(db.store.list_registration_tokens(ORG, at(60)).await.unwrap().is_empty(), "expired");
    assert!(!db.store.delete_registration_token(other_org(), id).await.unwrap(), "of another organisation");
    assert!(db.store.delete_registration_token(ORG, id).await.unwrap());
    assert!(!db.store.delete_registration_token(ORG, id).await.unwrap());
    assert_eq!(register(&db.store, &with_token("late")).await.1, Membership::PendingApproval);
}

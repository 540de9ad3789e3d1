//! The audit log: a record per change within its transaction, chains without gaps, and every way to tamper with one.

use std::sync::Arc;

use kernex_core::{
    ActorKind, AuditResult, Membership, OrganizationId, Role,
    audit::{AuditRecord, ChainFault, ChainVerifier},
};
use kernex_store::{
    AuditCaller, AuditFilter, AuditRequest, AuditScope, DeviceUpdate, NewUser, Outcome, SessionKind, Store,
};

use crate::{
    database::Database,
    fleet::{self, ORG, add_other_organization, all_at_once, at, other_org},
    people::{self, new_session},
};

on_both!(
    a_change_and_its_record_are_one_transaction,
    a_transaction_that_notes_nothing_leaves_a_record_in_the_scope_of_a_request,
    records_are_found_by_every_filter,
    chains_of_organisations_are_apart_and_have_no_gap_under_load,
    a_change_of_any_column_is_found,
    a_record_that_is_removed_or_moved_is_found,
);

fn scope(action: &str, org_id: OrganizationId, name: &str) -> Arc<AuditScope> {
    let scope = AuditScope::new(AuditRequest {
        at: at(1),
        request_id: Some(format!("request-of-{name}")),
        address: Some("192.0.2.7".to_owned()),
        action: action.to_owned(),
        object_kind: action.split('.').next().unwrap().to_owned(),
        object_id: None,
        demanded: true,
    });
    let caller = AuditCaller {
        org_id,
        kind: ActorKind::User,
        id: Some(format!("id-of-{name}")),
        name: Some(name.to_owned()),
        credential: Some("session:1".to_owned()),
    };
    futures_util::FutureExt::now_or_never(scope.around(async { AuditScope::identify(caller) })).unwrap();
    scope
}

fn new_user(username: &str) -> NewUser {
    people::new_user(username, Role::Ops)
}

async fn chain(store: &Store, org: OrganizationId) -> Vec<AuditRecord> {
    let records = store.scan_audit(org, &AuditFilter::default(), 0, 10_000).await.unwrap();
    records.into_iter().map(|(record, _)| record).collect()
}

async fn faults(store: &Store, org: OrganizationId) -> Vec<ChainFault> {
    let mut verifier =
        ChainVerifier::new(org, None, Vec::new(), |_| unreachable!("hashes come from the store"));
    for (record, hash) in store.scan_audit(org, &AuditFilter::default(), 0, 10_000).await.unwrap() {
        verifier.push_hashed(&record, &hash);
    }
    let head = store.find_audit_head(org).await.unwrap().unwrap();
    verifier.finish(Some((head.sequence, &head.hash))).faults
}

async fn a_change_and_its_record_are_one_transaction(db: &Database) {
    let device = fleet::waiting_device(&db.store, ORG, "a").await;
    let change = |to| {
        let from = [Membership::PendingApproval];
        let store = db.store.clone();
        async move { store.change_membership(ORG, device, &from, to, "ada", at(2)).await.unwrap() }
    };
    let request = scope("device.approve", ORG, "ada");
    request.around(change(Membership::Active)).await;
    assert!(request.is_recorded());
    let records = chain(&db.store, ORG).await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.sequence, record.recorded_at, record.result), (1, at(1), AuditResult::Success));
    assert_eq!(
        (record.actor.name.as_deref(), record.actor.credential.as_deref()),
        (Some("ada"), Some("session:1"))
    );
    assert_eq!((record.object.kind.as_str(), record.object.id.clone()), ("device", Some(device.to_string())));
    assert_eq!(record.before, Some(serde_json::json!({"membership": "pending_approval"})));
    assert_eq!(record.after, Some(serde_json::json!({"membership": "active"})));

    let again = scope("device.approve", ORG, "ada");
    assert_eq!(again.around(change(Membership::Active)).await, Some(Membership::Active));
    assert!(!again.is_recorded(), "what changed nothing has not been recorded as a change");
    let taken = scope("user.create", ORG, "ada");
    for _ in 0..2 {
        let _ = taken.around(db.store.create_user(ORG, &new_user("bob"), at(2))).await;
    }
    let records = chain(&db.store, ORG).await;
    assert_eq!(records.len(), 2, "a transaction that fails leaves no record: {records:?}");
    assert!(!serde_json::to_string(&records).unwrap().contains("argon2"), "{records:?}");
    assert_eq!(faults(&db.store, ORG).await, []);
}

async fn a_transaction_that_notes_nothing_leaves_a_record_in_the_scope_of_a_request(db: &Database) {
    let ada = db.store.create_user(ORG, &new_user("ada"), at(0)).await.unwrap();
    let session = db
        .store
        .create_session(ORG, ada.id, &new_session(SessionKind::Token, "one", 60), at(0))
        .await
        .unwrap();
    assert!(chain_is_empty(&db.store).await, "outside of a request nothing is recorded");
    let logout = scope("auth.logout", ORG, "ada");
    logout.around(db.store.delete_session(ada.id, session)).await.unwrap();
    let records = chain(&db.store, ORG).await;
    assert_eq!(records.iter().map(|record| record.action.as_str()).collect::<Vec<_>>(), ["auth.logout"]);
    let refused = scope("device.approve", ORG, "ada");
    let outcome =
        Outcome { result: AuditResult::Denied, status: Some(403), reason: Some("forbidden".to_owned()) };
    db.store.record_outcome(&refused, outcome, None).await.unwrap();
    let records = chain(&db.store, ORG).await;
    assert_eq!((records[1].result, records[1].status), (AuditResult::Denied, Some(403)));
    assert_eq!(records[1].reason.as_deref(), Some("forbidden"));
    assert_eq!(faults(&db.store, ORG).await, []);
}

async fn chain_is_empty(store: &Store) -> bool {
    store.find_audit_head(ORG).await.unwrap().is_none() && chain(store, ORG).await.is_empty()
}

async fn records_are_found_by_every_filter(db: &Database) {
    let device = fleet::waiting_device(&db.store, ORG, "a").await;
    let rename = |name: &str| DeviceUpdate { display_name: Some(Some(name.to_owned())), tags: None };
    let ada = scope("device.update", ORG, "ada");
    ada.around(db.store.update_device(ORG, device, &rename("one"), "ada", at(0))).await.unwrap();
    let bob = scope("user.create", ORG, "bob");
    bob.around(db.store.create_user(ORG, &new_user("carol"), at(2))).await.unwrap();
    let denied = scope("user.delete", ORG, "bob");
    let outcome = Outcome { result: AuditResult::Denied, status: Some(403), reason: None };
    db.store.record_outcome(&denied, outcome, None).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default;
    let cases: [(AuditFilter, &[u64]); 14] = [
        (all(), &[3, 2, 1]),
        (AuditFilter { actor: text("bob"), ..all() }, &[3, 2]),
        (AuditFilter { actor: text("id-of-ada"), ..all() }, &[1]),
        (AuditFilter { actor_kind: Some(ActorKind::User), ..all() }, &[3, 2, 1]),
        (AuditFilter { actor_kind: Some(ActorKind::Device), ..all() }, &[]),
        (AuditFilter { action: text("user.create"), ..all() }, &[2]),
        (AuditFilter { action: text("user.*"), ..all() }, &[3, 2]),
        (AuditFilter { action: text("use.*"), ..all() }, &[]),
        (AuditFilter { object_kind: text("device"), ..all() }, &[1]),
        (AuditFilter { object_id: Some(device.to_string()), ..all() }, &[1]),
        (AuditFilter { result: Some(AuditResult::Denied), ..all() }, &[3]),
        (AuditFilter { request_id: text("request-of-ada"), address: text("192.0.2.7"), ..all() }, &[1]),
        (AuditFilter { from: Some(at(1)), to: Some(at(2)), ..all() }, &[3, 2, 1]),
        (AuditFilter { from: Some(at(2)), ..all() }, &[]),
    ];
    for (filter, expected) in cases {
        let found = db.store.list_audit(ORG, &filter, None, 10).await.unwrap();
        let found: Vec<_> = found.iter().map(|record| record.sequence).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let page = db.store.list_audit(ORG, &all(), Some(3), 1).await.unwrap();
    assert_eq!(page.iter().map(|record| record.sequence).collect::<Vec<_>>(), [2]);
    add_other_organization(db).await;
    assert_eq!(db.store.list_audit(other_org(), &all(), None, 10).await.unwrap(), []);
}

async fn chains_of_organisations_are_apart_and_have_no_gap_under_load(db: &Database) {
    const WRITERS: usize = 24;
    add_other_organization(db).await;
    let replica = db.replica().await;
    all_at_once(WRITERS, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        async move {
            let org = if number % 3 == 0 { other_org() } else { ORG };
            for round in 0..5 {
                let name = format!("user-{number}-{round}");
                let request = scope("user.create", org, &name);
                request.around(store.create_user(org, &new_user(&name), at(1))).await.unwrap();
            }
        }
    })
    .await;
    for (org, expected) in [(ORG, WRITERS * 2 / 3 * 5), (other_org(), WRITERS / 3 * 5)] {
        assert_eq!(chain(&db.store, org).await.len(), expected);
        assert_eq!(faults(&db.store, org).await, []);
    }
}

async fn three_records(db: &Database) {
    for name in ["a", "b", "c"] {
        let device = fleet::waiting_device(&db.store, ORG, name).await;
        let update = DeviceUpdate { display_name: Some(Some(name.to_owned())), tags: None };
        let request = scope("device.update", ORG, "ada");
        request.around(db.store.update_device(ORG, device, &update, "ada", at(0))).await.unwrap();
    }
    assert_eq!(faults(&db.store, ORG).await, []);
}

async fn a_change_of_any_column_is_found(db: &Database) {
    three_records(db).await;
    let org = match db.kind {
        crate::database::Kind::Sqlite => "x'00000000000070008000000000000002'",
        crate::database::Kind::Postgres => "'00000000-0000-7000-8000-000000000002'",
    };
    let texts = [
        "actor_kind",
        "actor_id",
        "actor_name",
        "credential",
        "address",
        "request_id",
        "action",
        "object_kind",
        "object_id",
        "result",
        "previous_hash",
        "hash",
    ];
    let mut changes: Vec<String> = Vec::new();
    for column in texts {
        let value = if column.ends_with("_kind") { "system" } else { "failed" };
        changes.push(format!("{column} = '{value}'"));
        changes.push(format!("{column} = {column} || ' '"));
    }
    for column in
        ["actor_id", "actor_name", "credential", "address", "request_id", "object_id", "before_json"]
    {
        changes.push(format!("{column} = NULL"));
    }
    changes.extend([
        "before_json = '{}'".to_owned(),
        "after_json = '{\"display_name\":\"other\",\"tags\":{}}'".to_owned(),
        "after_json = 'no json'".to_owned(),
        "after_json = after_json || ' '".to_owned(),
        "recorded_at = recorded_at + 1".to_owned(),
        "status = 200".to_owned(),
        "reason = ''".to_owned(),
        "sequence = 7".to_owned(),
        "sequence = 0".to_owned(),
        format!("org_id = {org}"),
    ]);
    db.execute("CREATE TABLE kept AS SELECT * FROM audit_records").await;
    for change in changes {
        db.execute(&format!("UPDATE audit_records SET {change} WHERE sequence = 2")).await;
        assert_ne!(faults(&db.store, ORG).await, [], "{change}");
        db.execute("DELETE FROM audit_records; INSERT INTO audit_records SELECT * FROM kept").await;
        assert_eq!(faults(&db.store, ORG).await, [], "{change}");
    }
}

async fn a_record_that_is_removed_or_moved_is_found(db: &Database) {
    three_records(db).await;
    db.execute("CREATE TABLE kept AS SELECT * FROM audit_records").await;
    let tampering = [
        "DELETE FROM audit_records WHERE sequence = 1",
        "DELETE FROM audit_records WHERE sequence = 2",
        "DELETE FROM audit_records WHERE sequence = 3",
        "DELETE FROM audit_records",
        "DELETE FROM audit_records WHERE sequence = 2; UPDATE audit_records SET sequence = 2 WHERE sequence = 3",
        "UPDATE audit_records SET sequence = 9 WHERE sequence = 2; UPDATE audit_records SET sequence = 2 WHERE sequence = 3; \
         UPDATE audit_records SET sequence = 3 WHERE sequence = 9",
        "UPDATE audit_heads SET sequence = 4",
        "UPDATE audit_heads SET hash = previous_hash FROM audit_records WHERE audit_records.sequence = 3",
    ];
    db.execute("CREATE TABLE kept_heads AS SELECT * FROM audit_heads").await;
    for change in tampering {
        db.execute(change).await;
        assert_ne!(faults(&db.store, ORG).await, [], "{change}");
        db.execute(
            "DELETE FROM audit_records; INSERT INTO audit_records SELECT * FROM kept; \
             DELETE FROM audit_heads; INSERT INTO audit_heads SELECT * FROM kept_heads",
        )
        .await;
        assert_eq!(faults(&db.store, ORG).await, [], "{change}");
    }
}

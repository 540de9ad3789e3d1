//! Selectors: the database and the evaluation in memory agree, and indexes serve them.

use std::collections::{BTreeMap, BTreeSet};

use kernex_core::{DeviceFacts, DeviceHealth, DeviceId, GroupId, Membership, Selector, Timestamp};
use kernex_store::{DeviceFilter, DeviceUpdate, GroupRecord, HeartbeatReport, NewDevice, Once, Reading};
use serde_json::{Map, json};

use crate::{
    database::{Database, Kind},
    fleet::{ORG, add_other_organization, at, beat, device_of, name, new_device, other_org, report, version},
};

on_both!(
    the_database_and_memory_give_the_same_devices,
    versions_written_without_keys_get_them_when_the_store_is_opened,
    groups_are_put_in_and_lists_are_asked_for,
    another_organization_is_never_selected,
    typical_selectors_are_served_by_an_index,
);

/// A small generator with a seed, so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn maybe<'a>(&mut self, from: &[&'a str]) -> Option<&'a str> {
        (self.roll(4) > 0).then(|| self.pick(from))
    }
}

const SITES: [&str; 5] = ["berlin", "Berlin", "paris", "Büro Süd", "50%_\\"];
const RACKS: [&str; 7] = ["1", "2", "10", "1.5", "v2", "nightly", "1.0.0-rc.1"];
const NAMES: [&str; 6] = ["Camera North", "camera", "O'Hara \"x\"", "rack_7", "ÄB", "a"];
const TYPES: [&str; 3] = ["jetson", "pi", "x86"];
const ARCHES: [&str; 3] = ["aarch64", "x86_64", "armv7"];
const VERSIONS: [&str; 9] =
    ["1.4", "1.4.0", "1.10.0", "v1.3", "2.0.0-rc.1", "2.0.0", "nightly", "1.4.0+b", "0.9"];
const AGENTS: [&str; 4] = ["0.9.2", "0.10.0", "1.0", "dev"];

async fn random_device(db: &Database, dice: &mut Dice, number: usize) -> DeviceId {
    let mut tags = BTreeMap::new();
    for (key, values) in [("site", &SITES[..]), ("rack", &RACKS), ("status", &["online", "spare"])] {
        if let Some(value) = dice.maybe(values) {
            tags.insert(key.to_owned(), value.to_owned());
        }
    }
    let mut hardware = Map::new();
    match dice.roll(4) {
        0 => {}
        1 => drop(hardware.insert("arch".to_owned(), json!(64))), // no text: no architecture
        _ => drop(hardware.insert("arch".to_owned(), json!(dice.pick(&ARCHES)))),
    }
    let new = NewDevice {
        tags,
        hardware_metadata: hardware,
        device_type: dice.maybe(&TYPES).map(str::to_owned),
        ..new_device(&format!("{number}"))
    };
    let registered = i64::try_from(number).unwrap() * 1_000;
    let id = device_of(db.store.register_device(&new, at(registered)).await.unwrap()).0;
    if let Some(display_name) = dice.maybe(&NAMES) {
        let update = DeviceUpdate { display_name: Some(Some(display_name.to_owned())), tags: None };
        db.store.update_device(ORG, id, &update, "ada", at(0)).await.unwrap();
    }
    let membership = [
        Membership::Active,
        Membership::Active,
        Membership::Active,
        Membership::Decommissioned,
        Membership::PendingApproval,
    ][dice.roll(5)];
    if dice.roll(5) > 0 {
        let mut bundles = Vec::new();
        for bundle in ["default", "detector", "version"] {
            if let Some(found) = dice.maybe(&VERSIONS) {
                bundles.push((name(bundle), version(found)));
            }
        }
        let status = [DeviceHealth::Healthy, DeviceHealth::Degraded, DeviceHealth::Error][dice.roll(3)];
        let reading = Reading { status, agent_version: dice.pick(&AGENTS).to_owned(), ..report().reading };
        let heartbeat = HeartbeatReport { reading, bundles: Some(bundles), ..report() };
        beat(&db.store, id, &heartbeat, at(50_000 + i64::try_from(dice.roll(8)).unwrap() * 60)).await;
    }
    if membership != Membership::PendingApproval {
        db.store.change_membership(ORG, id, Membership::ALL, membership, "ada", at(60_000)).await.unwrap();
    }
    id
}

/// A random test, from values that devices have and such as they have not.
fn random_test(dice: &mut Dice, ids: &[DeviceId]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let order = |dice: &mut Dice| ["<", "<=", ">", ">="][dice.roll(4)];
    let equal = |dice: &mut Dice| ["=", "!="][dice.roll(2)];
    match dice.roll(17) {
        0 => format!("site{}{}", equal(dice), quoted(dice.pick(&SITES))),
        1 => format!("site in ({}, {})", quoted(dice.pick(&SITES)), quoted(dice.pick(&SITES))),
        2 => format!("rack{}{}", order(dice), ["1", "2", "1.5", "9"][dice.roll(4)]),
        3 => format!("tag.status{}online", equal(dice)),
        4 => format!(
            "{}{}*",
            [
                "site",
                "rack",
                "name",
                "arch",
                "bundle",
                "bundle.version",
                "bundle.detector",
                "agent_version",
                "last_seen",
                "type"
            ][dice.roll(10)],
            equal(dice)
        ),
        5 => format!("name{}{}", ["=", "!=", "~"][dice.roll(3)], quoted(dice.pick(&NAMES))),
        6 => format!("site~{}", quoted(["ber", "SÜ", "süd", "%", "_", "\\"][dice.roll(6)])),
        7 => format!("type{}{}", ["=", "!=", "~"][dice.roll(3)], dice.pick(&TYPES)),
        8 => format!(
            "arch {} ({}, {})",
            ["in", "not in"][dice.roll(2)],
            dice.pick(&ARCHES),
            dice.pick(&ARCHES)
        ),
        9 => format!(
            "status{}{}",
            equal(dice),
            ["online", "degraded", "error", "offline", "pending_approval", "decommissioned"][dice.roll(6)]
        ),
        10 => format!(
            "agent_version{}{}",
            ["<", ">", "=", "!="][dice.roll(4)],
            ["0.9.2", "0.10", "1.0.0", "dev"][dice.roll(3)]
        ),
        11 => format!(
            "bundle.{}{}{}",
            ["version", "default", "detector"][dice.roll(3)],
            order(dice),
            ["1.4", "1.10", "2.0.0-rc.1", "2"][dice.roll(4)]
        ),
        12 => format!(
            "bundle.{}{}{}",
            ["version", "default", "detector"][dice.roll(3)],
            equal(dice),
            dice.pick(&VERSIONS)
        ),
        13 => {
            format!("last_seen{}{}", order(dice), ["60s", "3m", "240s", "2027-01-15T21:52:00Z"][dice.roll(4)])
        }
        14 => format!("registered{}{}", order(dice), ["10h", "30000s", "2027-01-15"][dice.roll(3)]),
        15 => quoted(
            ["cam", "JET", "süd", "a", "nothing", "31", "-", "019", &ids[0].to_string()[..13]][dice.roll(9)],
        ),
        _ => match dice.roll(4) {
            0 => format!("id={}", ids[dice.roll(ids.len())]),
            1 => "group=list".to_owned(),
            2 => "bundle=detector".to_owned(),
            _ => "bundle in (version, default)".to_owned(),
        },
    }
}

fn random_selector(dice: &mut Dice, ids: &[DeviceId], depth: usize) -> String {
    match dice.roll(if depth == 0 { 1 } else { 5 }) {
        0 | 4 => random_test(dice, ids),
        1 => format!(
            "({} and {})",
            random_selector(dice, ids, depth - 1),
            random_selector(dice, ids, depth - 1)
        ),
        2 => format!(
            "({} or {})",
            random_selector(dice, ids, depth - 1),
            random_selector(dice, ids, depth - 1)
        ),
        _ => format!("not ({})", random_selector(dice, ids, depth - 1)),
    }
}

fn group(group_name: &str, selector: Option<&str>) -> GroupRecord {
    GroupRecord {
        id: GroupId::generate(at(0)),
        name: group_name.to_owned(),
        description: None,
        selector: selector.map(|text| text.parse().unwrap()),
        channel: None,
        created_by: "ada".to_owned(),
        created_at: at(0),
        updated_at: at(0),
    }
}

async fn create_group(db: &Database, record: &GroupRecord) {
    let made = db.store.create_group(ORG, record, &[], None, || (201, String::new())).await.unwrap();
    assert_eq!(made, Once::Done(Ok(())));
}

async fn matching(db: &Database, selector: &Selector, now: Timestamp) -> BTreeSet<DeviceId> {
    db.store.list_matching_ids(ORG, selector, None, 1_000, now).await.unwrap().into_iter().collect()
}

async fn everything(db: &Database, now: Timestamp) -> Vec<DeviceFacts> {
    db.store.list_matching_facts(ORG, &Selector::EVERYTHING, None, 1_000, now).await.unwrap()
}

async fn the_database_and_memory_give_the_same_devices(db: &Database) {
    let mut dice = Dice(20_261_126);
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(random_device(db, &mut dice, number).await);
    }
    let list = group("list", None);
    create_group(db, &list).await;
    db.store.change_members(ORG, list.id, &ids[..20], &[], "ada", at(0)).await.unwrap().unwrap();
    let now = at(50_000 + 300);
    let facts = everything(db, now).await;
    assert_eq!(facts.len(), 60);
    let (mut some, mut tried) = (0, 0);
    for _ in 0..600 {
        let text = random_selector(&mut dice, &ids, 3);
        let Ok(selector) = text.parse::<Selector>() else { panic!("{text}: {:?}", text.parse::<Selector>()) };
        let expected: BTreeSet<DeviceId> =
            facts.iter().filter(|device| selector.matches(device, now)).map(|device| device.id).collect();
        let found = matching(db, &selector, now).await;
        assert_eq!(found, expected, "{selector}");
        tried += 1;
        some += usize::from(!found.is_empty() && found.len() < facts.len());
        if tried % 20 == 0 {
            let filter =
                DeviceFilter { selector: Some(selector.clone()), limit: 100, ..DeviceFilter::default() };
            let (listed, total) = db.store.list_devices(ORG, &filter, now).await.unwrap();
            assert_eq!(
                listed.iter().map(|device| device.id).collect::<BTreeSet<_>>(),
                expected,
                "{selector}"
            );
            assert_eq!(total, expected.len() as u64);
            assert_eq!(db.store.count_matching(ORG, &selector, now).await.unwrap(), total);
            let one = ids[dice.roll(ids.len())];
            assert_eq!(db.store.selects(ORG, &selector, one, now).await.unwrap(), expected.contains(&one));
        }
    }
    assert!(some > 300, "most selectors tell devices apart: {some}");
}

async fn versions_written_without_keys_get_them_when_the_store_is_opened(db: &Database) {
    let mut dice = Dice(7);
    for number in 0..10 {
        random_device(db, &mut dice, number).await;
    }
    for statement in [
        "UPDATE device_bundles SET version_key = NULL",
        "UPDATE device_tags SET value_key = NULL",
        "UPDATE devices SET agent_version_key = NULL",
    ] {
        db.execute(statement).await;
    }
    let again = db.replica().await;
    let now = at(60_000);
    let facts = everything(db, now).await;
    for text in ["bundle.version>0", "rack>0", "agent_version>0"] {
        let selector: Selector = text.parse().unwrap();
        let expected = facts.iter().filter(|device| selector.matches(device, now)).count();
        assert!(expected > 0, "{text}");
        assert_eq!(again.count_matching(ORG, &selector, now).await.unwrap(), expected as u64, "{text}");
    }
    assert_eq!(again.fill_version_keys().await.unwrap(), 0, "nothing is left");
}

async fn groups_are_put_in_and_lists_are_asked_for(db: &Database) {
    let mut dice = Dice(3);
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(random_device(db, &mut dice, number).await);
    }
    let (named, list) = (group("racks", Some("rack=* and not type=pi")), group("list", None));
    create_group(db, &named).await;
    create_group(db, &list).await;
    db.store.change_members(ORG, list.id, &ids[..3], &[], "ada", at(0)).await.unwrap().unwrap();
    let now = at(60_000);
    let resolve = async |text: &str| db.store.resolve_selector(ORG, &text.parse().unwrap()).await.unwrap();
    let racks = resolve("group=racks").await.unwrap();
    assert_eq!(racks.to_string(), "rack=* and device_type!=pi");
    let both = resolve("group in (racks, list)").await.unwrap();
    let expected: BTreeSet<_> =
        matching(db, &racks, now).await.into_iter().chain(ids[..3].iter().copied()).collect();
    assert_eq!(matching(db, &both, now).await, expected);
    assert_eq!(matching(db, &resolve("not group=list").await.unwrap(), now).await.len(), 9);
    let unknown = resolve("group=racks or group in (b, a)").await.unwrap_err();
    assert_eq!(unknown.to_string(), "no such group: a, b");
}

async fn another_organization_is_never_selected(db: &Database) {
    add_other_organization(db).await;
    let mut tags = BTreeMap::new();
    tags.insert("site".to_owned(), "berlin".to_owned());
    let foreign = NewDevice { org_id: other_org(), tags, ..new_device("foreign") };
    let foreign = device_of(db.store.register_device(&foreign, at(0)).await.unwrap()).0;
    let list = group("list", None);
    create_group(db, &list).await;
    let added = db.store.change_members(ORG, list.id, &[foreign], &[], "ada", at(0)).await.unwrap();
    assert_eq!(added, Ok((0, 0)), "a list takes no device of another organisation");
    for text in [
        "*",
        "site=berlin",
        "not site=paris",
        "jetson",
        "group=list",
        "status=pending_approval",
        "registered<1h",
    ] {
        let selector: Selector = text.parse().unwrap();
        assert_eq!(db.store.count_matching(ORG, &selector, at(1)).await.unwrap(), 0, "{text}");
        let theirs = db.store.count_matching(other_org(), &selector, at(1)).await.unwrap();
        assert_eq!(theirs, u64::from(text != "group=list"), "{text}");
    }
    let id: Selector = format!("id={foreign}").parse().unwrap();
    assert!(!db.store.selects(ORG, &id, foreign, at(1)).await.unwrap());
}

/// On PostgreSQL a small table is read through whatever indexes there are; the plan is asked for with reading through forbidden,
/// which shows whether an index could serve.
async fn typical_selectors_are_served_by_an_index(db: &Database) {
    let mut dice = Dice(5);
    for number in 0..30 {
        random_device(db, &mut dice, number).await;
    }
    for text in [
        "site=berlin",
        "site in (berlin, paris)",
        "rack<10",
        "bundle.version<1.4",
        "bundle.default=1.4",
        "status=online",
        "status=pending_approval",
        "type=jetson",
        "arch=aarch64",
        "name=camera",
        "agent_version<1",
        "site=berlin and bundle.version<1.4 and status=online and last_seen<2h",
    ] {
        let plan =
            db.store.explain_matching(ORG, &text.parse().unwrap(), at(60_000)).await.unwrap().join("\n");
        let scans = match db.kind {
            Kind::Sqlite => plan.lines().any(|line| line.contains("SCAN")),
            Kind::Postgres => plan.contains("Seq Scan"),
        };
        assert!(!scans, "{text}:\n{plan}");
    }
}

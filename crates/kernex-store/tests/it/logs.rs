//! Lines that devices ship.

use kernex_core::{LogLevel, Timestamp};
use kernex_store::{Error, NewLogEntry};

use crate::{
    database::Database,
    fleet::{ORG, at, counter, device},
};

on_both!(
    lines_read_back_as_they_were,
    pages_of_lines_cover_each_once_newest_first,
    a_level_gives_that_and_more_serious_lines,
    a_replayed_batch_stores_nothing,
    old_lines_are_removed_oldest_first_and_a_bounded_number_at_a_time,
);

fn line(level: LogLevel, message: &str) -> NewLogEntry {
    NewLogEntry { level, message: message.to_owned(), fields: None, logged_at: at(0) }
}

async fn messages(db: &Database, level: Option<LogLevel>) -> Vec<String> {
    let lines = db.store.list_logs(ORG, None, level, None, 1_000).await.unwrap();
    lines.into_iter().map(|line| line.message).collect()
}

async fn lines_read_back_as_they_were(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let fields = serde_json::json!({"a": [1, 2.5, null], "ü": "🦀"}).as_object().unwrap().clone();
    let text = "first\nsecond\t🦀 ' \" \\";
    let entry = NewLogEntry {
        level: LogLevel::Warn,
        message: text.to_owned(),
        fields: Some(fields.clone()),
        logged_at: Timestamp::from_millis(-5),
    };
    db.store.add_logs(&counter(id, at(1)), &[entry, line(LogLevel::Info, "")], at(2)).await.unwrap();
    let lines = db.store.list_logs(ORG, Some(id), None, None, 10).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["", text]);
    let first = &lines[1];
    assert_eq!((first.device_id, first.level, first.fields.as_ref()), (id, LogLevel::Warn, Some(&fields)));
    assert_eq!((first.logged_at, first.received_at), (Timestamp::from_millis(-5), at(2)));
    assert_eq!(lines[0].fields, None);
}

async fn pages_of_lines_cover_each_once_newest_first(db: &Database) {
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    for secs in 1..=4 {
        let batch = [1, 2, 3].map(|number| line(LogLevel::Info, &format!("{secs}.{number}")));
        db.store.add_logs(&counter(one, at(secs)), &batch, at(secs)).await.unwrap();
        db.store.add_logs(&counter(two, at(secs)), &batch[..1], at(secs)).await.unwrap();
    }
    for (device, expected) in [(Some(one), 12), (Some(two), 4), (None, 16)] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = db.store.list_logs(ORG, device, None, before, 5).await.unwrap();
            seen.extend(page.iter().map(|line| line.id));
            match page.last() {
                Some(last) => before = Some(last.id),
                None => break,
            }
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, each once: {seen:?}");
    }
}

async fn a_level_gives_that_and_more_serious_lines(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let levels = [LogLevel::Error, LogLevel::Trace, LogLevel::Info, LogLevel::Debug, LogLevel::Warn];
    let batch = levels.map(|level| line(level, level.as_str()));
    db.store.add_logs(&counter(id, at(1)), &batch, at(1)).await.unwrap();
    assert_eq!(messages(db, None).await, ["WARN", "DEBUG", "INFO", "TRACE", "ERROR"]);
    assert_eq!(messages(db, Some(LogLevel::Trace)).await.len(), 5);
    assert_eq!(messages(db, Some(LogLevel::Info)).await, ["WARN", "INFO", "ERROR"]);
    assert_eq!(messages(db, Some(LogLevel::Error)).await, ["ERROR"]);
}

async fn a_replayed_batch_stores_nothing(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let batch = [line(LogLevel::Info, "once")];
    db.store.add_logs(&counter(id, at(5)), &batch, at(5)).await.unwrap();
    for secs in [5, 4] {
        let again = db.store.add_logs(&counter(id, at(secs)), &batch, at(6)).await;
        assert!(matches!(again, Err(Error::Replayed)));
    }
    assert_eq!(messages(db, None).await, ["once"]);
}

async fn old_lines_are_removed_oldest_first_and_a_bounded_number_at_a_time(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    for secs in 1..=10 {
        let entry = line(LogLevel::Info, &secs.to_string());
        db.store.add_logs(&counter(id, at(secs)), &[entry], at(secs)).await.unwrap();
    }
    assert_eq!(db.store.prune_logs(at(8), 3).await.unwrap(), 3);
    assert_eq!(messages(db, None).await.last().unwrap(), "4");
    assert_eq!(db.store.prune_logs(at(8), 100).await.unwrap(), 4);
    assert_eq!(messages(db, None).await, ["10", "9", "8"]);
}

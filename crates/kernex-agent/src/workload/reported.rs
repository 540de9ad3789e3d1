//! What a bundle's programs say of themselves, for heartbeats.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kernex_core::DeviceHealth;

/// A heartbeat takes this many numbers.
pub(super) const MAX_METRICS: usize = 64;
/// And names of this length; it would be refused as a whole because of a longer one.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// Numbers and health; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Reported(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    posted: BTreeMap<String, f64>,
    scraped: BTreeMap<String, f64>,
    health: Option<DeviceHealth>,
}

impl Reported {
    /// Takes numbers in addition to those that are there, all of them or none.
    pub fn post(&self, numbers: BTreeMap<String, f64>) -> Result<(), &'static str> {
        if numbers.values().any(|value| !value.is_finite()) {
            return Err("every value must be a finite number");
        }
        if numbers.keys().any(|name| !is_name(name)) {
            return Err("a name has 1 to 64 bytes, no control characters");
        }
        let mut inner = self.lock();
        let new = numbers.keys().filter(|name| !inner.posted.contains_key(*name)).count();
        if inner.posted.len() + new > MAX_METRICS {
            return Err("at most 64 metrics are kept");
        }
        inner.posted.extend(numbers);
        Ok(())
    }

    /// Takes what was scraped, in place of what was scraped before.
    pub(super) fn set_scraped(&self, numbers: BTreeMap<String, f64>) {
        self.lock().scraped = numbers;
    }

    /// Takes what the program says of its health.
    pub fn set_health(&self, health: DeviceHealth) {
        self.lock().health = Some(health);
    }

    /// What the program said of its health last.
    pub(super) fn health(&self) -> Option<DeviceHealth> {
        self.lock().health
    }

    /// All numbers; posted ones win.
    pub(super) fn metrics(&self) -> BTreeMap<String, f64> {
        let inner = self.lock();
        let mut metrics = inner.scraped.clone();
        metrics.extend(inner.posted.iter().map(|(name, value)| (name.clone(), *value)));
        metrics
    }

    /// Forgets everything: a program ended, or another one begins.
    pub(super) fn forget(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is complete before the lock is let go.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How bad a state is.
pub(super) const fn severity(health: DeviceHealth) -> u8 {
    match health {
        DeviceHealth::Healthy => 0,
        DeviceHealth::Degraded => 1,
        DeviceHealth::Error => 2,
    }
}

/// Numbers of several bundles under one roof: with the bundle's name in front when there are several.
pub(super) fn merge<'a>(
    bundles: impl Iterator<Item = (&'a str, BTreeMap<String, f64>)>,
) -> BTreeMap<String, f64> {
    let bundles: Vec<_> = bundles.collect();
    let has_several = bundles.len() > 1;
    let all = bundles.into_iter().flat_map(|(bundle, metrics)| {
        metrics.into_iter().map(move |(name, value)| match has_several {
            true => (format!("{bundle}.{name}"), value),
            false => (name, value),
        })
    });
    all.filter(|(name, _)| is_name(name)).take(MAX_METRICS).collect()
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(range: std::ops::Range<usize>) -> BTreeMap<String, f64> {
        range.map(|number| (format!("m{number}"), number as f64)).collect()
    }

    #[test]
    fn numbers_are_taken_as_a_whole_and_within_limits() {
        let reported = Reported::default();
        reported.post(numbers(0..60)).unwrap();
        reported.post(numbers(0..64)).unwrap();
        assert!(reported.post(numbers(64..65)).is_err());
        assert!(reported.post(BTreeMap::from([("m1".to_owned(), f64::NAN)])).is_err());
        assert!(reported.post(BTreeMap::from([("a".repeat(65), 1.0)])).is_err());
        assert_eq!(reported.metrics(), numbers(0..64));
        reported.forget();
        assert!(reported.metrics().is_empty());
    }

    #[test]
    fn several_bundles_are_told_apart_and_fit_into_one_heartbeat() {
        let one = || BTreeMap::from([("fps".to_owned(), 1.0)]);
        assert_eq!(merge([("a", one())].into_iter()).into_keys().collect::<Vec<_>>(), ["fps"]);
        let both = merge([("a", one()), ("b", one())].into_iter());
        assert_eq!(both.into_keys().collect::<Vec<_>>(), ["a.fps", "b.fps"]);
        assert_eq!(merge([("a", numbers(0..64)), ("b", one())].into_iter()).len(), 64);
    }
}

//! Attempts of nobody known, such as guesses of passwords, cost a durable write each. They are recorded up to a rate; what is
//! beyond it is counted, and the next record says how many there were.

use std::sync::{Mutex, PoisonError};

use kernex_core::Timestamp;

/// How many may come at once.
const BURST: i64 = 600;
/// One more each second.
const REFILL_MILLIS: i64 = 1_000;

/// How many attempts may still be recorded.
#[derive(Debug)]
pub struct StrangerBudget(Mutex<Budget>);

#[derive(Debug)]
struct Budget {
    left: i64,
    refilled_at: Timestamp,
    unrecorded: u64,
}

impl Default for StrangerBudget {
    fn default() -> Self {
        Self(Mutex::new(Budget { left: BURST, refilled_at: Timestamp::from_millis(0), unrecorded: 0 }))
    }
}

impl StrangerBudget {
    /// Takes one. `None`: this one is only counted; otherwise how many were since the last one that was recorded.
    pub fn take(&self, now: Timestamp) -> Option<u64> {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refill = now.millis_since(budget.refilled_at) / REFILL_MILLIS;
        if refill > 0 {
            budget.left = budget.left.saturating_add(refill).min(BURST);
            budget.refilled_at = now;
        }
        if budget.left == 0 {
            budget.unrecorded += 1;
            return None;
        }
        budget.left -= 1;
        Some(std::mem::take(&mut budget.unrecorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_the_next_record_says_how_many() {
        let (budget, at) = (StrangerBudget::default(), Timestamp::from_millis(1_000_000));
        for _ in 0..BURST {
            assert_eq!(budget.take(at), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(budget.take(at), None);
        }
        assert_eq!(budget.take(at.plus_secs(2)), Some(1_000));
        assert_eq!(budget.take(at.plus_secs(2)), Some(0));
        assert_eq!(budget.take(at.plus_secs(2)), None);
    }
}

//! For every save of every scenario: the power goes right after the save, or right after the effects, and comes back.
//! What is installed and what was reported must be as if nothing had happened.

use std::collections::{BTreeMap, VecDeque};

use kernex_core::TargetState;

use super::{
    tests::{deployment, failure, order, release},
    *,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Never,
    AfterSave(usize),
    AfterEffects(usize),
}

/// The device: what is on its disk, and what the control plane has seen.
#[derive(Clone, Default)]
struct Device {
    saved: AgentState,
    outbox: BTreeMap<u64, Report>,
    received: Vec<Report>,
    chain: Vec<TargetState>,
    saves: usize,
}

struct Scenario {
    name: &'static str,
    installed: Option<&'static str>,
    /// The phase that fails, if one does.
    fails: Option<Phase>,
    /// The phase in which a cancel command comes.
    cancelled: Option<Phase>,
    end: ResultStatus,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "first install",
        installed: None,
        fails: None,
        cancelled: None,
        end: ResultStatus::Success,
    },
    Scenario {
        name: "upgrade",
        installed: Some("1"),
        fails: None,
        cancelled: None,
        end: ResultStatus::Success,
    },
    Scenario {
        name: "wrong digest",
        installed: Some("1"),
        fails: Some(Phase::Verifying),
        cancelled: None,
        end: ResultStatus::Failed,
    },
    Scenario {
        name: "script fails",
        installed: Some("1"),
        fails: Some(Phase::Activating),
        cancelled: None,
        end: ResultStatus::RolledBack,
    },
    Scenario {
        name: "unhealthy",
        installed: Some("1"),
        fails: Some(Phase::Checking),
        cancelled: None,
        end: ResultStatus::RolledBack,
    },
    Scenario {
        name: "first install is unhealthy",
        installed: None,
        fails: Some(Phase::Checking),
        cancelled: None,
        end: ResultStatus::Failed,
    },
    Scenario {
        name: "cancelled while staging",
        installed: Some("1"),
        fails: None,
        cancelled: Some(Phase::Staging),
        end: ResultStatus::Failed,
    },
];

impl Device {
    fn new(scenario: &Scenario) -> Self {
        let mut device = Self::default();
        if let Some(version) = scenario.installed {
            device.saved.slots.entry(BundleName::default()).or_default().current = Some(release(version));
        }
        device
    }

    /// Runs until all is done and reported, or the power goes; whether it got to the end.
    fn run(&mut self, scenario: &Scenario, first: Event, stop: Stop) -> bool {
        let mut events = match first {
            Event::Started => VecDeque::from([first, Event::Resumed]),
            first => VecDeque::from([first]),
        };
        loop {
            let event = match (events.pop_front(), self.outbox.first_key_value()) {
                (Some(event), _) => event,
                (None, Some((seq, report))) => {
                    let acknowledged = Event::Acknowledged { seq: *seq };
                    self.received.push(report.clone());
                    acknowledged
                }
                (None, None) => return true,
            };
            let (state, effects) = step(self.saved.clone(), event);
            self.saved = state;
            self.saves += 1;
            if let Some(attempt) = &self.saved.attempt {
                self.chain.push(attempt.phase.target_state());
            }
            if stop == Stop::AfterSave(self.saves) {
                return false;
            }
            for effect in effects {
                self.act(scenario, effect, &mut events);
            }
            if stop == Stop::AfterEffects(self.saves) {
                return false;
            }
        }
    }

    fn act(&mut self, scenario: &Scenario, effect: Effect, events: &mut VecDeque<Event>) {
        let deployment_id = deployment(1);
        match effect {
            Effect::Work(phase) if scenario.cancelled == Some(phase) => {
                events.push_back(Event::Cancelled { deployment_id });
            }
            Effect::Work(phase) if scenario.fails == Some(phase) => {
                let failure = failure(FailureCode::Internal);
                events.push_back(Event::Failed { deployment_id, phase, failure });
            }
            Effect::Work(phase) => events.push_back(Event::Completed { deployment_id, phase }),
            Effect::WriteReport(report) => {
                self.outbox.insert(report.seq, report);
            }
            Effect::DeleteReport(seq) => {
                self.outbox.remove(&seq);
            }
            _ => {}
        }
    }
}

fn ordered() -> Event {
    Event::Ordered(Box::new(order(1, "2")))
}

fn check(scenario: &Scenario, undisturbed: &Device, stop: Stop) {
    let mut device = Device::new(scenario);
    let context = format!("{}, {stop:?}", scenario.name);
    assert!(!device.run(scenario, ordered(), stop), "{context}: the power goes");
    assert!(device.run(scenario, Event::Started, Stop::Never), "{context}");
    assert_eq!(device.saved.slots, undisturbed.saved.slots, "{context}");
    assert!(device.saved.attempt.is_none() && device.saved.reports.is_empty(), "{context}");
    assert!(
        device.chain.windows(2).all(|pair| pair[0] == pair[1] || pair[0].can_become(pair[1])),
        "{context}"
    );
    let mut keys: Vec<String> = device.received.iter().map(Report::idempotency_key).collect();
    keys.dedup();
    assert_eq!(keys, [undisturbed.received[0].idempotency_key()], "{context}");
    assert!(device.received.iter().all(|report| *report == undisturbed.received[0]), "{context}");
}

#[test]
fn a_power_cut_at_any_save_changes_neither_what_is_installed_nor_what_is_reported() {
    let mut cases = 0;
    for scenario in SCENARIOS {
        let mut undisturbed = Device::new(scenario);
        assert!(undisturbed.run(scenario, ordered(), Stop::Never));
        assert_eq!(undisturbed.received.len(), 1, "{}", scenario.name);
        assert_eq!(undisturbed.received[0].status, scenario.end, "{}", scenario.name);
        for save in 1..=undisturbed.saves {
            check(scenario, &undisturbed, Stop::AfterSave(save));
            check(scenario, &undisturbed, Stop::AfterEffects(save));
            cases += 2;
        }
    }
    assert!(cases > 80, "{cases} cases");
}

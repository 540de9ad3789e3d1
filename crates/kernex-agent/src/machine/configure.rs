//! Configurations: on trial until a heartbeat that went by them is answered, taken back when none is.

use kernex_core::{DeviceConfig, Timestamp};

use super::Effect;
use crate::state::{AgentState, ConfigHold, ConfigTrial};

/// Goes by a configuration, and remembers the last one that worked.
pub(super) fn take(
    state: &mut AgentState,
    version: u64,
    config: DeviceConfig,
    present_interval_secs: u32,
) -> Vec<Effect> {
    let before_version = state.config_version();
    let before = state.config.replace(config);
    state.config_version = version;
    match &mut state.config_trial {
        // The one before was not proven either.
        Some(trial) => trial.spent_millis = 0,
        None => {
            state.config_trial = Some(ConfigTrial {
                before,
                before_version,
                before_interval_secs: present_interval_secs,
                spent_millis: 0,
            });
        }
    }
    vec![Effect::ApplyConfig]
}

/// The configuration works: there is nothing to return to.
pub(super) fn confirm(state: &mut AgentState, version: u64) -> Vec<Effect> {
    if state.config_version() == version {
        state.config_trial = None;
        state.config_hold = state.config_hold.take().filter(|hold| hold.version != version);
    }
    Vec::new()
}

/// Time passed without an answer.
pub(super) fn wait(state: &mut AgentState, millis: u64, now: Timestamp) -> Vec<Effect> {
    let Some(trial) = &mut state.config_trial else { return Vec::new() };
    trial.spent_millis = trial.spent_millis.saturating_add(millis);
    if !trial.is_over() {
        return Vec::new();
    }
    let refused = state.config_version();
    state.config_hold = Some(ConfigHold::after(state.config_hold.as_ref(), refused, now));
    if let Some(trial) = state.config_trial.take() {
        state.config = trial.before;
        state.config_version = trial.before_version;
    }
    vec![Effect::ApplyConfig, Effect::SayConfigReturned { version: refused }]
}

#[cfg(test)]
mod tests {
    use super::super::{Event, step};
    use super::*;

    fn config(polling_interval: u32) -> DeviceConfig {
        DeviceConfig { polling_interval, ..DeviceConfig::default() }
    }

    fn configured(version: u64) -> Event {
        let config = Box::new(config(3_600));
        Event::Configured { version, config, present_interval_secs: 60 }
    }

    fn without_contact(secs: u64) -> Event {
        Event::WithoutContact { millis: secs * 1_000, now: Timestamp::from_millis(0) }
    }

    fn settled() -> AgentState {
        AgentState { config: Some(config(60)), config_version: 4, ..AgentState::default() }
    }

    #[test]
    fn a_configuration_without_contact_is_taken_back_after_the_grace_also_over_restarts() {
        let (state, effects) = step(settled(), configured(5));
        assert_eq!((state.config_version, effects), (5, vec![Effect::ApplyConfig]));
        let (state, effects) = step(state, without_contact(200));
        assert!(effects.is_empty() && state.config_version == 5);
        let text = serde_json::to_string(&state).unwrap();
        let (state, _) = step(serde_json::from_str(&text).unwrap(), Event::Resumed);
        let (state, effects) = step(state, without_contact(100));
        assert_eq!(effects, [Effect::ApplyConfig, Effect::SayConfigReturned { version: 5 }]);
        assert_eq!((state.config_version, state.config, state.config_trial), (4, Some(config(60)), None));
        assert_eq!(state.config_hold.unwrap().tries, 1);
    }

    #[test]
    fn contact_ends_the_trial_only_for_the_version_in_use_and_then_nothing_is_taken_back() {
        let (state, _) = step(settled(), configured(5));
        let (state, _) = step(state, Event::Contacted { config_version: 4 });
        assert!(state.config_trial.is_some(), "the heartbeat was sent before");
        let (state, _) = step(state, Event::Contacted { config_version: 5 });
        assert!(state.config_trial.is_none());
        let (state, effects) = step(state, without_contact(1_000_000));
        assert_eq!((state.config_version, effects), (5, Vec::new()));
    }

    #[test]
    fn two_configurations_without_contact_return_to_the_last_one_that_worked() {
        let (state, _) = step(settled(), configured(5));
        let (state, _) = step(state, configured(6));
        let (state, _) = step(state, without_contact(300));
        assert_eq!(state.config_version, 4);
    }
}

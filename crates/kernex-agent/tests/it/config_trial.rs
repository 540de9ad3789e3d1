//! A configuration without contact, in this process.

use std::sync::Arc;

use kernex_agent::{
    clock::SystemClock,
    context::Context,
    log_queue::LogQueue,
    machine::Event,
    paths::DataDir,
    runner::Runner,
    state::{AgentState, StateFile},
    telemetry::LevelHandle,
};
use kernex_api::signing::{KeyAlgorithm, SigningKey};
use kernex_client::{DeviceClient, HttpOptions, build_http_client};
use kernex_core::{DeviceConfig, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::until;

fn context(data: &DataDir) -> Arc<Context> {
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let key = Arc::new(SigningKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let client = DeviceClient::new("http://127.0.0.1:9", http.clone(), key, Arc::new(SystemClock)).unwrap();
    Arc::new(Context { logs: LogQueue::default(), ..Context::new(data.clone(), Arc::new(client), http) })
}

/// Runs over what is saved, with these events, until a condition holds.
async fn run(
    data: &DataDir,
    events: Vec<Event>,
    is_done: impl Fn(&AgentState, &Context) -> bool,
) -> AgentState {
    let file = StateFile::new(data.state());
    let state = file.load().unwrap().unwrap_or_default();
    let context = context(data);
    let level = LevelHandle::default();
    let runner = Runner::new(context.clone(), state, DeviceConfig::default(), false, level);
    let (sender, receiver) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Box::pin(runner.run(receiver, stop.clone())));
    for event in events {
        sender.send(event).await.unwrap();
    }
    let saved = || file.peek().unwrap().unwrap_or_default();
    until("the condition", || is_done(&saved(), &context)).await;
    stop.cancel();
    running.await.unwrap();
    saved()
}

#[tokio::test]
async fn a_configuration_without_contact_is_taken_back_over_a_restart_and_the_old_version_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::new(dir.path());
    data.create().unwrap();
    let config = DeviceConfig { heartbeat_timeout: 1, polling_interval: 3_600, ..DeviceConfig::default() };
    let configured = Event::Configured { version: 7, config: Box::new(config), present_interval_secs: 60 };
    let silent = |secs: u64| Event::WithoutContact { millis: secs * 1_000, now: Timestamp::from_millis(0) };
    let state = run(&data, vec![configured, silent(200)], |state, context| {
        let snapshot = context.snapshot.borrow().clone();
        state.config_trial.as_ref().is_some_and(|trial| trial.spent_millis >= 200_000)
            && snapshot.config_version == 7
            && snapshot.interval_secs() == 60
    })
    .await;
    assert_eq!(state.config_version, 7);
    let state = run(&data, vec![silent(100)], |state, context| {
        state.config_trial.is_none() && context.snapshot.borrow().config_version == 1
    })
    .await;
    assert_eq!((state.config_version(), state.config), (1, None));
    assert_eq!(state.config_hold.unwrap().version, 7);
}

//! A random walk: whatever happens in whatever order, a deployment's counts are what a recount gives, and no target makes an
//! illegal step.

use std::collections::BTreeMap;

use kernex_core::{DeploymentId, DeviceId, Membership, ResultStatus, TargetState, Timestamp};
use kernex_store::{Error, HeartbeatReport, NewBundle, TargetProgress, TargetResult};

use crate::{
    database::Database,
    fleet::{
        LEASE, ORG, assert_counts, at, bundle, counter, deploy, deployment, device, report, result, targets,
        tell,
    },
};

on_both!(counts_and_states_hold_on_a_random_walk, counts_hold_when_walks_cross);

const STEPS: u32 = 250;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn subset<T: Copy>(&mut self, from: &[T]) -> Vec<T> {
        let kept: Vec<T> = from.iter().copied().filter(|_| self.next().is_multiple_of(2)).collect();
        if kept.is_empty() { vec![self.pick(from)] } else { kept }
    }
}

struct Walk {
    random: Random,
    now: Timestamp,
    devices: Vec<DeviceId>,
    bundles: Vec<NewBundle>,
    deployments: Vec<DeploymentId>,
}

impl Walk {
    async fn begin(db: &Database, seed: u64) -> Self {
        let (mut devices, mut bundles) = (Vec::new(), Vec::new());
        for number in 0..5 {
            devices.push(device(&db.store, ORG, &format!("device {number}")).await);
        }
        for number in ["1.0.0", "2.0.0"] {
            bundles.push(bundle(&db.store, ORG, number).await);
        }
        let deployments = vec![deploy(&db.store, ORG, &bundles[0], &devices, at(1)).await];
        Self { random: Random(seed), now: at(10), devices, bundles, deployments }
    }

    async fn step(&mut self, db: &Database) -> String {
        self.now = self.now.plus_secs(1 + i64::try_from(self.random.below(200)).unwrap());
        let (store, now) = (&db.store, self.now);
        let (device, deployment) = (self.random.pick(&self.devices), self.random.pick(&self.deployments));
        match self.random.below(12) {
            0 => {
                let (devices, bundle) = (self.random.subset(&self.devices), self.random.below(2));
                self.deployments.push(deploy(store, ORG, &self.bundles[bundle], &devices, now).await);
                format!("deploy to {devices:?}")
            }
            1 => format!("cancel: {:?}", store.cancel_deployment(ORG, deployment, now).await.unwrap()),
            2 => format!("expire: {}", store.expire_attempts(now, 10).await.unwrap()),
            3..=5 => {
                let attempt = Some(1 + u32::try_from(self.random.below(3)).unwrap());
                let status = self.random.pick(ResultStatus::ALL);
                let result = TargetResult { attempt, ..result(status) };
                format!("{device} tells {status}: {:?}", tell(store, device, deployment, &result, now).await)
            }
            6 if self.random.below(20) == 0 => {
                let to = self.random.pick(Membership::ALL);
                let from = [Membership::Active, Membership::PendingApproval];
                format!(
                    "{device} becomes {to}: {:?}",
                    store.change_membership(ORG, device, &from, to, "ada", now).await
                )
            }
            _ => {
                let mut report = report();
                for deployment_id in self.random.subset(&self.deployments) {
                    let attempt = 1 + u32::try_from(self.random.below(3)).unwrap();
                    let state = self.random.pick(TargetState::ALL);
                    report.targets.push(TargetProgress { deployment_id, attempt, state, progress_pct: None });
                }
                let report = if self.random.next().is_multiple_of(3) {
                    HeartbeatReport { targets: Vec::new(), ..report }
                } else {
                    report
                };
                match store.record_heartbeat(&counter(device, now), &report, LEASE, now).await {
                    Err(Error::Replayed) => format!("{device} is not let in"),
                    outcome => format!("{device} beats: {:?}", outcome.unwrap()),
                }
            }
        }
    }
}

async fn states(
    db: &Database,
    deployments: &[DeploymentId],
) -> BTreeMap<(DeploymentId, DeviceId), (TargetState, u32)> {
    let mut states = BTreeMap::new();
    for id in deployments {
        for target in targets(&db.store, *id).await {
            states.insert((*id, target.device_id), (target.state, target.attempt));
        }
    }
    states
}

async fn counts_and_states_hold_on_a_random_walk(db: &Database) {
    let seed = 2_026;
    let mut walk = Walk::begin(db, seed).await;
    let mut before = states(db, &walk.deployments).await;
    for step in 0..STEPS {
        let did = walk.step(db).await;
        let after = states(db, &walk.deployments).await;
        for (id, (from, attempt)) in &before {
            let (to, next_attempt) = after[id];
            let legal = if next_attempt == *attempt {
                *from == to || from.can_become(to)
            } else {
                next_attempt == attempt + 1 && to == TargetState::Pending && !from.is_final()
            };
            assert!(
                legal,
                "seed {seed}, step {step}, {did}: {from} ({attempt}) became {to} ({next_attempt})"
            );
        }
        for id in &walk.deployments {
            assert_counts(&db.store, *id).await;
        }
        before = after;
    }
    let ended: Vec<_> = before.values().map(|(state, _)| *state).collect();
    for state in [TargetState::Success, TargetState::Failed, TargetState::RolledBack, TargetState::Cancelled]
    {
        assert!(ended.contains(&state), "the walk must pass {state}");
    }
}

async fn counts_hold_when_walks_cross(db: &Database) {
    let first = Walk::begin(db, 0).await;
    let (devices, bundles, deployments) = (first.devices, first.bundles, first.deployments);
    let walks = (1..=6).map(|seed| {
        let (devices, bundles, deployments) = (devices.clone(), bundles.clone(), deployments.clone());
        async move {
            let mut walk = Walk { random: Random(seed), now: at(10), devices, bundles, deployments };
            for _ in 0..40 {
                walk.step(db).await;
            }
            walk.deployments
        }
    });
    for deployments in futures_util::future::join_all(walks).await {
        for id in deployments {
            assert_counts(&db.store, id).await;
            assert!(deployment(&db.store, id).await.total >= 1);
        }
    }
}

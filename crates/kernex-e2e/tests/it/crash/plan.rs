//! What the operator wants: which bundle to which devices.

use std::{collections::BTreeSet, path::Path};

use kernex_client::OperatorClient;
use kernex_core::{BundleId, DeviceId};
use kernex_testkit::TestBundle;
use rand::{RngExt as _, rngs::StdRng};

use super::DEPLOYMENTS;

const BUNDLES: usize = 5;
/// Most deployments go to one device, every tenth to several.
const SEVERAL: usize = 10;

/// Every deployment that will be made.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) devices: Vec<DeviceId>,
    pub(super) deployments: Vec<(BundleId, BTreeSet<DeviceId>)>,
}

impl Plan {
    pub(super) async fn make(
        random: &mut StdRng,
        admin: &OperatorClient,
        folder: &Path,
        devices: Vec<DeviceId>,
    ) -> Self {
        let mut bundles = Vec::new();
        for version in 1..=BUNDLES {
            let archive = TestBundle::tiny("crash", &format!("{version}.0.0")).pack(folder);
            bundles.push(admin.upload_bundle(&archive, None, |_| {}).await.unwrap().bundle_id);
        }
        let mut deployments = Vec::new();
        for number in 0..DEPLOYMENTS {
            let mut targets = BTreeSet::from([devices[number % devices.len()]]);
            if number % SEVERAL == 0 {
                let more = random.random_range(2..8);
                targets.extend((0..more).map(|_| devices[random.random_range(0..devices.len())]));
            }
            deployments.push((bundles[number % BUNDLES], targets));
        }
        Self { devices, deployments }
    }

    /// How many targets there are in all.
    pub(super) fn targets(&self) -> u64 {
        self.deployments.iter().map(|(_, targets)| targets.len() as u64).sum()
    }
}

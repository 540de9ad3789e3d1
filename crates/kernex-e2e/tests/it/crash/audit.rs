//! Afterwards: what the control plane says against what everybody saw.

use std::collections::{BTreeMap, BTreeSet};

use kernex_api::deployments::{Progress, Target};
use kernex_client::{DeploymentQuery, OperatorClient, PageQuery};
use kernex_core::{DeploymentId, DeploymentStatus, DeviceId, TargetState};

use super::{fleet::DeviceLog, operator::ConfigChange, plan::Plan};

pub(super) struct Audit {
    pub(super) admin: OperatorClient,
    pub(super) plan: Plan,
    pub(super) created: Vec<DeploymentId>,
    pub(super) changed: Vec<ConfigChange>,
    pub(super) logs: BTreeMap<DeviceId, DeviceLog>,
}

impl Audit {
    pub(super) async fn check(&self) {
        let complaints: Vec<_> = self.logs.values().flat_map(|log| &log.complaints).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        self.check_deployments().await;
        for (device, log) in &self.logs {
            self.check_work(*device, log).await;
            self.check_heartbeats(*device, log).await;
            self.check_configs(*device).await;
        }
    }

    /// Each acknowledged deployment is there, once, with its targets, and its counts are those of its targets.
    async fn check_deployments(&self) {
        let created: BTreeSet<_> = self.created.iter().copied().collect();
        assert_eq!(created.len(), self.plan.deployments.len());
        assert_eq!(
            self.all_deployments().await,
            created,
            "a repeated request made a second deployment, or one is lost"
        );
        for (id, (bundle, wanted)) in self.created.iter().zip(&self.plan.deployments) {
            let detail = self.admin.get_deployment(*id).await.unwrap();
            let deployment = detail.deployment;
            assert_eq!(deployment.bundle_id, *bundle);
            assert_eq!(detail.target_devices.into_iter().collect::<BTreeSet<_>>(), *wanted);
            let targets = self.admin.all_targets(*id).await.unwrap();
            assert_eq!(deployment.progress, recount(&targets), "{id}");
            let failed = deployment.progress.failed > 0;
            let expected = if failed { DeploymentStatus::Failed } else { DeploymentStatus::Success };
            assert_eq!(deployment.status, expected, "{id}");
            for target in targets {
                let acknowledged = self.logs[&target.device_id].results[id];
                assert_eq!(target.state, acknowledged.target_state(), "{id} on {}", target.device_id);
                assert_eq!(target.attempt, 1);
            }
        }
    }

    async fn all_deployments(&self) -> BTreeSet<DeploymentId> {
        let mut query = DeploymentQuery { limit: Some(200), ..DeploymentQuery::default() };
        let mut found = BTreeSet::new();
        loop {
            let page = self.admin.list_deployments(&query).await.unwrap();
            found.extend(page.deployments.iter().map(|deployment| deployment.deployment_id));
            assert_eq!(page.total, self.created.len() as u64);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return found;
            }
        }
    }

    /// Everything that was meant for the device was carried out once, and has one line of history.
    async fn check_work(&self, device: DeviceId, log: &DeviceLog) {
        let meant = self
            .created
            .iter()
            .zip(&self.plan.deployments)
            .filter(|(_, (_, wanted))| wanted.contains(&device));
        let meant: BTreeMap<DeploymentId, u32> = meant.map(|(id, _)| (*id, 1)).collect();
        assert_eq!(log.carried_out, meant, "{device}");
        let history = self.admin.bundle_history(device, Some(200)).await.unwrap();
        let lines: BTreeSet<_> = history.iter().map(|line| line.deployment_id).collect();
        assert_eq!((history.len(), lines), (meant.len(), meant.keys().copied().collect()), "{device}");
        for line in history {
            assert_eq!(line.status, log.results[&line.deployment_id].target_state());
        }
    }

    /// Each answered heartbeat is there, and none is there twice.
    async fn check_heartbeats(&self, device: DeviceId, log: &DeviceLog) {
        let mut stored = BTreeSet::new();
        let mut query = PageQuery { limit: Some(200), cursor: None };
        loop {
            let page = self.admin.list_heartbeats(device, &query).await.unwrap();
            for heartbeat in page.heartbeats {
                let number = heartbeat.metrics["number"] as u64;
                assert!(stored.insert(number), "heartbeat {number} of {device} is stored twice");
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        let lost: Vec<_> = log.heartbeats.iter().filter(|number| !stored.contains(number)).collect();
        assert!(lost.is_empty(), "answered heartbeats of {device} are lost: {lost:?}");
    }

    /// Each acknowledged version has its content, and no number was left out or given twice.
    async fn check_configs(&self, device: DeviceId) {
        let versions = self.admin.list_config_versions(device).await.unwrap().versions;
        let numbers: Vec<u64> = versions.iter().rev().map(|version| version.version).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{device}");
        for change in self.changed.iter().filter(|change| change.device == device) {
            let stored = versions.iter().find(|version| version.version == change.version);
            let stored = stored.unwrap_or_else(|| panic!("version {} of {device} is lost", change.version));
            assert_eq!(stored.config.metadata["number"], change.number, "{device}");
        }
    }
}

fn recount(targets: &[Target]) -> Progress {
    let count = |states: &[TargetState]| {
        targets.iter().filter(|target| states.contains(&target.state)).count() as u64
    };
    Progress {
        total: targets.len() as u64,
        success: count(&[TargetState::Success]),
        failed: count(&[TargetState::Failed]),
        ..Progress::default()
    }
}

//! Rights: one word each, the same in roles, in the scopes of API keys and in the OpenAPI document.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Role, state::words};

words! {
    /// One right. The scopes of an API key are the same words.
    Permission {
        /// Look at devices, their configuration, heartbeats and history.
        DevicesRead = "devices:read",
        /// Let devices in, rename, tag and configure them, send them away.
        DevicesWrite = "devices:write",
        /// Look at the saved selections of devices.
        GroupsRead = "groups:read",
        /// Save, change and remove selections of devices.
        GroupsWrite = "groups:write",
        /// Look at registration tokens, without their secrets.
        RegistrationTokensRead = "registration_tokens:read",
        /// Make and end registration tokens.
        RegistrationTokensWrite = "registration_tokens:write",
        /// Look at bundles and fetch their bytes.
        BundlesRead = "bundles:read",
        /// Upload and delete bundles.
        BundlesWrite = "bundles:write",
        /// Look at deployments.
        DeploymentsRead = "deployments:read",
        /// Create, cancel, pause, resume and roll back deployments.
        DeploymentsWrite = "deployments:write",
        /// Read what devices logged.
        LogsRead = "logs:read",
        /// Look at the organisation's users and API keys.
        UsersRead = "users:read",
        /// Make users, change their roles, take them away; end other people's sessions and API keys.
        UsersManage = "users:manage",
        /// Read the record of who did what.
        AuditRead = "audit:read",
        /// Change the organisation itself.
        OrganizationManage = "organization:manage",
        /// Make organisations, say who belongs to them, and look after the installation as a whole.
        InstallationManage = "installation:manage",
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    pub const fn of(list: &[Permission]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < list.len() {
            bits |= 1 << list[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Whether a right is among them.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    /// Whether every one of them is among the others.
    pub const fn is_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        permissions.into_iter().fold(Self::NONE, |all, one| all.or(Self::of(&[one])))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

const LOOK: Permissions = Permissions::of(&[
    Permission::DevicesRead,
    Permission::GroupsRead,
    Permission::RegistrationTokensRead,
    Permission::BundlesRead,
    Permission::DeploymentsRead,
    Permission::LogsRead,
]);

const OPERATE: Permissions = LOOK.or(Permissions::of(&[
    Permission::DevicesWrite,
    Permission::GroupsWrite,
    Permission::RegistrationTokensWrite,
    Permission::BundlesWrite,
    Permission::DeploymentsWrite,
]));

const ADMINISTER: Permissions = OPERATE.or(Permissions::of(&[
    Permission::UsersRead,
    Permission::UsersManage,
    Permission::AuditRead,
    Permission::OrganizationManage,
]));

/// What somebody may do whose rights end at certain devices: what is not about single devices is left out.
const LIMITED: Permissions = Permissions::of(&[
    Permission::DevicesRead,
    Permission::DevicesWrite,
    Permission::GroupsRead,
    Permission::BundlesRead,
    Permission::DeploymentsRead,
    Permission::DeploymentsWrite,
    Permission::LogsRead,
]);

impl Role {
    /// What the role may do in its organisation.
    pub const fn permissions(self) -> Permissions {
        match self {
            Self::Admin => ADMINISTER,
            Self::Ops => OPERATE,
            Self::ReadOnly => LOOK,
        }
    }

    /// What is left of that for somebody who is limited to certain devices.
    pub const fn limited_permissions(self) -> Permissions {
        self.permissions().and(LIMITED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_holds_what_the_lesser_one_holds() {
        let [admin, ops, look] = [Role::Admin, Role::Ops, Role::ReadOnly].map(Role::permissions);
        assert!(look.is_within(ops) && ops.is_within(admin) && admin != ops && ops != look);
        assert!(
            !admin.contains(Permission::InstallationManage),
            "no role of an organisation rules the others"
        );
        assert!(look.iter().all(|permission| permission.as_str().ends_with(":read")));
    }

    #[test]
    fn a_limit_takes_away_what_is_not_about_devices() {
        let limited = Role::Ops.limited_permissions();
        assert!(limited.contains(Permission::DeploymentsWrite));
        assert!(!limited.contains(Permission::RegistrationTokensWrite));
        assert!(limited.is_within(Role::Ops.permissions()));
    }

    #[test]
    fn a_set_reads_back_from_json_as_its_words() {
        let set = Permissions::of(&[Permission::LogsRead, Permission::DevicesRead]);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["devices:read","logs:read"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&json).unwrap(), set);
        assert!(serde_json::from_str::<Permissions>(r#"["devices:*"]"#).is_err());
    }
}

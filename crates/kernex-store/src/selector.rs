//! A selector as a condition on rows of `devices`, with bound parameters. Gives what `Selector::matches` gives.
//!
//! Every part is true or false, never NULL, so that `NOT` is the opposite; a column that may be NULL is asked for that first.
//! What a device has many of is looked up by an index and turned into a list of ids.

use kernex_core::{
    BundleName, DeviceHealth, DeviceId, DeviceStatus, Membership, OrganizationId, Selector, Timestamp,
    selector::{Expr, Field, Order, Test},
    version::sort_key,
};
use uuid::Uuid;

use crate::sql::{Dialect, Value};

/// Builds conditions for one statement, whose parameters it collects.
#[derive(Debug)]
pub(crate) struct Conditions {
    dialect: Dialect,
    /// Before each column of `devices`: empty, or `v.` where the statement calls the table so.
    prefix: &'static str,
    now: Timestamp,
    org: usize,
    values: Vec<Value>,
}

impl Conditions {
    /// For a statement whose first parameters are `values`, one of which is the organisation, at `org` (from 1).
    pub(crate) fn new(
        dialect: Dialect,
        prefix: &'static str,
        values: Vec<Value>,
        org: usize,
        now: Timestamp,
    ) -> Self {
        Self { dialect, prefix, now, org, values }
    }

    /// For a statement on one organisation's devices that has no parameter yet, with that condition.
    pub(crate) fn of_org(dialect: Dialect, org: OrganizationId, now: Timestamp) -> (Self, String) {
        (Self::new(dialect, "", vec![org.into()], 1, now), "org_id = $1".to_owned())
    }

    /// The next parameter's place in the statement.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }

    /// Every parameter so far, in order.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Every parameter, in order.
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The condition of a selector, in parentheses where it needs them.
    pub(crate) fn selector(&mut self, selector: &Selector) -> String {
        self.expr(selector.expr())
    }

    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::Everything => "(1 = 1)".to_owned(),
            Expr::And(parts) => self.joined(parts, " AND "),
            Expr::Or(parts) => self.joined(parts, " OR "),
            Expr::Not(inner) => format!("(NOT {})", self.expr(inner)),
            Expr::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, parts: &[Expr], with: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.expr(part)).collect();
        format!("({})", parts.join(with))
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::Text(text) => self.text(text),
            Test::Exists(field) => self.exists(field),
            Test::OneOf { field, values } => {
                let tests: Vec<String> = values.iter().map(|value| self.equals(field, value)).collect();
                any(&tests)
            }
            Test::Contains { field, text } => self.contains(field, text),
            Test::Version { field, order, bound } => {
                let key = self.bind(bound.key());
                self.version(field, *order, key)
            }
            Test::Time { field, order, bound } => {
                let (order, bound) = bound.resolve(*order, self.now);
                let bound = self.bind(bound);
                let column =
                    self.column(if *field == Field::Registered { "registered_at" } else { "last_seen_at" });
                format!("({column} IS NOT NULL AND {column} {} ${bound})", order.as_str())
            }
        }
    }

    fn column(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn own_column(&self, field: &Field) -> Option<String> {
        Some(self.column(match field {
            Field::Name => "display_name",
            Field::DeviceType => "device_type",
            Field::Arch => "arch",
            Field::AgentVersion => "agent_version",
            Field::LastSeen => "last_seen_at",
            Field::Registered => "registered_at",
            _ => return None,
        }))
    }

    /// Devices that have a row of their own elsewhere.
    fn with_row(&self, table: &str, condition: &str) -> String {
        let (id, org) = (self.column("id"), self.org);
        format!("({id} IN (SELECT device_id FROM {table} WHERE org_id = ${org} AND {condition}))")
    }

    fn exists(&mut self, field: &Field) -> String {
        match field {
            Field::Tag(key) => {
                let key = self.bind(key.as_str());
                self.with_row("device_tags", &format!("key = ${key}"))
            }
            Field::BundleName | Field::BundleVersion(None) => self.with_row("device_bundles", "1 = 1"),
            Field::BundleVersion(Some(name)) => {
                let name = self.bind(name.as_str());
                self.with_row("device_bundles", &format!("name = ${name}"))
            }
            field => match self.own_column(field) {
                Some(column) => format!("({column} IS NOT NULL)"),
                None => "(1 = 1)".to_owned(), // every device has an id and a status
            },
        }
    }

    fn equals(&mut self, field: &Field, value: &str) -> String {
        match field {
            Field::Status => self.status(value),
            Field::Id => {
                let id = self.bind(value.parse::<DeviceId>().map_or(Uuid::nil(), |id| id.0));
                format!("({} = ${id})", self.column("id"))
            }
            Field::Tag(key) => {
                let (key, value) = (self.bind(key.as_str()), self.bind(value));
                self.with_row("device_tags", &format!("key = ${key} AND value = ${value}"))
            }
            Field::Group => {
                let (name, org) = (self.bind(value), self.org);
                let id = self.column("id");
                format!(
                    "({id} IN (SELECT m.device_id FROM group_members m JOIN device_groups g ON g.id = m.group_id \
                     WHERE g.org_id = ${org} AND g.name = ${name}))"
                )
            }
            Field::BundleName => {
                let name = self.bind(value);
                self.with_row("device_bundles", &format!("name = ${name}"))
            }
            Field::BundleVersion(name) => {
                let version = match sort_key(value) {
                    Some(key) => format!("version_key = ${}", self.bind(key)),
                    None => format!("version = ${}", self.bind(value)),
                };
                let name = self.named(name.as_ref().map(BundleName::as_str));
                self.with_row("device_bundles", &format!("{name}{version}"))
            }
            Field::AgentVersion => match sort_key(value) {
                Some(key) => self.own("agent_version_key", &key),
                None => self.own("agent_version", value),
            },
            Field::Name => self.own("display_name", value),
            Field::DeviceType => self.own("device_type", value),
            Field::Arch => self.own("arch", value),
            Field::Registered | Field::LastSeen => "(1 = 0)".to_owned(), // no parser makes this
        }
    }

    fn own(&mut self, column: &str, value: &str) -> String {
        let (column, value) = (self.column(column), self.bind(value));
        format!("({column} IS NOT NULL AND {column} = ${value})")
    }

    fn named(&mut self, name: Option<&str>) -> String {
        name.map_or_else(String::new, |name| format!("name = ${} AND ", self.bind(name)))
    }

    /// Keys are never empty for what has a place in the order.
    fn version(&mut self, field: &Field, order: Order, key: usize) -> String {
        let order = order.as_str();
        match field {
            Field::Tag(tag) => {
                let tag = self.bind(tag.as_str());
                self.with_row(
                    "device_tags",
                    &format!("key = ${tag} AND value_key > '' AND value_key {order} ${key}"),
                )
            }
            Field::BundleVersion(name) => {
                let name = self.named(name.as_ref().map(BundleName::as_str));
                self.with_row(
                    "device_bundles",
                    &format!("{name}version_key > '' AND version_key {order} ${key}"),
                )
            }
            _ => {
                let column = self.column("agent_version_key");
                format!("({column} IS NOT NULL AND {column} > '' AND {column} {order} ${key})")
            }
        }
    }

    fn contains(&mut self, field: &Field, text: &str) -> String {
        let part = self.bind(text.to_ascii_lowercase());
        match field {
            Field::Tag(key) => {
                let key = self.bind(key.as_str());
                let found = self.dialect.holds("value", part);
                self.with_row("device_tags", &format!("key = ${key} AND {found}"))
            }
            field => self.own_column(field).map_or_else(
                || "(1 = 0)".to_owned(), // no parser makes this
                |column| format!("({column} IS NOT NULL AND {})", self.dialect.holds(&column, part)),
            ),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let (name, kind, id) = (self.column("display_name"), self.column("device_type"), self.column("id"));
        let part = self.bind(text.to_ascii_lowercase());
        let mut tests = vec![
            format!("({name} IS NOT NULL AND {})", self.dialect.holds(&name, part)),
            format!("({kind} IS NOT NULL AND {})", self.dialect.holds(&kind, part)),
            // Device by device, because most pages are full before every label has been read.
            format!(
                "(EXISTS (SELECT 1 FROM device_tags t WHERE t.device_id = {}id AND {}))",
                if self.prefix.is_empty() { "devices." } else { self.prefix },
                self.dialect.holds("t.value", part)
            ),
        ];
        if let Some(prefix) = Test::id_prefix(text) {
            if let (Ok(from), Ok(to)) = (padded(&prefix, '0'), padded(&prefix, 'f')) {
                let (from, to) = (self.bind(from), self.bind(to));
                tests.push(format!("({id} >= ${from} AND {id} <= ${to})"));
            }
            let (fingerprint, digits) = (self.column("key_fingerprint"), prefix.len());
            let prefix = self.bind(prefix);
            tests.push(format!("(substr({fingerprint}, 1, {digits}) = ${prefix})"));
        }
        any(&tests)
    }

    /// The same decision as [`DeviceStatus::at`], taken apart so that an index serves it.
    fn status(&mut self, word: &str) -> String {
        let (membership, health, overdue) =
            (self.column("membership"), self.column("health"), self.column("overdue_at"));
        let active = format!("{membership} = '{}'", Membership::Active);
        let healthy = |health: DeviceHealth| format!("'{health}'");
        let reports = match word.parse::<DeviceStatus>() {
            Ok(DeviceStatus::PendingApproval) => {
                return format!("({membership} = '{}')", Membership::PendingApproval);
            }
            Ok(DeviceStatus::Decommissioned) => {
                return format!("({membership} = '{}')", Membership::Decommissioned);
            }
            Ok(DeviceStatus::Offline) => {
                let now = self.bind(self.now);
                return format!("({active} AND ({overdue} <= ${now} OR {health} IS NULL))");
            }
            Ok(DeviceStatus::Online) => healthy(DeviceHealth::Healthy),
            Ok(DeviceStatus::Degraded) => healthy(DeviceHealth::Degraded),
            Ok(DeviceStatus::Error) => healthy(DeviceHealth::Error),
            Err(_) => return "(1 = 0)".to_owned(), // no parser makes this
        };
        let now = self.bind(self.now);
        format!("({active} AND {overdue} > ${now} AND {health} IS NOT NULL AND {health} = {reports})")
    }
}

fn any(tests: &[String]) -> String {
    match tests {
        [only] => only.clone(),
        several => format!("({})", several.join(" OR ")),
    }
}

/// The first or last id that begins with these digits.
fn padded(prefix: &str, with: char) -> Result<Uuid, uuid::Error> {
    let missing = 32_usize.checked_sub(prefix.len()).unwrap_or(usize::MAX);
    if missing > 32 {
        return Uuid::parse_str("too long");
    }
    Uuid::parse_str(&format!("{prefix}{}", String::from(with).repeat(missing)))
}

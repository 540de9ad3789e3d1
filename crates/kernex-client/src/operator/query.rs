//! What lists can be asked for.

use url::Url;

/// The parameters of a list, by name.
pub(crate) trait Pairs {
    /// Every parameter that may be sent, with its value if there is one.
    fn pairs(&self) -> Vec<(&'static str, Option<String>)>;
}

/// Adds the parameters that have a value.
pub(crate) fn append(url: &mut Url, query: &impl Pairs) {
    let present: Vec<_> =
        query.pairs().into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    if !present.is_empty() {
        url.query_pairs_mut().extend_pairs(present);
    }
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty),+ $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$fdoc])* pub $field: Option<$type>),+ }

        impl Pairs for $name {
            fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
                vec![$((stringify!($field), self.$field.as_ref().map(ToString::to_string))),+]
            }
        }
    )*};
}

queries! {
    /// One page of a list.
    PageQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
    }

    /// Which devices.
    DeviceQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// A selector; a word alone is free text.
        q: String,
        /// `online`, `degraded`, `error`, `offline`, `pending_approval` or `decommissioned`.
        status: String,
        /// A label, `key=value`; of several, separated by commas, all must fit.
        tag: String,
        /// The version that devices run.
        bundle_version: String,
    }

    /// Which events.
    EventQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// Events after this number, oldest first.
        after: u64,
        /// Kinds, separated by commas.
        kind: String,
        /// Only about this device.
        device_id: String,
        /// Only about this deployment.
        deployment_id: String,
    }

    /// Which log lines.
    LogQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// The least serious level to show.
        level: String,
    }

    /// Which bundles.
    BundleQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// The bundles' name.
        name: String,
    }

    /// Which deployments.
    DeploymentQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// How far they are.
        status: String,
    }

    /// Which records of the audit log.
    AuditQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// Id or name of who did it.
        actor: String,
        /// `user`, `device`, `system` or `anonymous`.
        actor_kind: String,
        /// The action, or `device.*` for all of a noun.
        action: String,
        /// Kind of what it was done to.
        object_kind: String,
        /// Its id.
        object_id: String,
        /// `success`, `denied` or `failed`.
        result: String,
        /// The request's id.
        request_id: String,
        /// The address that it came from.
        address: String,
        /// Not before this time.
        from: kernex_core::Timestamp,
        /// Before this time.
        to: kernex_core::Timestamp,
    }

    /// Which targets of a deployment.
    TargetQuery {
        /// Rows on the page, at most 200.
        limit: u32,
        /// Where the page begins: the last page's `next_cursor`.
        cursor: String,
        /// How far they are.
        state: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_with_a_value_are_sent_and_they_are_encoded() {
        let mut url = Url::parse("http://kx/devices").unwrap();
        append(&mut url, &DeviceQuery::default());
        assert_eq!(url.query(), None);
        append(
            &mut url,
            &DeviceQuery { limit: Some(5), tag: Some("site=a&b".to_owned()), ..Default::default() },
        );
        assert_eq!(url.query(), Some("limit=5&tag=site%3Da%26b"));
    }
}

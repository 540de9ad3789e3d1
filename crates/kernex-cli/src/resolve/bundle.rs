//! Bundles by version, by name and version, or by id.

use std::{fmt, str::FromStr};

use anyhow::Result;
use kernex_api::{MAX_PAGE_LIMIT, bundles::Bundle};
use kernex_client::{BundleQuery, OperatorClient};
use kernex_core::{BundleId, BundleName, BundleVersion};

use crate::{exit_code::ExitCode, failure::Failure};

/// How a person names a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BundleRef {
    /// By id.
    Id(BundleId),
    /// By version, and name; `default` when absent.
    Version { name: Option<BundleName>, version: BundleVersion },
}

impl FromStr for BundleRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let (36, Ok(id)) = (text.len(), text.parse()) {
            return Ok(Self::Id(id));
        }
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => {
                (Some(name.parse().map_err(|error: kernex_core::InvalidName| error.to_string())?), version)
            }
            None => (None, text),
        };
        let version = version.parse().map_err(|error: kernex_core::InvalidVersion| error.to_string())?;
        Ok(Self::Version { name, version })
    }
}

impl fmt::Display for BundleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Version { name: Some(name), version } => write!(f, "{name}@{version}"),
            Self::Version { name: None, version } => version.fmt(f),
        }
    }
}

impl BundleRef {
    fn is(&self, bundle: &Bundle) -> bool {
        match self {
            Self::Id(id) => bundle.bundle_id == *id,
            Self::Version { name, version } => {
                bundle.version == *version && bundle.name == name.clone().unwrap_or_default()
            }
        }
    }
}

/// The bundle that is meant.
pub(crate) async fn find_bundle(client: &OperatorClient, wanted: &BundleRef) -> Result<Bundle> {
    let name = match wanted {
        BundleRef::Id(_) => None,
        BundleRef::Version { name, .. } => Some(name.clone().unwrap_or_default().to_string()),
    };
    let mut query = BundleQuery { name, limit: Some(MAX_PAGE_LIMIT), cursor: None };
    loop {
        let page = client.list_bundles(&query).await?;
        if let Some(bundle) = page.bundles.into_iter().find(|bundle| wanted.is(bundle)) {
            return Ok(bundle);
        }
        if page.next_cursor.is_none() || page.next_cursor == query.cursor {
            let failure = Failure::new(ExitCode::NotFound, format!("there is no bundle {wanted}"));
            let hint = "`kernex bundle list` shows the bundles; a version alone means the bundle `default`";
            return Err(failure.hint(hint).into());
        }
        query.cursor = page.next_cursor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_as_it_is_written() {
        for text in ["1.2.0", "detector@1.2.0", "0199aaaa-0000-7000-8000-000000000001"] {
            assert_eq!(text.parse::<BundleRef>().unwrap().to_string(), text);
        }
        assert!(matches!("0199aaaa-0000-7000-8000-000000000001".parse(), Ok(BundleRef::Id(_))));
        assert!(matches!("nightly".parse(), Ok(BundleRef::Version { name: None, .. })));
        for text in ["", "@1.0", "detector@", "Detector@1.0", "a@b@c", "../x"] {
            assert!(text.parse::<BundleRef>().is_err(), "{text}");
        }
    }
}

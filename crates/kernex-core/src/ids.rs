//! Ids: a newtype each around a UUID v7, so that they sort by creation and cannot be mixed up.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that sorts after those made at an earlier `now`.
            pub fn generate(now: Timestamp) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                let (secs, nanos) = (millis / 1_000, (millis % 1_000) as u32 * 1_000_000);
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, secs, nanos)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// One managed machine.
    DeviceId
    /// A named selector or list of devices.
    GroupId
    /// One webhook.
    WebhookId
    /// One delivery to a webhook.
    WebhookDeliveryId
    /// One immutable bundle: a name and a version with their bytes.
    BundleId
    /// One intent: this bundle to these devices.
    DeploymentId
    /// The owner of everything else.
    OrganizationId
    /// One person.
    UserId
    /// One login, which logout ends.
    SessionId
    /// One API key.
    ApiKeyId
    /// One registration token.
    RegistrationTokenId
    /// One HTTP request, as logs and error bodies name it.
    RequestId
}

impl OrganizationId {
    /// The organisation that the first migration creates.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}

//! From what a person types to the thing that is meant.

mod bundle;
mod device;
mod group;

pub(crate) use bundle::{BundleRef, find_bundle};
#[cfg(test)]
pub(crate) use device::tests::sample as sample_device;
pub(crate) use device::{Found, device, devices};
pub(crate) use group::group;

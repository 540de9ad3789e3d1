//! The bundle format: manifest, archive policy, unpacking, packing and digests.
//!
//! Server, agent and CLI all read bundles through this crate, so that an archive which the server accepted is one
//! that every device can unpack. The crate is synchronous, holds no more of an archive in memory than one buffer and
//! the list of its names, and knows nothing of HTTP, of databases or of how a device runs what it unpacked. The
//! format itself is described in `docs/bundle-format.md`.

pub mod archive;
pub mod digest;
pub mod inspect;
pub mod manifest;
#[cfg(unix)]
pub mod pack;
#[cfg(unix)]
pub mod unpack;

pub use archive::{
    ArchiveError, ArchiveFormat, ArchiveReader, Entry, EntryKind, EntryPath, Limits, LinkProblem, PathProblem,
};
pub use digest::{Digest, Hasher, HashingReader, HashingWriter, InvalidDigest, sha256_file};
pub use inspect::{BundleFile, BundleFiles, Difference, Inspection, MissingFile, check_references, inspect};
pub use manifest::{
    Compatibility, Health, HealthCheck, Incompatible, ListedFile, MANIFEST_SCHEMA, MAX_MANIFEST_BYTES,
    Manifest, ManifestError, Metrics, Model, Platform, ReloadSignal, ResourceLimits, Restart, Script,
    Workload,
};
#[cfg(unix)]
pub use pack::{PackError, PackOptions, Packed, pack, pack_to_file};
#[cfg(unix)]
pub use unpack::{Unpacked, unpack};

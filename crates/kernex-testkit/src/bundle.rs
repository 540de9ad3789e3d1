//! Bundles for tests.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use kernex_bundle::{ArchiveFormat, PackOptions, pack_to_file};
use serde_json::{Value, json};

/// A bundle to be packed: small unless told otherwise.
#[derive(Clone, Debug)]
pub struct TestBundle {
    manifest: Value,
    files: Vec<(String, Vec<u8>)>,
    format: ArchiveFormat,
}

impl TestBundle {
    /// A manifest and a file that says which version it is; no script, no workload.
    pub fn tiny(name: &str, version: &str) -> Self {
        let files = vec![("content.txt".to_owned(), format!("{name} {version}\n").into_bytes())];
        let manifest = json!({"name": name, "version": version});
        Self { manifest, files, format: ArchiveFormat::Gzip }
    }

    /// The same with another field in the manifest.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.manifest[field] = value;
        self
    }

    /// The same with another file.
    #[must_use]
    pub fn with_file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// The same with a file of random bytes, which no compression makes smaller; packed with zstd, which notices that fast.
    #[must_use]
    pub fn with_random_bytes(mut self, count: usize) -> Self {
        let mut bytes = vec![0; count];
        let source = fs::File::open("/dev/urandom")
            .map(|mut source| std::io::Read::read_exact(&mut source, &mut bytes));
        source.flatten().expect("/dev/urandom gives bytes");
        self.format = ArchiveFormat::Zstd;
        self.files.push(("random.bin".to_owned(), bytes));
        self
    }

    /// Packs it into `folder` and gives the archive's path.
    pub fn pack(&self, folder: &Path) -> PathBuf {
        let content = self.write(folder);
        let options = PackOptions { format: self.format, ..PackOptions::default() };
        let packed = pack_to_file(content.path(), folder, &options, &mut |_, _| {});
        packed.expect("the bundle packs").path.expect("it was packed to a file")
    }

    /// Writes the files into a new folder within `folder`.
    fn write(&self, folder: &Path) -> tempfile::TempDir {
        let content = tempfile::tempdir_in(folder).expect("a folder can be made");
        let manifest = serde_json::to_vec_pretty(&self.manifest).expect("a manifest is JSON");
        let manifest = [("manifest.json".to_owned(), manifest)];
        for (name, bytes) in self.files.iter().chain(&manifest) {
            let path = content.path().join(name);
            fs::write(&path, bytes).expect("the file can be written");
            if bytes.starts_with(b"#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the mode can be set");
            }
        }
        content
    }
}

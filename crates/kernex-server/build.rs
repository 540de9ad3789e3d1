//! Puts the built dashboard (`dashboard/dist`, made by `npm run build`) into the program, each file beside its gzip. Node is not
//! needed for that: the built files are committed, and a check compares them with what the sources give.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboard/dist");
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(&folder, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        table.push_str(&entry(&folder, file, &out.join(format!("dashboard-{number}.gz")))?);
    }
    table.push(']');
    fs::write(out.join("dashboard.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !is_hidden {
            collect(&entry.path(), files)?;
        } else if !is_hidden {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// One line of the table; writes the compressed bytes when they are fewer.
fn entry(folder: &Path, file: &Path, gzip: &Path) -> io::Result<String> {
    let bytes = fs::read(file)?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    let packed = encoder.finish()?;
    let is_worth_it = packed.len() < bytes.len() * 9 / 10;
    if is_worth_it {
        fs::write(gzip, packed)?;
    }
    let gzip = if is_worth_it { format!("Some(include_bytes!({gzip:?}))") } else { "None".to_owned() };
    let path = format!("/{}", file.strip_prefix(folder).map_err(io::Error::other)?.display());
    let file = file.canonicalize()?;
    Ok(format!(
        "    Asset {{ path: {path:?}, etag: \"\\\"{:016x}\\\"\", bytes: include_bytes!({file:?}), gzip: {gzip} }},\n",
        hasher.finish()
    ))
}

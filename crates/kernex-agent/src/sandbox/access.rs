//! What may be opened, by Landlock: the system's folders for reading, the bundle's own for writing, nothing else.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};

use super::Sandbox;

/// Programs and their libraries, and what they are configured by. Of `/run` and `/var` only what is needed to look up
/// names and to check certificates.
const READABLE: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr",
    "/opt",
    "/etc",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/var/lib/ca-certificates",
    "/var/run/nscd",
];
/// Devices: the user's rights decide which; a camera or an accelerator is what the program is for.
const DEVICES: &[&str] = &["/dev"];
/// Memory shared between the processes of a program.
const SHARED_MEMORY: &[&str] = &["/dev/shm"];
/// The newest interface that is made use of; the kernel may know an older one, then what it lacks is left out.
const NEWEST: ABI = ABI::V6;

/// Confines this process, as far as the kernel can. Gives how far: `abi 7`, or `missing: …`.
pub(super) fn confine(sandbox: &Sandbox) -> Result<String, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let read = AccessFs::from_read(NEWEST);
    // Special files are made by system administrators.
    let write = all & !(AccessFs::MakeBlock | AccessFs::MakeChar);
    let device = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev;
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?;
    let ruleset = ruleset.scope(Scope::Signal)?.create()?;
    let status = ruleset
        .add_rules(rules(READABLE, read, &sandbox.hidden))?
        .add_rules(rules(DEVICES, device, &sandbox.hidden))?
        .add_rules(rules(SHARED_MEMORY, write, &sandbox.hidden))?
        .add_rules(path_beneath_rules(&sandbox.readable, read))?
        .add_rules(path_beneath_rules(&sandbox.writable, write))?
        .add_rules(path_beneath_rules(&sandbox.temporary, write))?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            format!("abi {}", kernel_abi.unwrap_or(effective_abi as i32))
        }
        LandlockStatus::NotEnabled => "missing: the kernel has it, but it is not enabled".to_owned(),
        LandlockStatus::NotImplemented => "missing: the kernel does not have it".to_owned(),
    })
}

type Rule = Result<landlock::PathBeneath<landlock::PathFd>, RulesetError>;

fn rules(folders: &[&str], access: BitFlags<AccessFs>, hidden: &[PathBuf]) -> impl Iterator<Item = Rule> {
    let paths: Vec<PathBuf> =
        folders.iter().flat_map(|folder| without(Path::new(folder).to_owned(), hidden)).collect();
    path_beneath_rules(paths, access)
}

/// A folder, or, where something hidden is below it, all of its entries but those that lead there.
///
/// A rule holds for everything below a path, so what is hidden must not be below one. Paths are compared as they are
/// after following links, on both sides.
fn without(folder: PathBuf, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let leads_to = |path: &Path| hidden.iter().any(|secret| secret.starts_with(path));
    if hidden.iter().any(|secret| folder.starts_with(secret)) {
        return Vec::new();
    }
    if !leads_to(&folder) {
        return vec![folder];
    }
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    // A link would grant what it points to, wherever that is.
    let entries = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    entries.flat_map(|entry| without(entry.path(), hidden)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_with_something_hidden_below_is_granted_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        // A link to what is hidden does not grant it.
        std::os::unix::fs::symlink(root.join("opt/kernex/keys"), root.join("link")).unwrap();
        for path in ["opt/tool", "opt/kernex/keys", "opt/kernex/bundles", "usr"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        let granted = |folder: &str, hidden: &str| {
            let mut paths = without(root.join(folder), &[root.join(hidden)]);
            paths.sort();
            paths
                .iter()
                .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(granted("opt", "opt/kernex"), ["opt/tool"]);
        assert_eq!(granted("opt", "opt/kernex/keys"), ["opt/kernex/bundles", "opt/tool"]);
        assert_eq!(granted("usr", "opt/kernex"), ["usr"]);
        assert!(granted("opt/kernex/keys", "opt/kernex").is_empty());
        assert!(granted("link", "opt/kernex").is_empty());
        assert!(granted("nowhere", "opt/kernex").is_empty());
    }
}

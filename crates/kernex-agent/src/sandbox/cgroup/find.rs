//! Where this process's control groups are.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What limits are put on.
const CONTROLLERS: &[&str] = &["memory", "pids", "cpu"];
/// The agent's own group after it has made room: version 2 wants processes in leaves only.
const OWN: &str = "kernex-agent";

/// The folders below which groups can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies {
    unified: Option<PathBuf>,
    /// Those of version 1, by controller, where version 2 does not have it.
    older: BTreeMap<String, PathBuf>,
}

impl Hierarchies {
    /// Finds them; what cannot be written to is left out.
    pub fn find() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut found = Self::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
        found.unified = found.unified.filter(|folder| may_write(folder));
        let unified = found.controllers();
        found.older.retain(|controller, folder| !unified.contains(controller) && may_write(folder));
        found
    }

    fn parse(mounts: &str, own: &str) -> Self {
        let mut found = Self::default();
        for line in own.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            if controllers.is_empty() {
                found.unified = folder(mounts, "cgroup2", None, path).map(above_own);
            }
            for controller in controllers.split(',').filter(|name| CONTROLLERS.contains(name)) {
                if let Some(folder) = folder(mounts, "cgroup", Some(controller), path) {
                    found.older.insert(controller.to_owned(), folder);
                }
            }
        }
        found
    }

    /// All of them, version 2 first.
    pub fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> =
            self.unified.iter().chain(self.older.values()).map(PathBuf::as_path).collect();
        // Controllers may share a hierarchy.
        folders.dedup();
        folders
    }

    /// What to tell: `v2 (memory, pids)`, `v1 (memory)`, both, or `missing: …`.
    pub fn describe(&self) -> String {
        let list = |version: &str, names: Vec<String>| match names.is_empty() {
            true => version.to_owned(),
            false => format!("{version} ({})", names.join(", ")),
        };
        let unified = self.unified.as_ref().map(|_| list("v2", self.controllers()));
        let older = (!self.older.is_empty()).then(|| list("v1", self.older.keys().cloned().collect()));
        match (unified, older) {
            (Some(unified), Some(older)) => format!("{unified} and {older}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => "missing: the agent may not make groups below its own".to_owned(),
        }
    }

    /// What groups of version 2 can limit here.
    fn controllers(&self) -> Vec<String> {
        let Some(folder) = &self.unified else { return Vec::new() };
        let text = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        text.split_whitespace().filter(|name| CONTROLLERS.contains(name)).map(str::to_owned).collect()
    }
}

/// Makes room in the agent's own group of version 2, if it was given one (`Delegate=yes` of systemd): the agent moves
/// into a group below, and groups beside that one can be limited.
pub fn delegate() -> io::Result<()> {
    let found = Hierarchies::find();
    let Some(own) = &found.unified else { return Ok(()) };
    let offered = fs::read_to_string(own.join("cgroup.controllers"))?;
    let wanted: Vec<&str> = offered.split_whitespace().filter(|name| CONTROLLERS.contains(name)).collect();
    // The root of all groups is nobody's to rearrange.
    if wanted.is_empty() || found.controllers().len() == wanted.len() || !own.join("cgroup.type").exists() {
        return Ok(());
    }
    match fs::create_dir(own.join(OWN)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(own.join(OWN).join("cgroup.procs"), "0")?;
    let all: Vec<String> = wanted.iter().map(|name| format!("+{name}")).collect();
    fs::write(own.join("cgroup.subtree_control"), all.join(" "))
}

fn above_own(folder: PathBuf) -> PathBuf {
    if folder.ends_with(OWN) { folder.parent().map(Path::to_owned).unwrap_or(folder) } else { folder }
}

/// Where a group's folder is: its path below the mount that shows its hierarchy.
fn folder(mounts: &str, kind: &str, controller: Option<&str>, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, device) = line.split_once(" - ")?;
        let mut device = device.split(' ');
        let is_kind = device.next() == Some(kind);
        let options = device.nth(1).unwrap_or_default();
        let has_controller = controller.is_none_or(|name| options.split(',').any(|option| option == name));
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        (is_kind && has_controller).then(|| Path::new(point).join(below))
    })
}

fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "\
30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw
32 30 0:28 /docker/x /sys/fs/cgroup/memory rw,nosuid shared:11 - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct
";

    #[test]
    fn the_own_groups_are_found_in_both_versions() {
        let own =
            "9:memory:/docker/x/y\n4:cpu,cpuacct:/\n0::/system.slice/kernex-agent.service/kernex-agent\n";
        let found = Hierarchies::parse(MIXED, own);
        let unified = "/sys/fs/cgroup/unified/system.slice/kernex-agent.service";
        assert_eq!(found.unified.as_deref(), Some(Path::new(unified)));
        assert_eq!(found.older["memory"], Path::new("/sys/fs/cgroup/memory/y"));
        assert_eq!(found.older["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found.folders().len(), 3);
    }

    #[test]
    fn without_any_it_says_so() {
        let found = Hierarchies::parse("", "");
        assert!(found.describe().starts_with("missing: "), "{}", found.describe());
        assert!(found.folders().is_empty());
    }
}

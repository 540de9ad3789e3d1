//! Symbolic links, judged by names alone: nothing on a disk is asked, and nothing is opened through them.

use std::collections::BTreeMap;

use super::{ArchiveError, EntryPath, PathProblem, Tree, error::shown, tree::NodeKind};

/// The longest target, in bytes; as long as a path may be.
const MAX_TARGET_BYTES: usize = 1024;
/// Links that may lead to one another before one leads to a file or folder.
const MAX_CHAIN: usize = 8;

/// Symbolic links by their path, with what they say.
pub(crate) type Links = BTreeMap<EntryPath, String>;

/// What is wrong with a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// It says something that is no path inside a bundle.
    #[error("{0}")]
    Target(#[from] PathProblem),
    /// It leads out of the bundle, or to its root.
    #[error("leads out of the bundle")]
    Leaves,
    /// There is nothing where it leads, or it leads through the name of another link.
    #[error("leads to no file or folder of the bundle")]
    LeadsNowhere,
    /// It leads to a link that leads to a link and so on.
    #[error("leads through more than 8 links")]
    Chain,
}

/// What a link says, as far as it can be judged alone. Checked when it comes, so that it can be kept.
pub(super) fn parse_target(raw: &[u8]) -> Result<String, PathProblem> {
    if raw.len() > MAX_TARGET_BYTES {
        return Err(PathProblem::TooLong);
    }
    let text = std::str::from_utf8(raw).map_err(|_| PathProblem::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(PathProblem::Control);
    }
    Ok(text.to_owned())
}

/// Whether every link leads to a file or folder below the bundle's root, which is the folder `top` if there is one.
/// To be asked when the tree is complete.
pub(crate) fn check_links(links: &Links, tree: &Tree, top: Option<&str>) -> Result<(), ArchiveError> {
    for (path, target) in links {
        follow(path, target, links, tree, top).map_err(|problem| ArchiveError::UnsafeLink {
            entry: shown(path.as_str().as_bytes()),
            target: shown(target.as_bytes()),
            problem,
        })?;
    }
    Ok(())
}

fn follow(
    path: &EntryPath,
    target: &str,
    links: &Links,
    tree: &Tree,
    top: Option<&str>,
) -> Result<(), LinkProblem> {
    if !is_below(path, top) {
        return Err(LinkProblem::Leaves);
    }
    let mut at = resolve(path, target, top)?;
    for _ in 0..MAX_CHAIN {
        // What is in the tree has folders above it, and no links.
        match tree.kind(&at) {
            Some(NodeKind::File | NodeKind::Folder) => return Ok(()),
            Some(NodeKind::Link) => {
                let target = links.get(&at).ok_or(LinkProblem::LeadsNowhere)?;
                at = resolve(&at, target, top)?;
            }
            None => return Err(LinkProblem::LeadsNowhere),
        }
    }
    Err(LinkProblem::Chain)
}

/// Where a link leads: some `../`, which go up through the folders that the link is in, and then names.
fn resolve(path: &EntryPath, target: &str, top: Option<&str>) -> Result<EntryPath, LinkProblem> {
    if target.starts_with('/') {
        return Err(PathProblem::Absolute.into());
    }
    let (mut folder, _) = path.split();
    let mut names = target.strip_prefix("./").unwrap_or(target);
    while names == ".." || names.starts_with("../") {
        if folder.is_empty() {
            return Err(LinkProblem::Leaves);
        }
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        names = names[2..].strip_prefix('/').unwrap_or_default();
    }
    let is_only_up = names.is_empty() && target.ends_with("..");
    let resolved = match (folder, names) {
        ("", _) if is_only_up => return Err(LinkProblem::Leaves),
        (folder, _) if is_only_up => folder.to_owned(),
        ("", names) => names.to_owned(),
        (folder, names) => format!("{folder}/{names}"),
    };
    let resolved = EntryPath::of_file(&resolved)?;
    if is_below(&resolved, top) { Ok(resolved) } else { Err(LinkProblem::Leaves) }
}

fn is_below(path: &EntryPath, top: Option<&str>) -> bool {
    top.is_none_or(|top| matches!(path.split_top(), (first, Some(_)) if first == top))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(path: &str, target: &str, top: Option<&str>) -> Result<String, LinkProblem> {
        resolve(&EntryPath::of_file(path).unwrap(), target, top).map(|path| path.to_string())
    }

    #[test]
    fn a_target_is_read_from_the_folder_of_its_link() {
        for (path, target, expected) in [
            ("a", "b", "b"),
            ("a", "./b", "b"),
            ("a/l", "b/c", "a/b/c"),
            ("a/b/l", "../c", "a/c"),
            ("a/b/l", "../../c", "c"),
            ("a/b/l", "./../c", "a/c"),
            ("a/b/l", "..", "a"),
            ("a/b/l", "..b/c", "a/b/..b/c"),
        ] {
            assert_eq!(resolved(path, target, None).as_deref(), Ok(expected), "{path} -> {target}");
        }
        assert_eq!(resolved("m/a/l", "../b", Some("m")).as_deref(), Ok("m/b"));
    }

    #[test]
    fn a_target_outside_or_unclear_is_refused() {
        use {LinkProblem::*, PathProblem::*};
        for (path, target, top, problem) in [
            ("a", "/etc/passwd", None, Target(Absolute)),
            ("a", "..", None, Leaves),
            ("a", "../b", None, Leaves),
            ("a/l", "../../b", None, Leaves),
            ("a/l", "..", None, Leaves),
            ("m/l", "..", Some("m"), Leaves),
            ("m/l", "../x", Some("m"), Leaves),
            ("m/a/l", "..", Some("m"), Leaves),
            ("m/l", "../mm/x", Some("m"), Leaves),
            ("a", "", None, Target(EmptyComponent)),
            ("a", ".", None, Target(Dot)),
            ("a", "./", None, Target(EmptyComponent)),
            ("a/l", "../", None, Target(EmptyComponent)),
            ("a", "b/../c", None, Target(Parent)),
            ("a", "b/./c", None, Target(Dot)),
            ("a", "b//c", None, Target(EmptyComponent)),
            ("a", "b/", None, Target(EmptyComponent)),
            ("a/l", "..//etc", None, Target(Absolute)),
            ("a", "b\\c", None, Target(Backslash)),
            ("a", "NUL", None, Target(DeviceName)),
        ] {
            assert_eq!(resolved(path, target, top), Err(problem), "{path} -> {target}");
        }
    }
}

//! Paths that entries may have.

use std::{fmt, path::Path};

/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The deepest path. Some extractors take time cubic in the depth.
const MAX_COMPONENTS: usize = 32;
/// The longest name of one file or folder, in bytes; what common file systems hold.
const MAX_COMPONENT_BYTES: usize = 255;

/// A relative path inside a bundle: UTF-8, components separated by single `/`, safe on every platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

/// What is wrong with an entry's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// The path starts with `/`.
    #[error("has an absolute path")]
    Absolute,
    /// The path has a `..` component.
    #[error("has a `..` in its path")]
    Parent,
    /// The path has a `.` component that is not at its start.
    #[error("has a `.` in its path")]
    Dot,
    /// The path has an empty component, or is empty.
    #[error("has an empty part in its path")]
    EmptyComponent,
    /// The path has a NUL or another control character.
    #[error("has a control character in its path")]
    Control,
    /// The path has a backslash.
    #[error("has a backslash in its path")]
    Backslash,
    /// The path is not UTF-8.
    #[error("has a path that is not UTF-8")]
    NotUtf8,
    /// A component is a device's name on Windows.
    #[error("has a part in its path that is a device name on Windows")]
    DeviceName,
    /// The path is longer than 1,024 bytes.
    #[error("has a path of more than 1024 bytes")]
    TooLong,
    /// The path has more than 32 components.
    #[error("has a path of more than 32 parts")]
    TooDeep,
    /// A component is longer than 255 bytes.
    #[error("has a part of more than 255 bytes in its path")]
    ComponentTooLong,
}

impl EntryPath {
    /// Reads a path as it stands in an archive. Leading `./` are dropped; `None` is the root itself. A folder's path
    /// may end in one `/`.
    pub fn parse(raw: &[u8], is_folder: bool) -> Result<Option<Self>, PathProblem> {
        if raw.len() > MAX_PATH_BYTES {
            return Err(PathProblem::TooLong);
        }
        let text = std::str::from_utf8(raw).map_err(|_| PathProblem::NotUtf8)?;
        if text.starts_with('/') {
            return Err(PathProblem::Absolute);
        }
        let mut path = text;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        if is_folder {
            if path == "." || (path.is_empty() && !text.is_empty()) {
                return Ok(None);
            }
            path = path.strip_suffix('/').unwrap_or(path);
        }
        check_components(path)?;
        Ok(Some(Self(path.to_owned())))
    }

    /// Reads a path as a manifest names it: a file, `./` in front allowed.
    pub fn of_file(text: &str) -> Result<Self, PathProblem> {
        Self::parse(text.as_bytes(), false)?.ok_or(PathProblem::EmptyComponent)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a file system path, relative.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The folder and the name in it; the folder is empty at the top.
    pub fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// The first component, and what follows it.
    pub fn split_top(&self) -> (&str, Option<&str>) {
        match self.0.split_once('/') {
            Some((top, rest)) => (top, Some(rest)),
            None => (&self.0, None),
        }
    }
}

fn check_components(path: &str) -> Result<(), PathProblem> {
    if path.contains('\\') {
        return Err(PathProblem::Backslash);
    }
    if path.chars().any(char::is_control) {
        return Err(PathProblem::Control);
    }
    for (index, component) in path.split('/').enumerate() {
        match component {
            "" if path.starts_with('/') => return Err(PathProblem::Absolute),
            "" => return Err(PathProblem::EmptyComponent),
            "." => return Err(PathProblem::Dot),
            ".." => return Err(PathProblem::Parent),
            _ if index >= MAX_COMPONENTS => return Err(PathProblem::TooDeep),
            _ if component.len() > MAX_COMPONENT_BYTES => return Err(PathProblem::ComponentTooLong),
            _ if is_device_name(component) => return Err(PathProblem::DeviceName),
            _ => {}
        }
    }
    Ok(())
}

/// Whether Windows opens a device under this name, whatever the extension.
fn is_device_name(component: &str) -> bool {
    let stem =
        component.split(['.', ':']).next().unwrap_or(component).trim_end_matches(' ').to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| {
            matches!(n, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "\u{b9}" | "\u{b2}" | "\u{b3}")
        })
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || numbered("com")
        || numbered("lpt")
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(raw: &str) -> Result<Option<String>, PathProblem> {
        EntryPath::parse(raw.as_bytes(), false).map(|path| path.map(|p| p.0))
    }

    #[test]
    fn ordinary_paths_pass_and_leading_dots_are_dropped() {
        for (raw, path) in [
            ("a", "a"),
            ("./a/b.txt", "a/b.txt"),
            ("././a", "a"),
            ("com10/é", "com10/é"),
            ("..a/b..", "..a/b.."),
        ] {
            assert_eq!(file(raw), Ok(Some(path.to_owned())), "{raw}");
        }
    }

    #[test]
    fn the_root_is_a_folder_only() {
        for raw in ["./", ".", "././"] {
            assert_eq!(EntryPath::parse(raw.as_bytes(), true), Ok(None), "{raw}");
            assert!(file(raw).is_err(), "{raw}");
        }
        assert_eq!(EntryPath::parse(b"", true), Err(PathProblem::EmptyComponent));
    }

    #[test]
    fn a_folder_may_end_in_one_slash_and_a_file_in_none() {
        assert_eq!(EntryPath::parse(b"a/", true).map(|p| p.map(|p| p.0)), Ok(Some("a".to_owned())));
        assert_eq!(EntryPath::parse(b"a//", true), Err(PathProblem::EmptyComponent));
        assert_eq!(file("a/"), Err(PathProblem::EmptyComponent));
    }

    #[test]
    fn paths_that_escape_or_surprise_are_refused() {
        use PathProblem::*;
        let long = "x".repeat(1025);
        let deep = vec!["d"; 33].join("/");
        let wide = "x".repeat(256);
        for (raw, problem) in [
            ("/etc/passwd", Absolute),
            (".//etc", Absolute),
            ("../a", Parent),
            ("a/../b", Parent),
            ("a/..", Parent),
            ("./../a", Parent),
            ("a/./b", Dot),
            ("a//b", EmptyComponent),
            ("", EmptyComponent),
            ("a\nb", Control),
            ("a\0b", Control),
            ("a\u{7f}", Control),
            ("a\u{85}", Control),
            ("a\\b", Backslash),
            ("NUL", DeviceName),
            ("a/con.txt", DeviceName),
            ("Lpt1 .x", DeviceName),
            (&long, TooLong),
            (&deep, TooDeep),
            (&wide, ComponentTooLong),
        ] {
            assert_eq!(file(raw), Err(problem), "{raw:?}");
        }
        assert_eq!(EntryPath::parse(b"a\xff", false), Err(NotUtf8));
    }

    #[test]
    fn paths_at_the_limits_pass() {
        assert!(file(&vec!["d"; 32].join("/")).is_ok());
        assert!(file(&"x".repeat(255)).is_ok());
        assert!(file(&[&"x".repeat(255)[..]; 4].join("/")).is_ok());
    }
}

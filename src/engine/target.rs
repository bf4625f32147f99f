//! Where a staged file may go: into the workspace, but not into what only flowctl and git write there.

use std::fs::{self, Metadata};
use std::path::{Component, Path, PathBuf};

use crate::value::Digest;

/// What only flowctl and git write in a workspace, and who decides who may approve.
const RESERVED: [&str; 4] = ["artifacts", ".flowctl", GIT, crate::approvers::FILE];
/// Git's folder is its own wherever it is: a repository inside the workspace has hooks as well.
const GIT: &str = ".git";

/// Whether a staged path may be written at all.
pub(super) fn check_target(path: &str, for_workspace: bool) -> Result<(), String> {
    crate::tool::check_path(path).map_err(str::to_owned)?;
    if !for_workspace && !crate::evidence::is_document(path) {
        return Err("documents go into a folder of their own, for example `oscal/`".to_owned());
    }
    if !for_workspace && path.starts_with(crate::run::External::FOLDER) {
        return Err("`outputs/` is for outputs that are too large for a record".to_owned());
    }
    if for_workspace && let Some(name) = reserved(Path::new(path)) {
        return Err(not_for(name));
    }
    Ok(())
}

/// The digest of what is at a path of the workspace now.
pub(super) fn base_digest(workspace: &Path, path: &str) -> Result<Option<Digest>, String> {
    let target = inside(workspace, path)?;
    match fs::symlink_metadata(&target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
        Ok(found) if found.is_file() => fs::read(&target)
            .map(|bytes| Some(Digest::of(&bytes)))
            .map_err(|error| error.to_string()),
        Ok(found) if found.is_dir() => Err("there is a folder of that name".to_owned()),
        Ok(_) => Err("there is something of that name that is no file".to_owned()),
    }
}

/// The absolute target of a path. Links inside the workspace are followed, except to where nothing may
/// be published.
pub(super) fn inside(workspace: &Path, path: &str) -> Result<PathBuf, String> {
    if let Some(name) = reserved(Path::new(path)) {
        return Err(not_for(name));
    }
    let root = workspace
        .canonicalize()
        .unwrap_or_else(|_| workspace.to_owned());
    let kept: Vec<Metadata> = RESERVED
        .iter()
        .filter_map(|name| fs::metadata(root.join(name)).ok())
        .collect();
    let mut at = root.clone();
    let mut parts = Path::new(path).components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err("it is not a relative path".to_owned());
        };
        at.push(name);
        if parts.peek().is_none() {
            break;
        }
        let Ok(found) = fs::symlink_metadata(&at) else {
            continue;
        };
        let mut real = None;
        if found.is_symlink() {
            let target = at
                .canonicalize()
                .map_err(|error| format!("the link `{}` leads nowhere: {error}", at.display()))?;
            if !target.starts_with(&root) {
                return Err(format!(
                    "`{}` is a link that leads out of the workspace",
                    at.display()
                ));
            }
            real = Some(target);
        }
        // Whatever it is called: by a link, by a link in place of a reserved folder, by another
        // spelling where names know no case, or mounted twice.
        let place = real.as_ref().unwrap_or(&at);
        let own = place.ancestors().take_while(|above| *above != root);
        let own = own.filter_map(|above| fs::metadata(above).ok());
        let taken = own
            .into_iter()
            .any(|found| kept.iter().any(|kept| same(kept, &found)));
        if taken
            || place
                .strip_prefix(&root)
                .is_ok_and(|within| reserved(within).is_some())
        {
            return Err(format!(
                "`{}` is inside `artifacts/`, `.flowctl/` or `.git/`, which are not for published files",
                at.display()
            ));
        }
        at = real.unwrap_or(at);
    }
    // What is reserved may be a file, and have another name, too.
    let within = at.strip_prefix(&root).ok();
    if let Some(name) = within.and_then(reserved) {
        return Err(not_for(name));
    }
    let found = fs::metadata(&at).ok();
    if found.is_some_and(|found| kept.iter().any(|kept| same(kept, &found))) {
        return Err(format!(
            "`{}` is another name of what is not for published files",
            at.display()
        ));
    }
    Ok(at)
}

fn not_for(name: &str) -> String {
    let slash = if name == crate::approvers::FILE {
        ""
    } else {
        "/"
    };
    format!("`{name}{slash}` is not for published files")
}

/// The reserved folder that a path of the workspace is in by its name, or is.
fn reserved(path: &Path) -> Option<&'static str> {
    let mut names = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let first = names.next().unwrap_or_default();
    let is = |name: &str, reserved: &str| plain(name).eq_ignore_ascii_case(reserved);
    if let Some(reserved) = RESERVED.into_iter().find(|reserved| is(&first, reserved)) {
        return Some(reserved);
    }
    names.any(|name| is(&name, GIT)).then_some(GIT)
}

/// A name without what some file systems drop from it: HFS+ ignores invisible characters, NTFS dots
/// and spaces at the end. Git refuses the same spellings of `.git`.
fn plain(name: &str) -> String {
    let shown = name.chars().filter(|letter| {
        !matches!(letter, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
    });
    let name: String = shown.collect();
    name.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_escaping_targets_are_refused() {
        assert!(check_target("iac/x.tf", true).is_ok());
        for path in [
            "artifacts/x",
            ".git/hooks/x",
            "../x",
            "/x",
            "a/../x",
            ".GIT/config",
            "",
            "sub/.git/config",
            "sub/.GiT",
            ".git./config",
            ".g\u{200c}it/config",
            "Artifacts/x",
            ".flowctl/serve/key",
            "approvers.yaml",
            "Approvers.YAML",
        ] {
            assert!(check_target(path, true).is_err(), "{path}");
        }
        assert!(check_target("docs/approvers.yaml", true).is_ok());
    }

    #[test]
    fn links_do_not_lead_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("iac")).expect("a link");
        assert!(base_digest(dir.path(), "iac/x.tf").is_err());
        assert_eq!(base_digest(dir.path(), "other/x.tf"), Ok(None));
    }

    #[test]
    fn links_do_not_lead_to_what_is_reserved() {
        let dir = tempfile::tempdir().expect("a folder");
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, dir.path().join(name)).expect("a link");
        };
        for folder in [".git/hooks", "artifacts/runs", "sub/.git", "site/deep"] {
            fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        link(".git", "git");
        link("../.git/hooks", "site/hooks");
        link("artifacts/runs", "runs");
        link("sub/.git", "nested");
        link("git/hooks", "twice");
        link(".", "here");
        link("nowhere", "dangling");
        link("site/deep", "fine");
        fs::write(dir.path().join("site/who.yaml"), "users: {}").expect("a file");
        link("site/who.yaml", "approvers.yaml");
        for path in [
            "here/approvers.yaml",
            "site/who.yaml",
            "here/.flowctl/serve/key",
            "git/config",
            "git/hooks/pre-commit",
            "site/hooks/pre-commit",
            "runs/r/journal.jsonl",
            "nested/config",
            "twice/pre-commit",
            "here/.git/config",
            "here/here/artifacts/x",
            "dangling/x",
        ] {
            assert!(base_digest(dir.path(), path).is_err(), "{path}");
        }
        for path in ["fine/x", "here/site/x", "site/deep/x"] {
            assert_eq!(base_digest(dir.path(), path), Ok(None), "{path}");
        }
    }

    #[test]
    fn a_reserved_folder_that_is_a_link_is_reserved_where_it_leads() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("data/runs")).expect("a folder");
        std::os::unix::fs::symlink("data", dir.path().join("artifacts")).expect("a link");
        assert!(base_digest(dir.path(), "data/runs/x").is_err());
        assert_eq!(base_digest(dir.path(), "other/x"), Ok(None));
    }
}

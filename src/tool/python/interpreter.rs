//! Which Python runs the tools.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::port::Failure;

/// Where an interpreter is looked for, in this order.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// `--python`: a path, or a name on the `PATH`.
    pub python: Option<PathBuf>,
    /// `VIRTUAL_ENV`.
    pub virtual_env: Option<PathBuf>,
    /// Folders that may have a `.venv`: the flow's, the workspace.
    pub folders: Vec<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `PYENV_VERSION`.
    pub pyenv_version: Option<String>,
}

impl Search {
    /// Finds the interpreter.
    ///
    /// # Errors
    /// When there is none, and what to do then.
    pub fn find(&self) -> Result<PathBuf, Failure> {
        if let Some(python) = &self.python {
            if python.components().count() > 1 {
                return executable(python).ok_or_else(|| {
                    Failure::new(format!("`{}` is no program", python.display())).help(
                        "`--python` takes the path of an interpreter, or its name on the PATH",
                    )
                });
            }
            return self.on_path(&python.to_string_lossy()).ok_or_else(|| {
                Failure::new(format!("there is no `{}` on the PATH", python.display()))
                    .help("`--python` takes the path of an interpreter, or its name on the PATH")
            });
        }
        if let Some(dir) = self
            .virtual_env
            .as_deref()
            .filter(|dir| !dir.as_os_str().is_empty())
        {
            return in_venv(dir).ok_or_else(|| {
                Failure::new(format!(
                    "VIRTUAL_ENV is `{}`, and there is no Python in it",
                    dir.display()
                ))
                .help("activate another environment, unset it, or say `--python`")
            });
        }
        for folder in &self.folders {
            if let Some(found) = in_venv(&folder.join(".venv")) {
                return Ok(found);
            }
        }
        self.on_path("python3")
            .or_else(|| self.on_path("python"))
            .ok_or_else(|| {
                Failure::new(
                    "there is no Python: no `.venv` beside the flow, and no `python3` on the PATH",
                )
                .help("install Python 3.9 or newer, or say where it is with `--python`")
            })
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        let found = std::env::split_paths(path)
            // What is relative would mean another program in another folder.
            .filter(|dir| dir.is_absolute())
            .find_map(|dir| executable(&dir.join(name)))?;
        Some(self.behind_pyenv(&found, name).unwrap_or(found))
    }

    /// pyenv puts a shell script before every Python, which takes longer than Python itself to
    /// start. Where it would lead is looked up as it does: `PYENV_VERSION`, `.python-version` here
    /// or above, the global version. When in doubt, the script is run.
    fn behind_pyenv(&self, found: &Path, name: &str) -> Option<PathBuf> {
        let shims = found.parent()?;
        let root = shims.parent()?;
        if shims.file_name()? != "shims" || !root.join("versions").is_dir() {
            return None;
        }
        let asked = self
            .pyenv_version
            .as_deref()
            .filter(|version| !version.is_empty());
        let chosen = if let Some(version) = asked {
            version.replace(':', "\n")
        } else {
            let folder = std::path::absolute(self.folders.first()?).ok()?;
            let local = folder
                .ancestors()
                .find_map(|dir| std::fs::read_to_string(dir.join(".python-version")).ok());
            local.or_else(|| std::fs::read_to_string(root.join("version")).ok())?
        };
        let version = chosen
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))?;
        if version.contains('/') || version.starts_with('.') {
            return None;
        }
        executable(&root.join("versions").join(version).join("bin").join(name))
    }
}

fn in_venv(dir: &Path) -> Option<PathBuf> {
    ["bin/python", "bin/python3"]
        .iter()
        .find_map(|python| executable(&dir.join(python)))
}

/// The path, absolute, if a program is there. Links stay: a venv is one.
fn executable(path: &Path) -> Option<PathBuf> {
    let found = std::fs::metadata(path).ok()?;
    let may_run = found.is_file() && found.permissions().mode() & 0o111 != 0;
    may_run.then(|| std::path::absolute(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, "#!/bin/sh\n").expect("a file");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    #[test]
    fn the_order_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        let mut search = Search {
            folders: vec![at("flow"), at("workspace")],
            path: Some(at("bin").into_os_string()),
            ..Search::default()
        };
        let missing = search.find().expect_err("none");
        assert!(missing.message.contains("there is no Python"));
        program(&at("bin/python"));
        assert_eq!(search.find(), Ok(at("bin/python")));
        program(&at("bin/python3"));
        assert_eq!(search.find(), Ok(at("bin/python3")));
        program(&at("workspace/.venv/bin/python"));
        assert_eq!(search.find(), Ok(at("workspace/.venv/bin/python")));
        program(&at("flow/.venv/bin/python3"));
        assert_eq!(search.find(), Ok(at("flow/.venv/bin/python3")));
        search.virtual_env = Some(at("active"));
        assert!(
            search
                .find()
                .expect_err("none")
                .message
                .contains("VIRTUAL_ENV")
        );
        program(&at("active/bin/python"));
        assert_eq!(search.find(), Ok(at("active/bin/python")));
        search.python = Some("python".into());
        assert_eq!(search.find(), Ok(at("bin/python")));
        search.python = Some(at("bin/none"));
        assert!(
            search
                .find()
                .expect_err("none")
                .message
                .contains("is no program")
        );
    }

    #[test]
    fn what_pyenv_would_choose() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        let mut search = Search {
            folders: vec![at("work/flow")],
            path: Some(at("root/shims").into_os_string()),
            ..Search::default()
        };
        program(&at("root/shims/python3"));
        assert_eq!(search.find(), Ok(at("root/shims/python3")));
        for version in ["3.10.1", "3.11.2", "3.12.3"] {
            program(&at(&format!("root/versions/{version}/bin/python3")));
        }
        std::fs::write(at("root/version"), "3.10.1\n3.12.3\n").expect("a file");
        assert_eq!(search.find(), Ok(at("root/versions/3.10.1/bin/python3")));
        std::fs::create_dir_all(at("work/flow")).expect("a folder");
        std::fs::write(at("work/.python-version"), "# ours\n3.11.2\n").expect("a file");
        assert_eq!(search.find(), Ok(at("root/versions/3.11.2/bin/python3")));
        search.pyenv_version = Some("3.12.3:3.10.1".to_owned());
        assert_eq!(search.find(), Ok(at("root/versions/3.12.3/bin/python3")));
        // What it cannot know is left to pyenv itself.
        search.pyenv_version = Some("system".to_owned());
        assert_eq!(search.find(), Ok(at("root/shims/python3")));
    }
}

//! [`Library`]: where flow files and skill folders come from: the workspace and the binary, or a
//! run's snapshot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::builtin;

/// The largest skill folder that is read.
const MAX_SKILL_BYTES: u64 = 64 * 1024 * 1024;

/// The files of a skill: where they were found, and their bytes by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundSkill {
    /// `skills/NAME`, or `builtin:skills/NAME`.
    pub origin: String,
    /// Bytes by path below it.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Gives files, and remembers what it gave.
#[derive(Debug)]
pub struct Library {
    kind: Kind,
    flows: Mutex<BTreeMap<String, Vec<u8>>>,
    skills: Mutex<BTreeMap<String, FoundSkill>>,
}

#[derive(Debug)]
enum Kind {
    /// The workspace's own files, then those inside the binary.
    Live(PathBuf),
    /// What a run was started with.
    Kept,
}

impl Library {
    /// Reads from a workspace and from the binary.
    #[must_use]
    pub fn live(workspace: &Path) -> Self {
        Self {
            kind: Kind::Live(workspace.to_owned()),
            flows: Mutex::default(),
            skills: Mutex::default(),
        }
    }

    /// Gives what was kept, and nothing else.
    #[must_use]
    pub fn kept(flows: BTreeMap<String, Vec<u8>>, skills: BTreeMap<String, FoundSkill>) -> Self {
        Self {
            kind: Kind::Kept,
            flows: Mutex::new(flows),
            skills: Mutex::new(skills),
        }
    }

    /// A flow file's bytes.
    ///
    /// # Errors
    /// A sentence fragment.
    pub fn flow(&self, path: &str) -> Result<Vec<u8>, String> {
        let mut flows = self.flows.lock().expect("no holder panics");
        if let Some(bytes) = flows.get(path) {
            return Ok(bytes.clone());
        }
        let Kind::Live(_) = &self.kind else {
            return Err("it is not in the run's snapshot".to_owned());
        };
        let found = std::fs::metadata(path).map_err(|error| plain(&error))?;
        if found.is_dir() {
            return Err("it is a folder".to_owned());
        }
        // Reading a pipe could wait for ever. And what a run needs again when it is resumed lies in a file.
        if !found.is_file() {
            return Err("it is a pipe or a device; write the flow into a file".to_owned());
        }
        if found.len() > crate::yaml::MAX_BYTES as u64 {
            // Read just enough for the loader to refuse it by its size.
            return Ok(vec![b' '; crate::yaml::MAX_BYTES + 1]);
        }
        let bytes = std::fs::read(path).map_err(|error| plain(&error))?;
        flows.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// A file beside a flow: what was kept under the key, or what is at the path now.
    ///
    /// # Errors
    /// A sentence fragment.
    pub fn asset(&self, key: &str, path: &Path) -> Result<Vec<u8>, String> {
        let mut flows = self.flows.lock().expect("no holder panics");
        if let Some(bytes) = flows.get(key) {
            return Ok(bytes.clone());
        }
        if self.is_kept() {
            return Err("it is not in the run's snapshot".to_owned());
        }
        let bytes = read_file(path, MAX_SKILL_BYTES).map_err(|error| plain(&error))?;
        flows.insert(key.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Whether only what was kept is given.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.kind, Kind::Kept)
    }

    /// Kept files whose key begins so, by the rest of the key; none of a live workspace.
    #[must_use]
    pub fn kept_below(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        if !self.is_kept() {
            return BTreeMap::new();
        }
        let flows = self.flows.lock().expect("no holder panics");
        let below = flows.iter().filter_map(|(path, bytes)| {
            let rest = path.strip_prefix(prefix)?;
            Some((rest.to_owned(), bytes.clone()))
        });
        below.collect()
    }

    /// A skill's files; `Ok(None)` when there is no such skill.
    ///
    /// # Errors
    /// A sentence fragment, when the folder is there and cannot be read.
    pub fn skill(&self, name: &str) -> Result<Option<FoundSkill>, String> {
        if !crate::id::is_name(name) {
            return Ok(None);
        }
        let mut skills = self.skills.lock().expect("no holder panics");
        if let Some(found) = skills.get(name) {
            return Ok(Some(found.clone()));
        }
        let Kind::Live(workspace) = &self.kind else {
            return Ok(None);
        };
        let dir = workspace.join("skills").join(name);
        let found = if dir.join("skill.yaml").is_file() {
            let files = skill_files(&dir)
                .map_err(|error| format!("cannot read `{}`: {error}", dir.display()))?;
            FoundSkill {
                origin: format!("skills/{name}"),
                files,
            }
        } else {
            let prefix = format!("{name}/");
            let files: BTreeMap<String, Vec<u8>> = builtin::skills()
                .iter()
                .filter_map(|(path, bytes)| {
                    Some((path.strip_prefix(&prefix)?.to_owned(), bytes.to_vec()))
                })
                .collect();
            if !files.contains_key("skill.yaml") {
                return Ok(None);
            }
            FoundSkill {
                origin: format!("builtin:skills/{name}"),
                files,
            }
        };
        skills.insert(name.to_owned(), found.clone());
        Ok(Some(found))
    }

    /// The names of all skills.
    #[must_use]
    pub fn skill_names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.kind {
            Kind::Kept => self
                .skills
                .lock()
                .expect("no holder panics")
                .keys()
                .cloned()
                .collect(),
            Kind::Live(workspace) => {
                let own = std::fs::read_dir(workspace.join("skills"))
                    .into_iter()
                    .flatten()
                    .flatten();
                let own = own.filter(|entry| entry.path().join("skill.yaml").is_file());
                let own = own.filter_map(|entry| entry.file_name().into_string().ok());
                let builtin = builtin::skills()
                    .iter()
                    .filter_map(|(path, _)| path.strip_suffix("/skill.yaml"))
                    .map(str::to_owned);
                own.chain(builtin).collect()
            }
        };
        names.sort();
        names.dedup();
        names
    }

    /// Everything that was given so far.
    #[must_use]
    pub fn given(&self) -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, FoundSkill>) {
        (
            self.flows.lock().expect("no holder panics").clone(),
            self.skills.lock().expect("no holder panics").clone(),
        )
    }
}

/// A file that is one, and not larger than there is room for.
fn read_file(path: &Path, room: u64) -> std::io::Result<Vec<u8>> {
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    if found.len() > room {
        return Err(std::io::Error::other(format!(
            "it is larger than {} MiB",
            room >> 20
        )));
    }
    std::fs::read(path)
}

/// The files of a skill's folder, by path below it.
pub(super) fn skill_files(dir: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut room = MAX_SKILL_BYTES;
    collect(dir, "", &mut files, &mut room)?;
    Ok(files)
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn collect(
    dir: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    room: &mut u64,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let kind = entry.file_type()?;
        // Editors' and tools' leavings are no content; links could lead anywhere.
        let leaving = ["~", ".bak", ".orig", ".rej", ".swp"]
            .iter()
            .any(|end| name.ends_with(end));
        if leaving
            || name == "__pycache__"
            || name.starts_with('.') && name != ".gitignore" && name != ".terraform-docs.yml"
            || kind.is_symlink()
        {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files, room)?;
        } else {
            if !kind.is_file() {
                return Err(std::io::Error::other(format!(
                    "`{path}` is no file and no folder; take it away"
                )));
            }
            let bytes = std::fs::read(entry.path())?;
            *room = room.checked_sub(bytes.len() as u64).ok_or_else(|| {
                std::io::Error::other(format!(
                    "the folder holds more than {MAX_SKILL_BYTES} bytes"
                ))
            })?;
            files.insert(path, bytes);
        }
    }
    Ok(())
}

//! Verifying: what the evidence folder says of itself, recomputed, without anything else.
//!
//! A file is judged by itself first (its own chain, its own hash) and by the index, so that the
//! file that was changed is the one that is named. Only files that are as they were written are
//! then compared with each other.
//!
//! Files that grow are read record by record, and a bundle at a time, so that memory grows with
//! the number of files and not with what is in them.

mod alone;
mod bundle;
mod folder;
mod logs;
mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::PublicKey;
use super::bundle::{JOURNAL, MANIFEST};
use super::index::{BUNDLES, INDEX, LEDGER, LOCK, LOGS, Listed};
use super::material::is_inside;
use super::record::{Chain, Records};
use crate::store::read_regular;
use part::Part;

/// Files, on disk or in memory.
pub enum Tree {
    /// A folder.
    Disk(PathBuf),
    /// Files by path.
    Memory(BTreeMap<String, Vec<u8>>),
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to what was verified.
    pub path: String,
    /// From 1, where it is a line.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Who signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Nobody.
    Unsigned,
    /// Somebody who is trusted, by the name that the list of trusted keys gives.
    Trusted(String),
    /// A key that is not among the trusted ones, by its fingerprint.
    Unknown(String),
    /// A signature that this build cannot check.
    Unchecked,
}

/// What verifying found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong; nothing is when it is intact.
    pub findings: Vec<Finding>,
    /// Files that were looked at.
    pub files: usize,
    /// Records of node logs that were looked at.
    pub records: usize,
    /// Who signed the index; `None` when a bundle was verified alone.
    pub index: Option<Seal>,
    /// The bundles: path, run, how the run ended, who signed.
    pub bundles: Vec<(String, String, String, Seal)>,
    /// What verifying what was given cannot tell.
    pub notes: Vec<String>,
}

impl Report {
    /// What is not signed by a key that is trusted: the index, and every bundle. The index alone is
    /// not enough: whoever signs it signs what lies there by then, also what came there without a key.
    #[must_use]
    pub fn untrusted(&self) -> Vec<(&str, &Seal)> {
        let index = self.index.iter().map(|seal| (INDEX, seal));
        let bundles = self.bundles.iter();
        let bundles = bundles.map(|(path, _, _, seal)| (path.as_str(), seal));
        index
            .chain(bundles)
            .filter(|(_, seal)| !matches!(seal, Seal::Trusted(_)))
            .collect()
    }
}

impl Tree {
    /// Every file, and what is neither file nor folder, and folders with nothing in them.
    fn list(&self) -> (Vec<String>, Vec<(String, &'static str)>) {
        match self {
            Self::Memory(files) => (files.keys().cloned().collect(), Vec::new()),
            Self::Disk(root) => {
                let (mut files, mut odd) = (Vec::new(), Vec::new());
                walk(root, "", &mut files, &mut odd);
                files.sort();
                (files, odd)
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Memory(files) => files
                .get(path)
                .cloned()
                .ok_or_else(|| "it is missing".to_owned()),
            Self::Disk(root) => {
                let target = file(root, path)?;
                read_regular(&target).map_err(|error| format!("it cannot be read: {error}"))
            }
        }
    }
}

/// A file below a folder; links are none.
fn file(root: &Path, path: &str) -> Result<PathBuf, String> {
    if !is_inside(path) {
        return Err("it leads out of the folder".to_owned());
    }
    let target = root.join(path);
    match fs::symlink_metadata(&target) {
        Ok(found) if found.is_file() => Ok(target),
        Ok(_) => Err("it is no file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err("it is missing".to_owned())
        }
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<String>, odd: &mut Vec<(String, &'static str)>) {
    let mut empty = true;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        empty = false;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), &format!("{path}/"), files, odd),
            Ok(kind) if kind.is_file() => files.push(path),
            _ => odd.push((path, "it is no file and no folder")),
        }
    }
    if empty && !prefix.is_empty() {
        odd.push((prefix.to_owned(), "nobody wrote this folder"));
    }
}

/// Verifies an evidence folder, or a bundle alone. `None` when it is neither.
#[must_use]
pub fn verify(tree: &Tree, trusted: &[PublicKey]) -> Option<Report> {
    let mut check = Check {
        tree,
        trusted,
        report: Report::default(),
        bad: BTreeSet::new(),
    };
    let (files, odd) = tree.list();
    let is_bundle = files.iter().any(|path| path == MANIFEST || path == JOURNAL);
    let is_folder = [INDEX, LEDGER]
        .iter()
        .any(|name| files.iter().any(|path| path == name))
        || files
            .iter()
            .any(|path| path.starts_with(LOGS) || path.starts_with(BUNDLES));
    check.report.files = files.iter().filter(|path| *path != LOCK).count();
    for (path, message) in odd {
        check.wrong(&path, None, message);
    }
    if is_folder {
        check.folder(&files);
    } else if is_bundle {
        check.alone(&files);
    } else {
        return None;
    }
    let mut report = check.report;
    report
        .findings
        .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    report.findings.dedup();
    report.bundles.sort_by(|a, b| a.0.cmp(&b.0));
    Some(report)
}

struct Check<'a> {
    tree: &'a Tree,
    trusted: &'a [PublicKey],
    report: Report,
    /// Files that are not as they were written: nothing follows from them.
    bad: BTreeSet<String>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, path: &str, line: Option<usize>, message: impl Into<String>) {
        self.bad.insert(path.to_owned());
        self.report.findings.push(Finding {
            path: path.to_owned(),
            line,
            message: message.into(),
        });
    }

    /// A file that is as it was written.
    fn good(&mut self, path: &str) -> Option<Vec<u8>> {
        if self.bad.contains(path) {
            return None;
        }
        match self.tree.read(path) {
            Ok(bytes) => Some(bytes),
            Err(message) => {
                self.wrong(path, None, message);
                None
            }
        }
    }

    /// A file of records that is as it was written, as far as is known, to be read one by one.
    fn records(&mut self, path: &str) -> Option<Records<BufReader<Part<'a>>>> {
        if self.bad.contains(path) {
            return None;
        }
        match Part::open(self.tree, path) {
            Ok(part) => Some(Records::new(BufReader::with_capacity(16 * 1024, part))),
            Err(message) => {
                self.wrong(path, None, message);
                None
            }
        }
    }

    fn seal(&self, key: &PublicKey) -> Seal {
        match self.trusted.iter().find(|trusted| trusted.is(key)) {
            Some(trusted) => Seal::Trusted(trusted.name()),
            None => Seal::Unknown(key.fingerprint()),
        }
    }
}

/// Where a file is not what the manifest says.
fn difference(path: &str, known: &Listed, bytes: &[u8]) -> (Option<usize>, String) {
    if path.ends_with(".jsonl")
        && let Some((line, message)) = Chain::read(bytes).broken
    {
        return (Some(line), message);
    }
    if path.ends_with(JOURNAL) {
        match crate::store::verify(Path::new(path), bytes) {
            Err(crate::store::Error::Damaged { line, message, .. }) => {
                return (Some(line), message);
            }
            Ok(recovered) if recovered.torn > 0 => {
                return (
                    Some(recovered.records.len() + 1),
                    "it does not end".to_owned(),
                );
            }
            _ => {}
        }
    }
    let length = bytes.len() as u64;
    if length == known.bytes {
        (None, "its content is not what the manifest says".to_owned())
    } else {
        (
            None,
            format!(
                "it has {length} bytes, and the manifest says {}",
                known.bytes
            ),
        )
    }
}

/// The first line in which two texts differ, from 1.
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    a[..same].split(|byte| *byte == b'\n').count()
}

//! The least that leaves the same behind: the same bytes in as many files, with as many syncs.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Syncs of a run beside one for each rendered file, as `strace -f -c` counts them: the snapshot, the
/// journal's lines, the logs of the nodes, the ledger and its index, and the folders of all of these.
const SYNCS: usize = 37;

/// What a run left behind.
pub(super) struct Floor {
    /// Files of its own, by path within the run's folder.
    own: Vec<(PathBuf, Vec<u8>)>,
    /// What it added to files that it shares with other runs.
    added: Vec<(PathBuf, Vec<u8>)>,
}

/// Every file below a folder, with its content.
pub(super) fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(root).expect("it was found there");
                let bytes = std::fs::read(&path).expect("a file");
                found.push((inside.to_owned(), bytes));
            }
        }
    }
    found
}

impl Floor {
    pub(super) fn of(
        run: &Path,
        before: &[(PathBuf, Vec<u8>)],
        after: &[(PathBuf, Vec<u8>)],
    ) -> Self {
        let added = after.iter().filter_map(|(path, bytes)| {
            let old = before.iter().find(|(known, _)| known == path);
            // A log grows; the index is written anew.
            let new = match old {
                Some((_, old)) if bytes.starts_with(old) => &bytes[old.len()..],
                _ => bytes,
            };
            (!new.is_empty()).then(|| (path.clone(), new.to_vec()))
        });
        Self {
            own: tree(run),
            added: added.collect(),
        }
    }

    pub(super) fn files(&self) -> usize {
        self.own.len() + self.added.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let all = self.own.iter().chain(&self.added);
        all.map(|(_, bytes)| bytes.len()).sum()
    }

    /// Writes it all below a folder, and syncs each file, and folders for what is left of the syncs.
    pub(super) fn write(&self, root: &Path) {
        let rendered = self.own.iter().filter(|(path, _)| is_rendered(path));
        let mut syncs = SYNCS + rendered.count();
        std::fs::create_dir_all(root.join("files")).expect("a folder");
        let mut write = |path: &Path, bytes: &[u8], file: &mut File| {
            file.write_all(bytes).expect("it is written");
            if path.as_os_str() != "lock" {
                file.sync_data().expect("it is synced");
                syncs -= 1;
            }
        };
        for (path, bytes) in &self.own {
            let mut file = File::create(root.join(path)).expect("a file");
            write(path, bytes, &mut file);
        }
        let shared = root.with_file_name("evidence");
        for (path, bytes) in &self.added {
            let target = shared.join(path);
            let folder = target.parent().expect("it has one");
            std::fs::create_dir_all(folder).expect("a folder");
            let mut open = OpenOptions::new();
            let file = open.create(true).append(true).open(&target);
            write(path, bytes, &mut file.expect("a file"));
        }
        let folder = File::open(root).expect("a folder");
        for _ in 0..syncs {
            folder.sync_all().expect("it is synced");
        }
    }
}

fn is_rendered(path: &Path) -> bool {
    path.starts_with("files")
}

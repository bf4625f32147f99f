//! The other side: the least work that does the same.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads a file of JSON lines, hashes each and parses it as far as its raw data. Gives how many.
pub(crate) fn raw_pass(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("a journal");
    let mut last = 0;
    let mut before: [u8; 32] = [0; 32];
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        let parsed: Line<'_> = serde_json::from_slice(line).expect("a record");
        before = Sha256::new()
            .chain_update(before)
            .chain_update(line)
            .finalize()
            .into();
        std::hint::black_box((parsed.data, &before));
        last = parsed.seq;
    }
    last
}

/// The lines of a journal, with their newlines.
pub(crate) fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("a journal");
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

fn fresh(path: &Path) -> File {
    std::fs::remove_file(path).ok();
    OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(path)
        .expect("a file")
}

/// Appends lines one by one; `syncs` says after which a sync comes.
pub(crate) fn append(path: &Path, lines: &[Vec<u8>], syncs: impl Fn(usize) -> bool) {
    let mut file = fresh(path);
    for (number, line) in lines.iter().enumerate() {
        file.write_all(line).expect("it is written");
        if syncs(number) {
            file.sync_data().expect("it is synced");
        }
    }
}

/// Group commit: so many wait for their record to be on disk before they send the next.
pub(crate) fn group(path: &Path, records: usize, line: &[u8], waiting: usize) {
    let mut file = fresh(path);
    let (sender, queue) = mpsc::channel();
    let mut sent = 0;
    while sent < waiting.min(records) {
        sender.send(()).expect("somebody reads");
        sent += 1;
    }
    let (mut done, mut buffer) = (0, Vec::new());
    while done < records {
        queue.recv().expect("somebody writes");
        let batch = 1 + queue.try_iter().count();
        buffer.clear();
        for _ in 0..batch {
            buffer.extend_from_slice(line);
        }
        file.write_all(&buffer).expect("it is written");
        file.sync_data().expect("it is synced");
        done += batch;
        for _ in 0..batch.min(records - sent) {
            sender.send(()).expect("somebody reads");
            sent += 1;
        }
    }
}

/// Every file below a folder, with its bytes.
pub(crate) fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let below = path.strip_prefix(root).unwrap_or(&path).to_owned();
                found.push((below, bytes));
            }
        }
    }
    found.sort();
    found
}

/// Writes the same files, and syncs so often: first the files, then a journal line at a time.
pub(crate) fn write_tree(root: &Path, files: &[(PathBuf, Vec<u8>)], syncs: usize) {
    let mut left = syncs;
    for (path, bytes) in files {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder");
        }
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary).expect("a file");
        file.write_all(bytes).expect("it is written");
        if left > 0 {
            file.sync_data().expect("it is synced");
            left -= 1;
        }
        std::fs::rename(&temporary, &path).expect("it is renamed");
    }
    let folder = File::open(root).expect("a folder");
    for _ in 0..left {
        folder.sync_all().expect("it is synced");
    }
}

//! Node logs: `artifacts/evidence/runs/<Node>.jsonl`, one record per journal record that matters.
//!
//! Each record carries `prev_hash` and `hash`: SHA-256 over the RFC 8785 form of the record
//! without `hash`, chained per file from 64 zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Error, lock};
use crate::id::{NodePath, RunId};
use crate::run::Payload;
use crate::store::{Blobs, GENESIS, Layout, Record, replace, sync_dir};
use crate::value::{Digest, Object};

/// Appends what is new in a journal to the node logs, and writes evidence documents of nodes.
///
/// # Errors
/// I/O, and logs that somebody else has changed.
pub fn project(
    layout: &Layout,
    run: &RunId,
    records: &[Record],
    wanted: &dyn Fn(&NodePath) -> bool,
    blobs: &Blobs,
) -> Result<(), Error> {
    let _lock = lock(layout)?;
    let mut logs: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for record in records {
        let Ok(Some(payload)) = Payload::parse(&record.event, &record.data) else {
            continue;
        };
        let Some((path, mut body)) = entry(&payload) else {
            continue;
        };
        if !wanted(&path) {
            continue;
        }
        let mut line = Object::new();
        line.insert("v".to_owned(), json!(1));
        line.insert("run".to_owned(), json!(run));
        line.insert("seq".to_owned(), json!(record.seq));
        line.insert("ts".to_owned(), json!(record.ts.to_string()));
        line.insert("round".to_owned(), json!(record.round));
        line.insert("node".to_owned(), json!(path));
        line.insert("event".to_owned(), json!(record.event));
        line.append(&mut body);
        logs.entry(log_name(&path)).or_default().push(line);
        if let Payload::NodeSucceeded(data) = &payload {
            for file in data.evidence.iter() {
                let bytes = blobs.get(file.sha256)?;
                let target = layout.evidence().join(&file.path);
                if fs::read(&target).ok().is_none_or(|now| now != bytes) {
                    replace(&target, &bytes)?;
                }
            }
        }
    }
    let dir = layout.evidence().join("runs");
    for (name, lines) in logs {
        append(&dir.join(format!("{name}.jsonl")), run, lines)?;
    }
    Ok(())
}

/// The log of a node: all items of a `foreach` share one, and sub-flows' nodes are told apart.
fn log_name(path: &NodePath) -> String {
    let mut name = String::new();
    let mut inside = false;
    for c in path.as_str().chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            '/' => name.push('.'),
            c if !inside => name.push(c),
            _ => {}
        }
    }
    name
}

/// What a record says of a node, if it is evidence.
fn entry(payload: &Payload) -> Option<(NodePath, Object)> {
    let object = |value: Value| match value {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    Some(match payload {
        Payload::NodeSucceeded(data) => {
            let output: Value = serde_json::from_str(data.output.get()).unwrap_or(Value::Null);
            let body = json!({
                "status": "succeeded", "attempt": data.attempt, "fingerprint": data.fingerprint,
                "output_digest": data.digest, "files": &*data.files, "output": output,
            });
            (data.node.clone(), object(body))
        }
        Payload::NodeFailed(data) => (
            data.node.clone(),
            object({
                let mut body = json!({ "status": "failed", "attempt": data.attempt, "error": data.error, "final": data.retry_at.is_none() });
                if let Some(found) = &data.findings {
                    body["findings"] = serde_json::from_str(found.get()).unwrap_or(Value::Null);
                }
                body
            }),
        ),
        Payload::NodeBypassed(data) => (
            data.node.clone(),
            object(json!({ "status": "bypassed", "reason": data.reason })),
        ),
        Payload::NodeCancelled(data) => {
            (data.node.clone(), object(json!({ "status": "cancelled" })))
        }
        Payload::ApprovalRequested(data) => (
            data.node.clone(),
            object(
                json!({ "status": "waiting", "digest": data.digest, "deadline": data.deadline.map(|at| at.to_string()), "files": data.files }),
            ),
        ),
        Payload::ApprovalDecided(data) => (
            data.node.clone(),
            object(json!({ "status": data.decision, "decision": data })),
        ),
        Payload::DecisionRefused(data) => (
            data.decision.node.clone(),
            object(
                json!({ "status": "refused", "decision": data.decision, "reason": data.reason }),
            ),
        ),
        Payload::ApprovalExpired(data) => (
            data.node.clone(),
            object(
                json!({ "status": "expired", "deadline": data.deadline.to_string(), "on_timeout": data.on_timeout }),
            ),
        ),
        _ => return None,
    })
}

/// Appends the lines that are not there yet.
fn append(path: &Path, run: &RunId, lines: Vec<Object>) -> Result<(), Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(crate::store::Error::io("read", path)(error).into()),
    };
    // A line without its end was never complete; it is written again.
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let mut present = BTreeSet::new();
    let mut previous = GENESIS.to_owned();
    for (number, line) in bytes[..whole]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .enumerate()
    {
        let damaged = |message: &str| Error::Damaged {
            path: path.display().to_string(),
            line: number + 1,
            message: message.to_owned(),
        };
        let mut record: Value =
            serde_json::from_slice(line).map_err(|_| damaged("it is not JSON"))?;
        let hash = record["hash"]
            .as_str()
            .ok_or_else(|| damaged("it has no hash"))?
            .to_owned();
        if record["prev_hash"].as_str() != Some(&previous) {
            return Err(damaged("it does not follow the line before"));
        }
        if let Value::Object(record) = &mut record {
            record.shift_remove("hash");
        }
        if Digest::of_json(&record).hex() != hash {
            return Err(damaged("its hash does not match it: somebody changed it"));
        }
        previous = hash;
        if record["run"].as_str() == Some(run.as_str())
            && let Some(seq) = record["seq"].as_u64()
        {
            present.insert(seq);
        }
    }
    let mut fresh = Vec::new();
    for mut line in lines {
        if line
            .get("seq")
            .and_then(Value::as_u64)
            .is_some_and(|seq| present.contains(&seq))
        {
            continue;
        }
        line.insert("prev_hash".to_owned(), json!(previous));
        let hash = Digest::of_json(&line).hex();
        line.insert("hash".to_owned(), json!(hash));
        previous = hash;
        fresh.extend_from_slice(&serde_json::to_vec(&line).expect("JSON becomes JSON"));
        fresh.push(b'\n');
    }
    if fresh.is_empty() && whole == bytes.len() {
        return Ok(());
    }
    let written = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        file.write_all(&fresh)?;
        file.sync_all()
    };
    written().map_err(crate::store::Error::io("append to", path))?;
    if let Some(parent) = path.parent() {
        sync_dir(parent)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> Object {
        json!({ "run": "r", "seq": seq, "x": "é" })
            .as_object()
            .cloned()
            .expect("an object")
    }

    #[test]
    fn appending_twice_changes_nothing_and_torn_ends_are_mended() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("runs/QA.jsonl");
        let run = RunId::from("r");
        append(&path, &run, vec![line(1), line(2)]).expect("it is written");
        let first = fs::read(&path).expect("it is there");
        append(&path, &run, vec![line(1), line(2)]).expect("it is written");
        assert_eq!(fs::read(&path).expect("it is there"), first);
        fs::write(&path, &first[..first.len() - 5]).expect("it is torn");
        append(&path, &run, vec![line(1), line(2)]).expect("it is mended");
        assert_eq!(fs::read(&path).expect("it is there"), first);
        append(&path, &RunId::from("other"), vec![line(1)])
            .expect("another run's records are others");
        assert!(fs::read(&path).expect("it is there").len() > first.len());
    }

    #[test]
    fn nothing_is_appended_to_a_changed_log() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("runs/QA.jsonl");
        let run = RunId::from("r");
        append(&path, &run, vec![line(1), line(2)]).expect("it is written");
        let text = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, text.replacen("é", "e", 1)).expect("it is changed");
        let error = append(&path, &run, vec![line(3)]).expect_err("it is refused");
        assert!(matches!(error, Error::Damaged { line: 1, .. }), "{error}");
    }

    #[test]
    fn logs_are_named_for_nodes() {
        assert_eq!(log_name(&NodePath::from("QA")), "QA");
        assert_eq!(log_name(&NodePath::from("Scan[12]/Fix")), "Scan.Fix");
    }
}

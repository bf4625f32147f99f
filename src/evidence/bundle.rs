//! The bundle: `artifacts/evidence/bundles/<subject>/`, closed over the journal of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use super::{Error, TestCase, lock};
use crate::run::{Decision, Payload, StagedFile};
use crate::store::{Blobs, Layout, Record, RunDir, read, replace};
use crate::value::{Digest, Object};

/// A closed bundle.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Relative to the workspace.
    pub path: String,
    /// Digest of `manifest.json`.
    pub manifest: Digest,
}

/// Closes the bundle of a run that has ended.
///
/// # Errors
/// I/O.
pub fn seal(
    layout: &Layout,
    run: &RunDir,
    subject: &str,
    graph: &str,
    blobs: &Blobs,
) -> Result<Sealed, Error> {
    let _lock = lock(layout)?;
    let journal =
        fs::read(run.journal()).map_err(crate::store::Error::io("read", &run.journal()))?;
    let recovered = read(&run.journal())?;
    let story = Story::of(&recovered.records);
    // A subject is a slug already; a flow's name may be anything.
    let name = crate::slug::Slug::of(subject).to_string();
    let path = format!("artifacts/evidence/bundles/{name}");
    let dir = layout.workspace().join(&path);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    files.insert("journal.jsonl".to_owned(), journal);
    files.insert("decisions.jsonl".to_owned(), lines(&story.decisions));
    files.insert(
        "summary.md".to_owned(),
        story.summary(run, subject, graph).into_bytes(),
    );
    for file in &story.evidence {
        files.insert(file.path.clone(), blobs.get(file.sha256)?);
    }
    let digests: Object = files
        .iter()
        .map(|(path, bytes)| {
            (
                path.clone(),
                json!({ "sha256": Digest::of(bytes).hex(), "bytes": bytes.len() }),
            )
        })
        .collect();
    let manifest = json!({
        "v": 1,
        "run": run.id,
        "flow": story.flow,
        "subject": subject,
        "status": story.status,
        "started_by": story.by,
        "started_at": story.started_at,
        "ended_at": story.ended_at,
        "snapshot": story.snapshot,
        "inputs": story.inputs,
        "journal_head": recovered.records.last().map(|record| record.hash.clone()),
        "files": digests,
        "published": story.published,
        "not_reviewed": story.not_reviewed,
        "signature": "unsigned",
    });
    let bytes = pretty(&manifest);
    let digest = Digest::of(&bytes);
    keep_earlier(&dir, run)?;
    for (path, bytes) in &files {
        write(&dir.join(path), bytes)?;
    }
    // The manifest comes last: with it, the bundle is whole.
    write(&dir.join("manifest.json"), &bytes)?;
    Ok(Sealed {
        path,
        manifest: digest,
    })
}

/// Moves nothing and loses nothing: the bundle of an earlier run of the same subject is copied to
/// `history/<run>/` before it is written over. Its manifest goes last, so that a copy that has one
/// is whole.
fn keep_earlier(dir: &std::path::Path, run: &RunDir) -> Result<(), Error> {
    let Ok(manifest) = fs::read(dir.join("manifest.json")) else {
        return Ok(());
    };
    let Ok(earlier) = serde_json::from_slice::<Value>(&manifest) else {
        return Ok(());
    };
    let Some(id) = earlier["run"]
        .as_str()
        .and_then(|id| crate::id::RunId::parse(id).ok())
    else {
        return Ok(());
    };
    let history = dir.join("history").join(id.as_str());
    if id == run.id || history.join("manifest.json").is_file() {
        return Ok(());
    }
    for path in earlier["files"]
        .as_object()
        .into_iter()
        .flat_map(Object::keys)
    {
        // The manifest is ours, and yet it may have been edited: nothing is read outside.
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            continue;
        }
        if let Ok(bytes) = fs::read(dir.join(path)) {
            replace(&history.join(path), &bytes)?;
        }
    }
    Ok(replace(&history.join("manifest.json"), &manifest)?)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|now| now == bytes) {
        return Ok(());
    }
    Ok(replace(path, bytes)?)
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("JSON becomes JSON");
    bytes.push(b'\n');
    bytes
}

fn lines(values: &[Value]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| [value.to_string().into_bytes(), b"\n".to_vec()].concat())
        .collect()
}

/// What the journal tells, for people.
#[derive(Default)]
struct Story {
    flow: String,
    by: String,
    status: String,
    started_at: String,
    ended_at: String,
    snapshot: Option<Digest>,
    inputs: Object,
    nodes: Vec<(String, String, String)>,
    decisions: Vec<Value>,
    spoken: Vec<String>,
    published: Vec<StagedFile>,
    not_reviewed: Vec<String>,
    evidence: Vec<StagedFile>,
    tests: Vec<TestCase>,
}

impl Story {
    fn of(records: &[Record]) -> Self {
        let mut story = Self::default();
        for record in records {
            let Ok(Some(payload)) = Payload::parse(&record.event, &record.data) else {
                continue;
            };
            story.add(record, payload);
        }
        story
    }

    fn add(&mut self, record: &Record, payload: Payload) {
        let ts = record.ts.to_string();
        match payload {
            Payload::RunStarted(data) => {
                self.flow = data.flow;
                self.by = data.by;
                self.started_at = ts;
                self.snapshot = Some(data.snapshot);
                self.inputs = data.inputs;
            }
            Payload::NodeSucceeded(data) => {
                self.evidence
                    .retain(|file| data.evidence.iter().all(|other| other.path != file.path));
                self.evidence.extend(data.evidence.iter().cloned());
                self.note_tests(&data.output);
                self.nodes.push((
                    data.node.to_string(),
                    "succeeded".to_owned(),
                    format!("{} files", data.files.len()),
                ));
            }
            Payload::NodeFailed(data) if data.retry_at.is_none() => {
                if let Some(found) = &data.findings {
                    self.note_tests(found);
                }
                self.nodes.push((
                    data.node.to_string(),
                    "failed".to_owned(),
                    one_line(&data.error.message),
                ));
            }
            Payload::NodeBypassed(data) => self.nodes.push((
                data.node.to_string(),
                "bypassed".to_owned(),
                one_line(&data.reason),
            )),
            Payload::ApprovalDecided(data) => {
                let verb = match data.decision {
                    Decision::Approved => "approved",
                    Decision::Rejected => "rejected",
                };
                let comment = data
                    .comment
                    .as_deref()
                    .map_or_else(String::new, |comment| format!(": {}", one_line(comment)));
                self.spoken.push(format!(
                    "`{}` {verb} by {} ({}) at {}{comment}",
                    data.node, data.by, data.identity, data.at
                ));
                self.decisions.push(
                    json!({ "seq": record.seq, "ts": ts, "event": record.event, "decision": data }),
                );
            }
            Payload::DecisionRefused(data) => {
                self.spoken.push(format!(
                    "an answer of {} to `{}` was refused: {}",
                    data.decision.by,
                    data.decision.node,
                    one_line(&data.reason)
                ));
                self.decisions.push(json!({ "seq": record.seq, "ts": ts, "event": record.event, "decision": data.decision, "reason": data.reason }));
            }
            Payload::ApprovalExpired(data) => {
                self.spoken.push(format!(
                    "nobody answered `{}` by {}",
                    data.node, data.deadline
                ));
                self.decisions.push(json!({ "seq": record.seq, "ts": ts, "event": record.event, "node": data.node, "deadline": data.deadline.to_string() }));
            }
            Payload::PublishStarted(data) => {
                self.published = data.files;
                self.not_reviewed = data.not_reviewed;
            }
            Payload::RunSucceeded(_) => self.end("succeeded", ts),
            Payload::RunFailed(_) => {
                self.published.clear();
                self.end("failed", ts);
            }
            Payload::RunRejected(_) => self.end("rejected", ts),
            Payload::RunCancelled(_) => self.end("cancelled", ts),
            _ => {}
        }
    }

    fn end(&mut self, status: &str, ts: String) {
        status.clone_into(&mut self.status);
        self.ended_at = ts;
    }

    /// The last list of tests counts.
    fn note_tests(&mut self, output: &serde_json::value::RawValue) {
        let output = serde_json::from_str(output.get()).unwrap_or_default();
        if let Some(cases) = TestCase::of_output(&output) {
            self.tests = cases;
        }
    }

    fn summary(&self, run: &RunDir, subject: &str, graph: &str) -> String {
        let mut text = format!("# {}\n\n", markdown(subject));
        _ = writeln!(
            text,
            "Run `{}` of flow `{}`: **{}**.\n",
            run.id, self.flow, self.status
        );
        _ = writeln!(
            text,
            "- started by {} at {}",
            markdown(&self.by),
            self.started_at
        );
        _ = writeln!(text, "- ended at {}\n", self.ended_at);
        text.push_str("## Decisions\n\n");
        if self.spoken.is_empty() {
            text.push_str("Nobody was asked.\n");
        }
        for line in &self.spoken {
            _ = writeln!(text, "- {}", markdown(line));
        }
        text.push_str("\n## Inputs\n\n| input | value |\n|---|---|\n");
        for (name, value) in &self.inputs {
            _ = writeln!(text, "| {name} | {} |", markdown(&value.to_string()));
        }
        text.push_str("\n## Nodes\n\n| node | status | |\n|---|---|---|\n");
        for (node, status, note) in &self.nodes {
            _ = writeln!(text, "| {node} | {status} | {} |", markdown(note));
        }
        if !self.tests.is_empty() {
            let passed = self.tests.iter().filter(|case| case.passed()).count();
            _ = writeln!(
                text,
                "\n## Tests\n\n{passed} of {} passed.\n",
                self.tests.len()
            );
            for case in self.tests.iter().filter(|case| !case.passed()) {
                let (id, status) = (markdown(&case.id), markdown(&case.verdict()));
                _ = writeln!(text, "- {id}: **{status}**: {}", markdown(&case.reason));
            }
        }
        _ = writeln!(
            text,
            "\n## Published files\n\n{} files; {} of them `not reviewed`.\n",
            self.published.len(),
            self.not_reviewed.len()
        );
        for path in &self.not_reviewed {
            _ = writeln!(text, "- not reviewed: `{path}`");
        }
        _ = write!(text, "\n## Graph\n\n```mermaid\n{graph}```\n");
        text
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text of people and tools, harmless in a Markdown table.
fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '*' | '_' | '\\' => {
                safe.push('\\');
                safe.push(c);
            }
            '\n' | '\r' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    #[test]
    fn an_earlier_run_of_the_same_subject_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            replace(&dir.path().join(path), text.as_bytes()).expect("it is written");
        };
        put("journal.jsonl", "first");
        put(
            "manifest.json",
            r#"{"run":"r1","files":{"journal.jsonl":{},"../../x":{}}}"#,
        );
        let run = |id: &str| RunDir {
            id: RunId::from(id),
            path: dir.path().join(id),
        };
        keep_earlier(dir.path(), &run("r1")).expect("its own bundle is no earlier one");
        assert!(!dir.path().join("history").exists());
        keep_earlier(dir.path(), &run("r2")).expect("it is kept");
        put("journal.jsonl", "second, and torn before its manifest");
        keep_earlier(dir.path(), &run("r2")).expect("it is kept already");
        let kept = |path: &str| {
            fs::read_to_string(dir.path().join("history/r1").join(path)).unwrap_or_default()
        };
        assert_eq!(kept("journal.jsonl"), "first");
        assert!(kept("manifest.json").contains("r1"));
    }
}

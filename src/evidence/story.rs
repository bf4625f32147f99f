//! [`Story`]: what a journal tells, for the manifest and for people.

use std::fmt::Write as _;

use super::TestCase;
use super::material::documents;
use super::node_log;
use crate::id::RunId;
use crate::run::{ApprovalDecided, Payload, StagedFile};
use crate::store::Record;
use crate::value::{Digest, Object};

/// What the journal tells, for people.
#[derive(Default)]
pub(super) struct Story {
    pub(super) flow: String,
    pub(super) by: String,
    pub(super) status: String,
    pub(super) started_at: String,
    pub(super) ended_at: String,
    pub(super) snapshot: Option<Digest>,
    pub(super) inputs: Object,
    nodes: Vec<(String, String, String)>,
    /// Decisions as records, without their place in the chain.
    pub(super) decisions: Vec<Object>,
    /// Answers that counted.
    pub(super) answers: Vec<ApprovalDecided>,
    /// Those of them that are signed, by the number of their record.
    pub(super) signed: Vec<(u64, ApprovalDecided)>,
    /// Why the run ended as it did.
    because: String,
    spoken: Vec<String>,
    /// Who else had a hand in it.
    hands: Vec<String>,
    pub(super) published: Vec<StagedFile>,
    pub(super) not_reviewed: Vec<String>,
    pub(super) evidence: Vec<StagedFile>,
    tests: Vec<TestCase>,
}

impl Story {
    /// Reads a journal; `output` gives a value that is in a file of its own.
    pub(super) fn of(
        run: &RunId,
        records: &[Record],
        output: &dyn Fn(Digest) -> Option<Vec<u8>>,
    ) -> Self {
        let mut story = Self::default();
        for record in records.iter().filter(|record| node_log::may_tell(record)) {
            let Ok(Some(payload)) = Payload::parse(&record.event, &record.data) else {
                continue;
            };
            if node_log::is_decision(&payload)
                && let Some(projected) = node_log::project(run, record, &payload)
            {
                story.decisions.push(projected.body);
            }
            for document in documents(&payload) {
                story.evidence.retain(|file| file.path != document.path);
                story.evidence.push(document);
            }
            if let Payload::NodeSucceeded(data) = &payload {
                match data.external {
                    None => story.note_tests(data.output.get().as_bytes()),
                    Some(external) => {
                        story.note_tests(&output(external.sha256).unwrap_or_default());
                    }
                }
            }
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
                self.nodes.push((
                    data.node.to_string(),
                    "succeeded".to_owned(),
                    format!("{} files", data.files.len()),
                ));
            }
            Payload::NodeFailed(data) if data.retry_at.is_none() => {
                if let Some(found) = &data.findings {
                    self.note_tests(found.get().as_bytes());
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
                let verb = data.decision.word();
                let comment = data
                    .comment
                    .as_deref()
                    .map_or_else(String::new, |comment| format!(": {}", one_line(comment)));
                self.spoken.push(format!(
                    "`{}` {verb} by {} ({}) at {}{comment}",
                    data.node, data.by, data.identity, data.at
                ));
                if data.signature.is_some() {
                    self.signed.push((record.seq, data.clone()));
                }
                self.answers.push(data);
            }
            Payload::Rewound(data) => {
                // What was found out before is history.
                self.tests.clear();
                self.hands.push(format!(
                    "round {} began at `{}`, sent back by {} at {ts}",
                    data.round, data.target, data.by
                ));
            }
            Payload::DecisionRefused(data) => {
                self.spoken.push(format!(
                    "an answer of {} to `{}` was refused: {}",
                    data.decision.by,
                    data.decision.node,
                    one_line(&data.reason)
                ));
            }
            Payload::ApprovalExpired(data) => {
                self.spoken.push(format!(
                    "nobody answered `{}` by {}",
                    data.node, data.deadline
                ));
            }
            Payload::PublishStarted(data) => {
                self.published = data.files;
                self.not_reviewed = data.not_reviewed;
            }
            Payload::RunSucceeded(_) => self.end("succeeded", ts),
            Payload::RunFailed(data) => {
                self.published.clear();
                self.not_reviewed.clear();
                self.end("failed", ts);
                let node = data
                    .node
                    .map_or_else(String::new, |node| format!("`{node}`: "));
                self.because = format!("{node}{}", one_line(&data.message));
            }
            Payload::RunRejected(data) => {
                self.end("rejected", ts);
                self.because = format!("`{}`: {}", data.node, one_line(&data.reason));
            }
            Payload::RunCancelled(data) => {
                self.end("cancelled", ts);
                self.because = format!("by {}", data.by);
            }
            Payload::RunResumed(data) => self.hands.push(format!("resumed by {} at {ts}", data.by)),
            Payload::FlowChanged(data) => {
                self.hands
                    .push(format!("edited files were adopted by {} at {ts}", data.by));
            }
            _ => {}
        }
    }

    fn end(&mut self, status: &str, ts: String) {
        status.clone_into(&mut self.status);
        self.ended_at = ts;
        self.because.clear();
    }

    /// The last list of tests counts.
    fn note_tests(&mut self, output: &[u8]) {
        // Few outputs have any, and most of a long journal is outputs.
        let mut windows = output.windows(TestCase::LIST.len());
        if !windows.any(|window| window == TestCase::LIST.as_bytes()) {
            return;
        }
        let output = serde_json::from_slice(output).unwrap_or_default();
        if let Some(cases) = TestCase::of_output(&output) {
            self.tests = cases;
        }
    }

    /// The summary for people. `signature` says who signed it, or that nobody did.
    pub(super) fn summary(
        &self,
        run: &RunId,
        subject: &str,
        graph: &str,
        signature: &str,
    ) -> String {
        let mut text = format!("# {}\n\n", markdown(subject));
        _ = writeln!(
            text,
            "Run `{}` of flow `{}`: **{}**.\n",
            run, self.flow, self.status
        );
        if !self.because.is_empty() {
            _ = writeln!(text, "{}\n", markdown(&self.because));
        }
        _ = writeln!(
            text,
            "- started by {} at {}",
            markdown(&self.by),
            self.started_at
        );
        for line in &self.hands {
            _ = writeln!(text, "- {}", markdown(line));
        }
        _ = writeln!(text, "- ended at {}", self.ended_at);
        _ = writeln!(text, "- signature: {}\n", markdown(signature));
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
        for file in &self.published {
            _ = writeln!(text, "- `{}` {}", file.path, file.sha256.hex());
        }
        if !self.not_reviewed.is_empty() {
            text.push_str("\nNo approver saw these in this form:\n\n");
        }
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

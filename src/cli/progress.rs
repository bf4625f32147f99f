//! [`Progress`]: what a person sees while a run goes on: live bars on a terminal, lines elsewhere.
//! [`Objects`]: the same for an export.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output::Output;
use super::printable::printable;
use crate::engine::{Notice, Observer};
use crate::flow::show_duration;
use crate::id::NodePath;
use crate::plan::Plan;
use crate::run::{Event, Payload, RunState};

/// The observer of the command line.
pub(super) struct Progress<'o> {
    output: &'o mut Output,
    /// Bars, when a person looks on.
    live: Option<MultiProgress>,
    bars: HashMap<NodePath, ProgressBar>,
    quiet: bool,
    width: usize,
    /// Of a batch: its lines.
    lines: Option<Lines>,
}

/// The lines of a batch as one bar: what each of their nodes does would bury everything.
struct Lines {
    /// What paths of lines begin with.
    prefix: String,
    bar: ProgressBar,
    failed: u64,
}

impl Lines {
    fn of(plan: &Plan, live: Option<&MultiProgress>) -> Option<Self> {
        let root = plan.root();
        let node = root.nodes.first()?;
        let is_batch = root.inputs.keys().eq([crate::flow::ROWS])
            && node.foreach.is_some()
            && matches!(node.step, crate::plan::Step::Flow(_));
        if !is_batch {
            return None;
        }
        let bar = match live {
            Some(live) => live.add(ProgressBar::new(0)),
            None => ProgressBar::hidden(),
        };
        let template = "  {bar:30} {pos}/{len} lines  {elapsed}  {per_sec}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Some(Self {
            prefix: format!("{}[", node.name),
            bar,
            failed: 0,
        })
    }

    /// Whether an event is one of a line, and so said.
    fn takes(&mut self, event: &Event) -> bool {
        let (path, failed) = match &event.payload {
            Payload::ForeachExpanded(data) => {
                let name = self.prefix.trim_end_matches('[');
                if data.node.as_str() == name {
                    self.bar.set_length(data.items.len() as u64);
                }
                return false;
            }
            Payload::NodeSucceeded(data) => (&data.node, false),
            Payload::NodeFailed(data) => (&data.node, data.retry_at.is_none()),
            Payload::NodeStarted(data) => (&data.node, false),
            Payload::NodeBypassed(data) => (&data.node, false),
            _ => return false,
        };
        let Some(rest) = path.as_str().strip_prefix(&self.prefix) else {
            return false;
        };
        let ends = !matches!(event.payload, Payload::NodeStarted(_)) && rest.ends_with(']');
        if ends && !rest.contains('/') {
            self.bar.inc(1);
            if failed {
                self.failed += 1;
                self.bar.set_message(format!("{} failed", self.failed));
            }
        }
        true
    }
}

impl<'o> Progress<'o> {
    pub(super) fn new(output: &'o mut Output, plan: &Plan, quiet: bool) -> Self {
        let live = (output.live() && !quiet).then(MultiProgress::new);
        let width = plan
            .scopes()
            .flat_map(|scope| &scope.nodes)
            .map(|node| node.name.as_str().len())
            .max()
            .unwrap_or(0);
        Self {
            lines: Lines::of(plan, live.as_ref()),
            output,
            live,
            bars: HashMap::new(),
            quiet,
            width: width.clamp(12, 40),
        }
    }

    fn line(&mut self, text: &str) {
        match &self.live {
            Some(live) => {
                live.println(printable(text)).ok();
            }
            None => self.output.say(text),
        }
    }

    fn node(&mut self, path: &NodePath, what: &str) {
        if let Some(bar) = self.bars.remove(path) {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let width = self.width;
            self.line(&format!("  {:<width$}  {what}", path.as_str()));
        }
    }

    fn running(&mut self, path: &NodePath) {
        let Some(live) = &self.live else { return };
        let bar = live.add(ProgressBar::new_spinner());
        let template = "  {msg}  running {elapsed} {spinner}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let width = self.width;
        bar.set_message(format!("{:<width$}", printable(path.as_str())));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.bars.insert(path.clone(), bar);
    }
}

impl Observer for Progress<'_> {
    fn event(&mut self, _: &Plan, state: &RunState, event: &Event) {
        tracing::debug!(seq = event.seq, event = event.payload.word(), "journaled");
        if self.lines.as_mut().is_some_and(|lines| lines.takes(event)) {
            return;
        }
        match &event.payload {
            Payload::NodeStarted(data) => self.running(&data.node),
            Payload::NodeSucceeded(data) => {
                let took = state.find(&data.node).and_then(|id| {
                    let instance = state.instance(id);
                    Duration::try_from(instance.ended?.duration_since(instance.started?)).ok()
                });
                let took =
                    took.map_or_else(String::new, |took| format!(" in {}", show_duration(took)));
                let cached = if data.cached.is_some() {
                    ", cached"
                } else {
                    ""
                };
                let files = match data.files.len() {
                    0 => String::new(),
                    1 => ", 1 file".to_owned(),
                    count => format!(", {count} files"),
                };
                self.node(&data.node, &format!("succeeded{took}{cached}{files}"));
            }
            Payload::NodeFailed(data) => {
                let again = data
                    .retry_at
                    .map_or_else(String::new, |at| format!("; next attempt at {at}"));
                self.node(
                    &data.node,
                    &format!("failed: {}{again}", data.error.message),
                );
            }
            Payload::NodeBypassed(data) => {
                self.node(&data.node, &format!("bypassed: {}", data.reason));
            }
            Payload::NodeCancelled(data) => self.node(&data.node, "cancelled"),
            Payload::ApprovalRequested(data) => self.node(&data.node, "waits for approval"),
            Payload::ApprovalDecided(data) => {
                let verb = data.decision.word();
                self.node(&data.node, &format!("{verb} by {}", data.by));
            }
            Payload::Rewound(data) => self.node(
                &data.target,
                &format!("runs again in round {}: {}", data.round, data.feedback),
            ),
            Payload::DecisionRefused(data) => self.node(
                &data.decision.node,
                &format!("an answer was refused: {}", data.reason),
            ),
            Payload::ApprovalExpired(data) => self.node(&data.node, "nobody answered in time"),
            Payload::PublishStarted(data) if !self.quiet => {
                let files = match data.files.len() {
                    1 => "1 file".to_owned(),
                    count => format!("{count} files"),
                };
                self.line(&format!("publishing {files}"));
            }
            Payload::FlowChanged(data) => {
                for stale in &data.stale {
                    self.node(&stale.node, &format!("runs again: {}", stale.why));
                }
            }
            _ => {}
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let text = match notice {
            Notice::TornJournal { bytes } => {
                format!("warning: the last write before an interruption was incomplete; {bytes} bytes that nobody relied on were dropped")
            }
            Notice::UnreadableRequest { path, message } => format!("warning: a request cannot be read ({message}); it was put aside as `{path}`"),
            Notice::Edited { stale } if stale.is_empty() => {
                "note: the flow's files were edited since the run began; the run goes on with what it began with, and nothing that ran would change".to_owned()
            }
            Notice::Edited { stale } => {
                let nodes: Vec<String> = stale.iter().map(|(node, why)| format!("\n  {node}: {why}")).collect();
                format!(
                    "note: the flow's files were edited since the run began; the run goes on with what it began with. `--accept-changes` adopts the edit and runs again:{}",
                    nodes.concat()
                )
            }
            Notice::Stopping { running } => format!("stopping {running} running nodes; press Ctrl-C again to leave at once"),
        };
        self.line(&text);
    }
}

/// What a person sees while objects go elsewhere: one bar on a terminal, nothing elsewhere.
pub(super) struct Objects {
    bar: ProgressBar,
}

impl Objects {
    pub(super) fn new(output: &Output, quiet: bool) -> Self {
        let bar = if output.live() && !quiet {
            ProgressBar::new(0)
        } else {
            ProgressBar::hidden()
        };
        let template = "  {bar:30} {pos}/{len}  {elapsed}  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl crate::export::Observer for Objects {
    fn begin(&mut self, objects: u64) {
        self.bar.inc_length(objects);
    }

    fn done(&mut self, name: &str, _: crate::export::Outcome) {
        self.bar.inc(1);
        self.bar.set_message(printable(name).into_owned());
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(lines) = &self.lines {
            lines.bar.finish_and_clear();
        }
        for bar in self.bars.values() {
            bar.finish_and_clear();
        }
    }
}

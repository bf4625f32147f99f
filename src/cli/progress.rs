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
                let verb = match data.decision {
                    crate::run::Decision::Approved => "approved",
                    crate::run::Decision::Rejected => "rejected",
                };
                self.node(&data.node, &format!("{verb} by {}", data.by));
            }
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
        for bar in self.bars.values() {
            bar.finish_and_clear();
        }
    }
}

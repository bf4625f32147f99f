//! What a run is, for programs and for people.

use serde_json::{Value, json};

use super::output::{Output, quote};
use crate::engine::{Error, OpenRun};
use crate::id::NodePath;
use crate::value::Digest;

/// The object that `--json` prints.
///
/// # Errors
/// An output that cannot be read.
pub(super) fn json(run: &OpenRun, status: &str) -> Result<Value, Error> {
    run.report(status)
}

/// The object for a flow that is invalid.
pub(super) fn invalid(problems: &crate::diagnostic::Diagnostics) -> Value {
    json!({
        "run": null, "status": "invalid", "outputs": {}, "nodes": {}, "waiting": [],
        "error": { "message": "the flow or its inputs are invalid", "diagnostics": super::render::json(problems) },
    })
}

/// What people are told when a driver stops: where the run is, and what to type next.
pub(super) fn closing(run: &OpenRun, status: &str, output: &mut Output) {
    let id = run.id();
    match status {
        "paused" => {
            for gate in run.state.waiting() {
                let instance = run.state.instance(gate);
                let deadline = instance
                    .request
                    .as_ref()
                    .and_then(|request| request.deadline);
                let until =
                    deadline.map_or_else(String::new, |deadline| format!(" until {deadline}"));
                output.say(&format!(
                    "paused: `{}` waits for approval{until}",
                    instance.path
                ));
            }
            let one = run.state.waiting().count() == 1;
            let gate = if one { "" } else { " NODE" };
            for (what, command) in [
                ("review", format!("review {id}")),
                ("approve", format!("approve {id}{gate} --resume")),
                ("reject", format!("reject {id}{gate} --reason '…'")),
            ] {
                output.say(&format!("  {what:<8} {}", output.next(&command)));
            }
        }
        "succeeded" => {
            let files: usize = run
                .state
                .walk(&run.compiled.plan)
                .iter()
                .map(|id| run.state.instance(*id).files.len())
                .sum();
            let published = match files {
                0 => String::new(),
                1 => "; 1 file is in the workspace".to_owned(),
                files => format!("; {files} files are in the workspace"),
            };
            output.say(&format!("succeeded: run {id}{published}"));
            if let Some(bundle) = bundle(run) {
                output.say(&format!("  evidence {bundle}"));
            }
        }
        "failed" => {
            let (node, message, help) =
                run.state
                    .failure()
                    .cloned()
                    .unwrap_or((None, String::new(), None));
            let of = node
                .as_ref()
                .map_or_else(String::new, |node| format!("`{node}`: "));
            output.say(&format!("failed: {of}{message}"));
            if let Some(help) = help {
                let help = concrete(&help, id.as_str(), node.as_ref(), output);
                output.say(&format!("help: {help}"));
            }
            output.say(&format!(
                "  resume   {}",
                output.next(&format!("resume {id}"))
            ));
        }
        "rejected" => {
            let (node, by, reason) = run
                .state
                .rejection()
                .cloned()
                .unwrap_or_else(|| (crate::id::NodePath::from(""), None, String::new()));
            let by = by.map_or_else(String::new, |by| format!(" by {by}"));
            output.say(&format!("rejected{by} at `{node}`: {reason}"));
        }
        "cancelled" => output.say(&format!("cancelled: run {id}")),
        _ => {
            output.say(&format!("interrupted: run {id} can be resumed"));
            output.say(&format!(
                "  resume   {}",
                output.next(&format!("resume {id}"))
            ));
        }
    }
}

/// Help whose commands can be typed as they stand: `RUN` and `NODE` become what they stand for.
pub(super) fn concrete(help: &str, run: &str, node: Option<&NodePath>, output: &Output) -> String {
    let part = |(index, text): (usize, &str)| {
        // Every second part stands between backticks.
        let command = text.strip_prefix("flowctl ").filter(|_| index % 2 == 1);
        let Some(command) = command else {
            return text.to_owned();
        };
        let words = command.split(' ').map(|word| match (word, node) {
            ("RUN", _) => run.to_owned(),
            ("NODE", Some(node)) => quote(node.as_str()),
            _ => word.to_owned(),
        });
        output.next(&words.collect::<Vec<_>>().join(" "))
    };
    let parts: Vec<String> = help.split('`').enumerate().map(part).collect();
    parts.join("`")
}

/// Where the evidence of a run is, once it is sealed: a later run about the same may have its place.
pub(super) fn bundle(run: &OpenRun) -> Option<String> {
    let sealed = run
        .told
        .events
        .iter()
        .rev()
        .find_map(|event| match &event.payload {
            crate::run::Payload::RunSealed(data) if run.state.sealed() => Some(data),
            _ => None,
        })?;
    // Runs lie in `artifacts/runs/` of the workspace.
    let workspace = run.dir.path.ancestors().nth(3)?;
    let there = |path: &String| {
        let manifest = std::fs::read(workspace.join(path).join("manifest.json"));
        manifest.is_ok_and(|bytes| Digest::of(&bytes) == sealed.manifest)
    };
    let history = format!("{}/history/{}", sealed.bundle, run.id());
    [sealed.bundle.clone(), history].into_iter().find(there)
}

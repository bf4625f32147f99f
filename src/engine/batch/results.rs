//! [`Results`]: what came of the lines of a batch.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::engine::{Error, OpenRun};
use crate::flow::ROWS;
use crate::plan::Step;
use crate::run::{InstanceId, NodeState};
use crate::store;
use crate::value::{Object, Value};

/// Why a line has no outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 0.
    pub number: usize,
    /// The node that failed; none when the line's inputs did not fit.
    pub node: Option<String>,
    /// What it said.
    pub message: String,
}

/// What came of the lines of a batch, by number.
#[derive(Clone, Debug, Default)]
pub struct Results {
    inputs: BTreeMap<usize, Object>,
    outputs: BTreeMap<usize, Object>,
    /// Lines that failed.
    pub errors: Vec<LineError>,
    /// What aggregations said by `log_metric`.
    pub metrics: Object,
    /// Aggregations that failed, with what they said.
    pub failed_aggregations: Vec<(String, String)>,
    /// All lines, also those that have not ended.
    pub total: usize,
}

impl Results {
    /// Reads the results of a run; none when it is no batch.
    ///
    /// # Errors
    /// A record or file that is damaged or gone.
    pub fn of(run: &OpenRun) -> Result<Option<Self>, Error> {
        let plan = &run.compiled.plan;
        let is_lines = |id: InstanceId| {
            let node = run.state.node(plan, id);
            node.foreach.is_some() && matches!(node.step, Step::Flow(_))
        };
        let Some(rows) = run.started.inputs.get(ROWS).and_then(Value::as_array) else {
            return Ok(None);
        };
        let nodes: Vec<InstanceId> = (0..plan.root().nodes.len()).map(InstanceId::of).collect();
        let Some(lines) = nodes.iter().copied().find(|id| is_lines(*id)) else {
            return Ok(None);
        };
        let mut results = Self {
            total: rows.len(),
            ..Self::default()
        };
        let number = |at: usize| {
            let number = rows[at]["line_number"].as_u64();
            number
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(at)
        };
        for (at, row) in rows.iter().enumerate() {
            if let Some(inputs) = row["inputs"].as_object() {
                results.inputs.insert(number(at), inputs.clone());
            }
        }
        for (at, item) in run.state.items(lines).enumerate() {
            if let Some(Value::Object(mut output)) = run.output(item)? {
                // What aggregations read is no output of the flow.
                output.retain(|name, _| !name.starts_with("${"));
                results.outputs.insert(number(at), output);
            } else if run.state.instance(item).state == NodeState::Failed {
                results.errors.push(line_error(run, item, number(at)));
            }
        }
        for id in nodes.into_iter().filter(|id| *id != lines) {
            if let Some(about) = run.about(id)
                && let Some(metrics) = about["metrics"].as_object()
            {
                results.metrics.extend(metrics.clone());
            }
            let instance = run.state.instance(id);
            if let (NodeState::Failed, Some(error)) = (&instance.state, &instance.error) {
                let failed = (instance.path.to_string(), error.message.clone());
                results.failed_aggregations.push(failed);
            }
        }
        Ok(Some(results))
    }

    /// The numbers of the lines that have outputs.
    pub fn succeeded(&self) -> impl Iterator<Item = usize> + '_ {
        self.outputs.keys().copied()
    }

    /// A line's outputs, if it succeeded.
    #[must_use]
    pub fn outputs_of(&self, number: usize) -> Option<&Object> {
        self.outputs.get(&number)
    }

    /// A line's inputs.
    #[must_use]
    pub fn inputs_of(&self, number: usize) -> Option<&Object> {
        self.inputs.get(&number)
    }

    /// The lines that succeeded, as they are written: `line_number`, then the outputs.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let line = |(number, outputs): (&usize, &Object)| {
            let mut line = Object::new();
            line.insert("line_number".to_owned(), json!(number));
            line.extend(outputs.clone());
            Value::Object(line)
        };
        self.outputs.iter().map(line).collect()
    }

    /// The lines that failed, as they are written.
    #[must_use]
    pub fn failures(&self) -> Vec<Value> {
        let line = |error: &LineError| {
            json!({
                "line_number": error.number, "node": error.node, "message": error.message,
                "inputs": self.inputs.get(&error.number),
            })
        };
        self.errors.iter().map(line).collect()
    }

    /// Writes `outputs.jsonl`, `errors.jsonl` and `metrics.json` into a folder, each whole or not at
    /// all.
    ///
    /// # Errors
    /// I/O.
    pub fn write(&self, dir: &Path) -> Result<(), store::Error> {
        let lines = |values: Vec<Value>| {
            let mut text = String::new();
            for value in values {
                text.push_str(&value.to_string());
                text.push('\n');
            }
            text
        };
        let metrics = serde_json::to_string_pretty(&self.metrics).expect("JSON becomes text");
        for (name, text) in [
            ("outputs.jsonl", lines(self.lines())),
            ("errors.jsonl", lines(self.failures())),
            ("metrics.json", metrics + "\n"),
        ] {
            store::replace(&dir.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

/// The innermost failure of a line.
fn line_error(run: &OpenRun, item: InstanceId, number: usize) -> LineError {
    let plan = &run.compiled.plan;
    let message = |id: InstanceId| {
        let error = run.state.instance(id).error.as_ref();
        error.map_or_else(String::new, |error| error.message.clone())
    };
    let mut inside = run.state.children(plan, item);
    match inside.find(|id| run.state.instance(*id).state == NodeState::Failed) {
        Some(failed) => LineError {
            number,
            node: Some(run.state.node(plan, failed).name.to_string()),
            message: message(failed),
        },
        None => LineError {
            number,
            node: None,
            message: message(item),
        },
    }
}

//! A workspace in a temporary folder, an engine over it, and flows to run there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use flowctl::engine::{Driver, Ended, Engine, Limits, Notice, Observer, SecretsFile, Who};
use flowctl::id::RunId;
use flowctl::plan::Plan;
use flowctl::port::{Call, Effect, Failure, Host, Outcome, Port, Signature};
use flowctl::run::{Event, Payload, RunState};
use flowctl::store::Layout;
use flowctl::tool::Registration;
use flowctl::value::Object;
use serde_json::json;
use tempfile::TempDir;

use crate::measure::process_cpu;

/// A skill that hands on what it is given: the least that a pure node can do.
const STEP: &str = "name: step
kind: skill
description: Hands on what it is given.
inputs:
  value: { schema: true, description: Anything. }
outputs:
  value: { schema: true, description: The same., value: '{{ value }}' }
files: []
";

/// A workspace that goes when it is dropped.
pub(crate) struct Workspace {
    dir: TempDir,
    pub(crate) engine: Engine,
    pub(crate) runtime: tokio::runtime::Runtime,
}

/// What the environment says is nothing to a benchmark.
fn no_variable(_: &str) -> Option<String> {
    None
}

fn effect_signature() -> Signature {
    Signature {
        inputs: vec![Port::new("value", json!(true), "Anything.").optional()],
        outputs: vec![Port::new("value", json!(true), "A constant.")],
        open: false,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a tool's function")]
fn effect(_: &Call<'_>, _: &dyn Host) -> Result<Outcome, Failure> {
    Ok(Outcome {
        output: json!({ "value": 1 }),
        ..Outcome::default()
    })
}

impl Workspace {
    pub(crate) fn new() -> Self {
        // Beside the other build results: `/tmp` may be memory, and memory needs no sync.
        let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(room).expect("a folder");
        let dir = tempfile::tempdir_in(room).expect("a folder");
        let skill = dir.path().join("skills/step");
        std::fs::create_dir_all(&skill).expect("a folder");
        std::fs::write(skill.join("skill.yaml"), STEP).expect("a file");
        let mut personas: Vec<Registration> = flowctl::personas::all()
            .iter()
            .map(|persona| Registration {
                name: persona.name,
                tool: persona.tool,
                summary: persona.summary,
                effect: persona.effect,
                skills: persona.skills,
                signature: persona.signature,
                function: persona.function,
            })
            .collect();
        personas.push(Registration {
            name: "Effect",
            tool: "effect.run",
            summary: "Does nothing, and is taken for something that did.",
            effect: Effect::Effectful,
            skills: &[],
            signature: effect_signature,
            function: effect,
        });
        let engine = Engine {
            layout: Layout::new(dir.path()),
            personas,
            contracts: flowctl::contracts::schema,
            who: Who {
                user: "bench".to_owned(),
                host: "bench".to_owned(),
            },
            clock: jiff::Timestamp::now,
            secrets: SecretsFile::default(),
            signer: None,
            surroundings: flowctl::tool::Surroundings::default(),
            distance: flowctl::engine::Distance::default(),
            variable: no_variable,
        };
        // As the program makes it.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(
                std::thread::available_parallelism()
                    .map_or(2, std::num::NonZero::get)
                    .min(4),
            )
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            dir,
            engine,
            runtime,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a flow, and gives the path by which to compile it.
    pub(crate) fn flow(&self, name: &str, text: &str) -> String {
        let file = self.dir.path().join(format!("{name}.yaml"));
        std::fs::write(&file, text).expect("a file");
        file.to_string_lossy().into_owned()
    }

    /// Compiles and begins a run.
    pub(crate) fn start(&self, flow: &str, id: &str, inputs: &Object) -> Driver {
        let Ok((compiled, _)) = self.engine.compile(flow) else {
            panic!("{flow} is no valid flow");
        };
        let id = RunId::parse(id).expect("an id");
        self.engine
            .start(compiled, inputs, Some(id))
            .expect("it starts")
    }

    /// Drives a run to where it ends or pauses.
    pub(crate) fn drive(&self, driver: &mut Driver, concurrency: usize) -> (Ended, Watch) {
        let mut watch = Watch::default();
        let (_hold, stop) = tokio::sync::watch::channel(false);
        let ended = self
            .runtime
            .block_on(driver.drive(Limits::alone(concurrency), stop, &mut watch))
            .expect("it is driven");
        (ended, watch)
    }

    /// All of it: compiled, begun and driven to the end.
    pub(crate) fn run(&self, flow: &str, id: &str, concurrency: usize) -> (Ended, Watch, PathBuf) {
        let mut driver = self.start(flow, id, &Object::new());
        let (ended, watch) = self.drive(&mut driver, concurrency);
        (ended, watch, driver.dir().path.clone())
    }
}

/// When the nodes of a run began and ended.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) first: Option<(Instant, std::time::Duration)>,
    pub(crate) last: Option<(Instant, std::time::Duration)>,
    pub(crate) failed: Option<String>,
}

impl Watch {
    /// From the first start to the last success.
    pub(crate) fn took(&self) -> crate::measure::Took {
        let (first, last) = (
            self.first.expect("a node began"),
            self.last.expect("a node ended"),
        );
        crate::measure::Took {
            wall: last.0.duration_since(first.0),
            cpu: last.1.saturating_sub(first.1),
        }
    }
}

impl Observer for Watch {
    fn event(&mut self, _: &Plan, _: &RunState, event: &Event) {
        match &event.payload {
            Payload::NodeStarted(_) if self.first.is_none() => {
                self.first = Some((Instant::now(), process_cpu()));
            }
            Payload::NodeSucceeded(_) => self.last = Some((Instant::now(), process_cpu())),
            Payload::RunFailed(failed) => self.failed = Some(failed.message.clone()),
            _ => {}
        }
    }

    fn notice(&mut self, _: &Notice) {}
}

/// A chain: each node needs the one before.
pub(crate) fn chain(nodes: usize, kind: &str) -> String {
    let mut text = "name: chain\nnodes:\n".to_owned();
    for number in 0..nodes {
        let value = match number {
            0 => "'start'".to_owned(),
            number => format!("'${{N{}.output.value}}'", number - 1),
        };
        line(&mut text, &format!("N{number}"), kind, &value);
    }
    text
}

/// One node, many that need it, one that comes after all of them.
pub(crate) fn fan(width: usize, kind: &str) -> String {
    let mut text = "name: fan\nnodes:\n".to_owned();
    line(&mut text, "First", kind, "'start'");
    for number in 0..width {
        line(
            &mut text,
            &format!("N{number}"),
            kind,
            "'${First.output.value}'",
        );
    }
    let all: Vec<String> = (0..width).map(|number| format!("N{number}")).collect();
    writeln!(
        text,
        "  - {{ name: Last, type: {kind}, inputs: {{ value: end }}, after: [{}] }}",
        all.join(", ")
    )
    .expect("text");
    text
}

/// Nodes that need nothing of each other.
pub(crate) fn wide(width: usize, kind: &str) -> String {
    let mut text = "name: wide\nnodes:\n".to_owned();
    for number in 0..width {
        line(&mut text, &format!("N{number}"), kind, "'start'");
    }
    text
}

fn line(text: &mut String, name: &str, kind: &str, value: &str) {
    writeln!(
        text,
        "  - {{ name: {name}, type: {kind}, inputs: {{ value: {value} }} }}"
    )
    .expect("text");
}

/// One node per item of a list, so that a journal grows long over a small plan.
pub(crate) fn items(count: usize) -> String {
    let all: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    format!(
        "name: items\nnodes:\n  - {{ name: Each, type: skill, skill: step, foreach: [{}], inputs: {{ value: '${{item}}' }} }}\n",
        all.join(", ")
    )
}

/// A plan, as the engine compiles it.
pub(crate) fn plan(workspace: &Workspace, flow: &str) -> Arc<Plan> {
    let Ok((compiled, _)) = workspace.engine.compile(flow) else {
        panic!("{flow} is no valid flow");
    };
    compiled.plan
}

//! A workspace with the flagship flow, and its runs through the library, as the program makes them.

use std::path::{Path, PathBuf};

use flowctl::engine::{Ended, Engine, Limits, Notice, Observer, SecretsFile, Who};
use flowctl::id::RunId;
use flowctl::plan::Plan;
use flowctl::run::{Event, Payload, RunState};
use flowctl::store::Layout;
use flowctl::tool::Registration;
use flowctl::value::Object;
use serde_json::json;
use tempfile::TempDir;

const FLOW: &str = include_str!("../../flows/infra-product.yaml");

/// A workspace that goes when it is dropped, unless its folder was named.
pub(super) struct Workspace {
    folder: PathBuf,
    _scratch: Option<TempDir>,
    flow: String,
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

/// The 60 combinations.
pub(super) fn inputs(product: &str, checks: &str) -> Vec<Object> {
    let clouds = ["azure", "aws", "gcp", "oci"];
    let mut all = Vec::new();
    for subset in 1..16_u32 {
        let chosen = clouds.iter().enumerate();
        let chosen = chosen.filter(|(bit, _)| subset >> bit & 1 == 1);
        let chosen: Vec<&str> = chosen.map(|(_, cloud)| *cloud).collect();
        for class in ["public", "internal", "sensitive", "restricted"] {
            let inputs = json!({
                "product_name": product,
                "target_clouds": chosen,
                "data_classification": class,
                "qa_checks": checks,
            });
            all.push(inputs.as_object().expect("an object").clone());
        }
    }
    all
}

impl Workspace {
    pub(super) fn new(keep: Option<PathBuf>) -> Self {
        // Beside the other build results: `/tmp` may be memory, and memory needs no sync.
        let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(room).expect("a folder");
        let scratch = match &keep {
            Some(_) => None,
            None => Some(tempfile::tempdir_in(room).expect("a folder")),
        };
        let folder = keep.or_else(|| Some(scratch.as_ref()?.path().to_owned()));
        let folder = folder.expect("one of the two");
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("infra-product.yaml");
        std::fs::write(&file, FLOW).expect("a file");
        let personas = flowctl::personas::all().iter().map(|persona| Registration {
            name: persona.name,
            tool: persona.tool,
            summary: persona.summary,
            effect: persona.effect,
            skills: persona.skills,
            signature: persona.signature,
            function: persona.function,
        });
        let engine = Engine {
            layout: Layout::new(&folder),
            personas: personas.collect(),
            contracts: flowctl::contracts::schema,
            who: Who {
                user: "bench".to_owned(),
                host: "bench".to_owned(),
            },
            clock: jiff::Timestamp::now,
            secrets: SecretsFile::default(),
            signer: None,
            distance: flowctl::engine::Distance::default(),
            surroundings: flowctl::tool::Surroundings::default(),
            // What the environment says is nothing to a benchmark.
            variable: |_| None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            folder,
            _scratch: scratch,
            flow: file.to_string_lossy().into_owned(),
            engine,
            runtime,
        }
    }

    /// Runs the flow to its gate, and gives the run's folder.
    pub(super) fn run(&self, id: &str, inputs: &Object) -> PathBuf {
        let Ok((compiled, _)) = self.engine.compile(&self.flow) else {
            panic!("the flagship flow is no valid flow");
        };
        let id = RunId::parse(id).expect("an id");
        let mut driver = self
            .engine
            .start(compiled, inputs, Some(id))
            .expect("it starts");
        let (_hold, stop) = tokio::sync::watch::channel(false);
        let mut watch = Watch::default();
        let limits = Limits::alone(8);
        let ended = self
            .runtime
            .block_on(driver.drive(limits, stop, &mut watch))
            .expect("it is driven");
        assert_eq!(ended, Ended::Paused, "{:?}", watch.0);
        let run = driver.close().expect("it is closed");
        run.dir.path
    }

    /// Where the floor writes what it writes for a run.
    pub(super) fn floor(&self, id: &str) -> PathBuf {
        self.folder.join("floor").join(id)
    }

    /// The files that runs share, with what they hold.
    pub(super) fn evidence(&self) -> Vec<(PathBuf, Vec<u8>)> {
        super::floor::tree(&self.folder.join("artifacts/evidence"))
    }
}

/// Keeps what a failed run said.
#[derive(Default)]
struct Watch(Option<String>);

impl Observer for Watch {
    fn event(&mut self, _: &Plan, _: &RunState, event: &Event) {
        if let Payload::RunFailed(failed) = &event.payload {
            self.0 = Some(failed.message.clone());
        }
    }

    fn notice(&mut self, _: &Notice) {}
}

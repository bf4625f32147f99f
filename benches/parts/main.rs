//! The parts of flowctl, each against the least that does the same, in one process and in turn.
//!
//! usage: cargo bench --bench parts -- [--rounds N] [--json FILE] [--list] [ROW…]
//!
//! A harness of its own, because what counts here are ratios: the two sides of a row alternate, and
//! processor time is told apart from waiting. `docs/performance.md` says what the rows mean.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program that reports and is told what to do"
)]

mod floors;
mod measure;
mod workspace;

use std::borrow::Cow;
use std::path::Path;

use flowctl::expr::{EvalError, Head, Scope};
use flowctl::run::{Event, Payload, RunState};
use flowctl::value::{Object, Value};
use measure::{By, Row, Took, timed};
use serde_json::json;
use workspace::{Workspace, chain, fan, items, plan, wide};

const SKILL: &str = "skill, skill: step";
const EFFECT: &str = "persona, persona: Effect";
/// Syncs of one flagship run up to the pause, as `strace -f -c` counts them.
const FLAGSHIP_SYNCS: usize = 59;

type Part = (&'static str, fn(usize) -> Vec<Row>);

const PARTS: &[Part] = &[
    ("replay", replay),
    ("validate", validate),
    ("plan", planning),
    ("resolve", resolve),
    ("chain", pure_chain),
    ("fan", fan_out),
    ("effects", effects),
    ("flight", in_flight),
    ("evidence", evidence),
    ("flagship", flagship),
];

struct Options {
    rounds: usize,
    json: Option<String>,
    parts: Vec<String>,
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        rounds: 5,
        json: None,
        parts: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // What cargo itself adds.
            "--bench" => {}
            "--rounds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                options.rounds = number
                    .filter(|number| *number > 0)
                    .ok_or("--rounds takes a number from 1")?;
            }
            "--json" => options.json = Some(words.next().ok_or("--json takes a file")?),
            "--list" => {
                for (name, _) in PARTS {
                    println!("{name}");
                }
                return Ok(None);
            }
            name if PARTS.iter().any(|(part, _)| *part == name) => {
                options.parts.push(name.to_owned());
            }
            other => return Err(format!("there is no `{other}`; --list shows what there is")),
        }
    }
    Ok(Some(options))
}

fn main() -> std::process::ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => return std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("parts: {message}");
            return std::process::ExitCode::from(2);
        }
    };
    println!(
        "{:<34} {:<4} {:>12} {:>12} {:>7}  {:<9} floor",
        "part", "by", "flowctl", "floor", "ratio", "bar"
    );
    let mut rows = Vec::new();
    for (name, part) in PARTS {
        if options.parts.is_empty() || options.parts.iter().any(|wanted| wanted == name) {
            for row in part(options.rounds) {
                println!("{}", row.text());
                rows.push(row.json());
            }
        }
    }
    if let Some(path) = options.json {
        let text = serde_json::to_string_pretty(&rows).expect("JSON becomes text");
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("parts: cannot write `{path}`: {error}");
            return std::process::ExitCode::from(1);
        }
    }
    std::process::ExitCode::SUCCESS
}

fn event(record: &flowctl::store::Record) -> Event {
    let payload = Payload::parse(&record.event, &record.data).expect("it is an event");
    Event {
        seq: record.seq,
        ts: record.ts,
        round: record.round,
        payload: payload.expect("its kind is known"),
    }
}

/// A long journal, read, checked and folded.
fn replay(rounds: usize) -> Vec<Row> {
    const EVENTS: usize = 100_000;
    let workspace = Workspace::new();
    let flow = workspace.flow("items", &items(EVENTS / 2));
    let (_, watch, dir) = workspace.run(&flow, "r", 64);
    assert!(watch.failed.is_none(), "{:?}", watch.failed);
    let journal = dir.join("journal.jsonl");
    let run = workspace.engine.layout.find("r").expect("the run");
    let floor = "serde_json to RawValue, and SHA-256, of each line";
    let mut read =
        Row::new("replay: read and verify", By::Cpu, (EVENTS, "event")).floor(floor, None);
    let mut whole =
        Row::new("replay: to a run's state", By::Cpu, (EVENTS, "event")).floor(floor, Some(2.0));
    let mut fold = Row::new("fold events into a state", By::Cpu, (EVENTS, "event"));
    let records = flowctl::store::read(&journal).expect("it is whole").records;
    let events: Vec<Event> = records.iter().map(event).collect();
    drop(records);
    for _ in 0..rounds {
        let (took, found) = timed(|| flowctl::store::read(&journal).expect("it is whole"));
        assert!(found.records.len() > EVENTS);
        drop(found);
        read.ours.push(took);
        let (took, last) = timed(|| floors::raw_pass(&journal));
        assert!(last > EVENTS as u64);
        read.floors.push(took);
        whole.floors.push(took);
        let (took, open) = timed(|| workspace.engine.read_run(&run).expect("it replays"));
        whole.ours.push(took);
        let (took, state) = timed(|| {
            let mut state = RunState::new(&open.compiled.plan);
            for event in &events {
                state.apply(&open.compiled.plan, event).expect("it follows");
                state.set_durable(&open.compiled.plan, event.seq);
            }
            state
        });
        assert!(state.status() == open.state.status());
        fold.ours.push(took);
    }
    vec![read, whole, fold]
}

/// A file of 1,000 nodes: read, checked, wired and ordered.
fn validate(rounds: usize) -> Vec<Row> {
    let workspace = Workspace::new();
    let text = chain(1000, SKILL);
    let flow = workspace.flow("chain", &text);
    let mut row = Row::new("validate 1,000 nodes", By::Cpu, (1000, "node"))
        .floor("yaml_serde to its Value", Some(2.0));
    for _ in 0..rounds.max(9) {
        let (took, found) = timed(|| workspace.engine.compile(&flow).is_ok());
        assert!(found);
        row.ours.push(took);
        let (took, value) = timed(|| serde_yaml::from_str::<serde_yaml::Value>(&text));
        assert!(value.is_ok());
        row.floors.push(took);
    }
    vec![row]
}

/// Planning must cost the same per node, however many there are.
fn planning(rounds: usize) -> Vec<Row> {
    let workspace = Workspace::new();
    let mut row = Row::new("plan 100,000 nodes", By::Cpu, (100_000, "node"))
        .floor("the same per node at 1,000 nodes", Some(2.0));
    let small = workspace.flow("small", &fan(1000, SKILL));
    let large = workspace.flow("large", &fan(100_000, SKILL));
    for _ in 0..rounds.min(3) {
        let (took, _) = timed(|| plan(&workspace, &large));
        row.ours.push(took);
        let (took, ()) = timed(|| {
            for _ in 0..100 {
                plan(&workspace, &small);
            }
        });
        row.floors.push(took);
    }
    vec![row]
}

/// A scope with one value for all heads.
struct One(Value);

impl Scope for One {
    fn head(&self, _: &Head) -> Result<Cow<'_, Value>, EvalError> {
        Ok(Cow::Borrowed(&self.0))
    }

    fn inputs(&self) -> Value {
        self.0.clone()
    }

    fn env(&self) -> Value {
        Value::Null
    }
}

/// A reference with a path, a thousand times.
fn resolve(rounds: usize) -> Vec<Row> {
    const TIMES: usize = 100_000;
    let workspace = Workspace::new();
    let flow = workspace.flow(
        "refer",
        "name: refer\ninputs:\n  x: { type: object }\nnodes:\n  - { name: N, type: skill, skill: step, inputs: { value: '${inputs.x.a.b[1].c}' } }\n",
    );
    let plan = plan(&workspace, &flow);
    let binding = &plan.root().nodes[0].inputs[0].binding;
    let scope = One(json!({ "a": { "b": [1, { "c": "found" }] } }));
    let mut row = Row::new("resolve a reference with a path", By::Cpu, (TIMES, "time"))
        .floor("serde_json's pointer, and a clone", None);
    for _ in 0..rounds {
        let (took, ()) = timed(|| {
            for _ in 0..TIMES {
                let found = std::hint::black_box(binding).eval(&scope);
                assert!(found.is_ok_and(|found| found == "found"));
            }
        });
        row.ours.push(took);
        let (took, ()) = timed(|| {
            for _ in 0..TIMES {
                let found = std::hint::black_box(&scope.0).pointer("/a/b/1/c").cloned();
                assert!(found.is_some_and(|found| found == "found"));
            }
        });
        row.floors.push(took);
    }
    vec![row]
}

/// A whole run in process: compiled, journaled, durable at its end, without evidence of nodes.
fn whole_run(workspace: &Workspace, flow: &str, id: &str) -> (Took, std::path::PathBuf) {
    let (took, (_, watch, dir)) = timed(|| workspace.run(flow, id, 8));
    assert!(watch.failed.is_none(), "{:?}", watch.failed);
    (took, dir.join("journal.jsonl"))
}

fn pure_chain(rounds: usize) -> Vec<Row> {
    let workspace = Workspace::new();
    let flow = workspace.flow("chain", &chain(1000, SKILL));
    let mut row = Row::new("chain of 1,000 pure nodes, a run", By::Wall, (1000, "node"))
        .floor("append the same lines, sync once", None);
    for round in 0..rounds {
        let (took, journal) = whole_run(&workspace, &flow, &format!("r{round}"));
        row.ours.push(took);
        let lines = floors::lines(&journal);
        let (took, ()) = timed(|| {
            floors::append(&workspace.path().join("floor"), &lines, |number| {
                number + 1 == lines.len()
            });
        });
        row.floors.push(took);
    }
    vec![row]
}

fn fan_out(rounds: usize) -> Vec<Row> {
    let workspace = Workspace::new();
    let flow = workspace.flow("fan", &fan(5000, SKILL));
    let mut row = Row::new("fan-out 1 -> 5,000 -> 1, a run", By::Wall, (5002, "node"))
        .floor("append the same lines, sync three times", None);
    for round in 0..rounds {
        let (took, journal) = whole_run(&workspace, &flow, &format!("r{round}"));
        row.ours.push(took);
        let lines = floors::lines(&journal);
        let (took, ()) = timed(|| {
            floors::append(&workspace.path().join("floor"), &lines, |number| {
                [2, lines.len() - 4, lines.len() - 1].contains(&number)
            });
        });
        row.floors.push(took);
    }
    let mut flat = Row::new(
        "fan-out of 100,000, cost per node",
        By::Cpu,
        (100_000, "node"),
    )
    .floor("the same per node at 5,000", Some(1.5));
    let large = workspace.flow("large", &fan(100_000, SKILL));
    for round in 0..rounds.min(2) {
        let (took, _) = whole_run(&workspace, &large, &format!("large{round}"));
        flat.ours.push(took);
        let mut sum = Took::default();
        for part in 0..20 {
            let (took, _) = whole_run(&workspace, &flow, &format!("part{round}-{part}"));
            sum.wall += took.wall;
            sum.cpu += took.cpu;
        }
        flat.floors.push(sum);
    }
    vec![row, flat]
}

/// Lines per node in a journal: what it says of its start and of its success.
fn node_lines(journal: &Path) -> Vec<Vec<u8>> {
    let of_nodes = |line: &Vec<u8>| {
        let head = String::from_utf8_lossy(&line[..line.len().min(160)]).into_owned();
        head.contains("\"event\":\"node_")
    };
    floors::lines(journal)
        .into_iter()
        .filter(of_nodes)
        .collect()
}

/// Each node is on disk before the next begins. The work itself is nothing, so that what is left
/// is the disk and the engine.
fn effects(rounds: usize) -> Vec<Row> {
    let workspace = Workspace::new();
    let flow = workspace.flow("effects", &chain(1000, EFFECT));
    let mut row = Row::new("1,000 effects, each durable", By::Wall, (1000, "node"))
        .floor("append and fdatasync, 1,000 times", Some(1.15));
    let mut cpu = Row::new("1,000 effects, processor time", By::Cpu, (1000, "node"));
    for round in 0..rounds {
        let (_, watch, dir) = workspace.run(&flow, &format!("r{round}"), 8);
        assert!(watch.failed.is_none(), "{:?}", watch.failed);
        row.ours.push(watch.took());
        cpu.ours.push(watch.took());
        let lines = node_lines(&dir.join("journal.jsonl"));
        // A start rides along with the success before it: one write and one sync per node.
        let pairs: Vec<Vec<u8>> = lines.chunks(2).map(<[Vec<u8>]>::concat).collect();
        assert_eq!(pairs.len(), 1000);
        let (took, ()) =
            timed(|| floors::append(&workspace.path().join("floor"), &pairs, |_| true));
        row.floors.push(took);
        cpu.floors.push(took);
    }
    vec![row, cpu]
}

fn in_flight(rounds: usize) -> Vec<Row> {
    const NODES: usize = 10_000;
    let workspace = Workspace::new();
    let flow = workspace.flow("wide", &wide(NODES, EFFECT));
    let mut row = Row::new("512 effects in flight", By::Wall, (NODES, "node"))
        .floor("group commit, 512 waiting", Some(2.0));
    for round in 0..rounds.min(3) {
        let (_, watch, dir) = workspace.run(&flow, &format!("r{round}"), 512);
        assert!(watch.failed.is_none(), "{:?}", watch.failed);
        row.ours.push(watch.took());
        let lines = node_lines(&dir.join("journal.jsonl"));
        let bytes: usize = lines.iter().map(Vec::len).sum();
        let line = vec![b'x'; bytes / NODES];
        let (took, ()) =
            timed(|| floors::group(&workspace.path().join("floor"), NODES, &line, 512));
        row.floors.push(took);
    }
    vec![row]
}

/// What an auditor reads, made again from the journal.
fn evidence(rounds: usize) -> Vec<Row> {
    const NODES: usize = 200;
    let workspace = Workspace::new();
    let flow = workspace.flow("wide", &wide(NODES, EFFECT));
    let (_, watch, _) = workspace.run(&flow, "r", 64);
    assert!(watch.failed.is_none(), "{:?}", watch.failed);
    let root = workspace.engine.layout.evidence();
    let files = floors::tree(&root);
    let mut row = Row::new(
        "evidence of 200 nodes, made again",
        By::Wall,
        (NODES, "node"),
    )
    .floor("write and sync the same files", None);
    for round in 0..rounds {
        std::fs::remove_dir_all(&root).expect("it goes");
        let (took, made) = timed(|| workspace.engine.rebuild_evidence());
        assert!(made.is_ok_and(|made| !made.written.is_empty()));
        row.ours.push(took);
        let floor = workspace.path().join(format!("floor{round}"));
        let (took, ()) = timed(|| floors::write_tree(&floor, &files, 2 * files.len()));
        row.floors.push(took);
    }
    vec![row]
}

/// Every subset of the clouds with every classification.
fn products() -> Vec<Object> {
    let clouds = ["azure", "aws", "gcp", "oci"];
    let mut all = Vec::new();
    for subset in 1..16_u32 {
        let chosen: Vec<&str> = clouds
            .iter()
            .enumerate()
            .filter(|(bit, _)| subset >> bit & 1 == 1)
            .map(|(_, cloud)| *cloud)
            .collect();
        for class in ["public", "internal", "sensitive", "restricted"] {
            let inputs = json!({ "target_clouds": chosen, "data_classification": class });
            all.push(inputs.as_object().expect("an object").clone());
        }
    }
    all
}

/// The flagship flow up to its gate: 60 runs in one warm process.
fn flagship(rounds: usize) -> Vec<Row> {
    let terraform = std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .any(|dir| dir.join("terraform").is_file());
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/flows/infra-product.yaml"
    ))
    .expect("the flagship flow");
    ["full", "fast"]
        .into_iter()
        .map(|checks| {
            let name = if checks == "full" {
                "60 flagship runs to the pause"
            } else {
                "60 flagship runs, qa_checks=fast"
            };
            let mut row = Row::new(name, By::Cpu, (60, "run"))
                .floor("the same files, the same syncs", Some(3.0));
            if checks == "full" {
                row.limit = Some(10_000.0);
            }
            if terraform {
                "terraform is on the PATH, and is part of it".clone_into(&mut row.note);
            }
            for _ in 0..rounds.min(3) {
                let (ours, floor) = flagship_round(&text, checks);
                row.ours.push(ours);
                row.floors.push(floor);
            }
            row
        })
        .collect()
}

fn flagship_round(text: &str, checks: &str) -> (Took, Took) {
    let workspace = Workspace::new();
    let flow = workspace.flow("infra-product", text);
    let floor = workspace.path().join("floor");
    let (mut ours, mut theirs) = (Took::default(), Took::default());
    for (number, mut inputs) in products().into_iter().enumerate() {
        inputs.insert("qa_checks".to_owned(), json!(checks));
        let id = format!("r{number}");
        let (took, dir) = timed(|| {
            let mut driver = workspace.start(&flow, &id, &inputs);
            let (ended, watch) = workspace.drive(&mut driver, 8);
            assert!(
                ended == flowctl::engine::Ended::Paused,
                "{:?}",
                watch.failed
            );
            driver.dir().path.clone()
        });
        add(&mut ours, took);
        let files = floors::tree(&dir);
        let root = floor.join(&id);
        std::fs::create_dir_all(&root).expect("a folder");
        let (took, ()) = timed(|| floors::write_tree(&root, &files, FLAGSHIP_SYNCS));
        add(&mut theirs, took);
    }
    (ours, theirs)
}

fn add(sum: &mut Took, took: Took) {
    sum.wall += took.wall;
    sum.cpu += took.cpu;
}

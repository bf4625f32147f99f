//! What the fuzz targets of `fuzz/` do with arbitrary bytes, and what must hold whatever the bytes are.
//!
//! Here rather than there, because most doors to the outside are not public, and so that every seed
//! under `fuzz/seeds/` is tried by the ordinary tests, too. In no binary that anybody is given.
//! Main type: [`TARGETS`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Diagnostics, Source, Span};
use crate::engine::{Judge, People, Request, judge};
use crate::evidence::Tree;
use crate::expr::{Binding, EvalError, Head, Reference, Scope, Template};
use crate::flow::Flow;
use crate::id::{NodePath, RunId};
use crate::plan::{Format, Plan};
use crate::run::{ApprovalRequested, Event, Payload, RunStarted, RunState};
use crate::store::GENESIS;
use crate::terraform::Configuration;
use crate::tool::prompt::Template as Prompt;
use crate::tool::{FoundSkill, Library, Redactor, Registration, Registry, Skill};
use crate::value::{Digest, Object, Value};
use crate::yaml::{Kind, Node};

/// A target: its name, and what it does with bytes. It panics when something does not hold.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is.
pub const TARGETS: &[Target] = &[
    ("flow", flow),
    ("promptflow", promptflow),
    ("prompt", prompt),
    ("expression", expression),
    ("template", template),
    ("journal", journal),
    ("decision", decision),
    ("skill", skill),
    ("terraform", terraform),
    ("evidence", evidence),
];

/// What begins a line that names a file, in input that stands for several.
const FILE: &str = "=== ";

/// Several files in one input: `=== PATH` before each; what comes before the first is `first`.
fn files(data: &[u8], first: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let (mut name, mut content) = (first.to_owned(), Vec::new());
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Some(path) = line.strip_prefix(FILE.as_bytes()) {
            let path = String::from_utf8_lossy(path).trim().to_owned();
            found.insert(
                std::mem::replace(&mut name, path),
                std::mem::take(&mut content),
            );
        } else {
            content.extend_from_slice(line);
        }
    }
    found.insert(name, content);
    found
}

fn registry(flows: BTreeMap<String, Vec<u8>>) -> Registry {
    let personas = crate::personas::all().iter().map(|persona| Registration {
        name: persona.name,
        tool: persona.tool,
        summary: persona.summary,
        effect: persona.effect,
        skills: persona.skills,
        signature: persona.signature,
        function: persona.function,
    });
    let library = Library::kept(flows, BTreeMap::new());
    Registry::new(library, personas.collect(), crate::contracts::schema)
}

/// Diagnostics point into their files, say something, and can be shown.
fn shown(problems: &Diagnostics) {
    for problem in problems {
        let text = &problem.primary.source.text;
        assert!(problem.primary.span.start <= text.len() + 1, "{problem:?}");
        assert!(!problem.message.is_empty(), "{problem:?}");
    }
    assert!(!crate::cli::render::text(problems).is_empty());
    assert!(crate::cli::render::json(problems).is_array());
}

/// YAML → diagnostics or a plan, sub-flows included.
pub fn flow(data: &[u8]) {
    let flows = files(data, "f.yaml");
    let registry = registry(flows.clone());
    let mut problems = Diagnostics::default();
    let bytes = flows.get("f.yaml").cloned().unwrap_or_default();
    let plan = match crate::yaml::decode("f.yaml", bytes) {
        Ok(source) => Plan::compile(&source, &registry, &mut problems),
        Err(broken) => {
            problems.extend(broken);
            None
        }
    };
    assert!(plan.is_some() || problems.has_errors());
    shown(&problems);
    if let Some(plan) = plan {
        for format in [Format::Text, Format::Dot, Format::Mermaid] {
            assert!(!plan.show(format).is_empty() || plan.root().nodes.is_empty());
        }
        // A run of it can begin, and knows what is to be done.
        let state = RunState::new(&plan);
        drop(state.next(&plan, Timestamp::UNIX_EPOCH, 4));
    }
}

/// A Prompt Flow file → diagnostics or a flow, also as a batch and node by node.
pub fn promptflow(data: &[u8]) {
    let mut problems = Diagnostics::default();
    let source = match crate::yaml::decode("f/flow.dag.yaml", data.to_vec()) {
        Ok(source) => source,
        Err(broken) => return shown(&broken),
    };
    let flow = Flow::decode(&source, &mut problems);
    assert!(flow.is_some() || problems.has_errors());
    if let Some(flow) = flow {
        flow.check(&mut problems);
        for node in &flow.nodes {
            let one = flow
                .clone()
                .into_node(node.name.value.as_str(), &mut problems);
            assert!(one.is_some());
        }
        let batch = flow.into_batch();
        assert!(!batch.line.nodes.iter().any(|node| node.aggregation));
        assert_eq!(batch.whole.nodes[0].name.value, batch.lines);
    }
    shown(&problems);
}

/// A Jinja2 template: problems with places, or a text of bounded size, the same each time.
pub fn prompt(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Prompt::load("p.jinja2", &text) {
        Ok(template) => {
            let inputs = serde_json::json!({
                "a": "text", "b": [1, 2.5, null, {"k": "v"}], "c": {"x": true, "y": "z"}, "d": 7, "e": null,
            });
            let inputs = inputs.as_object().expect("it is one");
            let (first, second) = (template.render(inputs), template.render(inputs));
            assert_eq!(first, second);
        }
        Err(problems) => shown(&problems),
    }
}

/// A scope in which most names have some value.
struct World(Value);

impl Scope for World {
    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
        let missing = |message: &str| EvalError::Missing {
            head: head.to_string(),
            message: message.to_owned(),
        };
        match head {
            Head::Input(name) | Head::Env(name) => self
                .0
                .get(name)
                .map(Cow::Borrowed)
                .ok_or_else(|| missing("there is none")),
            Head::Output(node) if node.as_str() == "bypassed" => Ok(Cow::Owned(Value::Null)),
            Head::Output(_) | Head::Item => Ok(Cow::Borrowed(&self.0)),
            Head::RunId => Ok(Cow::Owned(json!("r"))),
            Head::Approval => Ok(Cow::Owned(json!({ "by": "ada", "comment": null }))),
            Head::Feedback | Head::Secret(_) => Err(missing("not here")),
        }
    }

    fn inputs(&self) -> Value {
        self.0.clone()
    }

    fn env(&self) -> Value {
        json!({ "HOME": "/home/ada" })
    }
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    World(json!({
        "x": 1, "y": [1, 2.5, "zwölf", null, true, { "z": [] }], "name": "Ada", "items": [{ "id": 1, "on": true }, { "id": 2 }],
        "deep": { "a": { "b": { "c": [[1, 2], [3]] } } }, "empty": {}, "big": 9_007_199_254_740_993_u64, "small": -1e-300,
    }))
});

/// A string of a flow file, as `Binding` sees it.
fn compiled(text: &str) -> Option<Binding> {
    let source = Arc::new(Source::new("f.yaml", text));
    let node = Node {
        span: Span::new(0, text.len()),
        kind: Kind::Text(text.to_owned()),
    };
    let mut problems = Diagnostics::default();
    let binding = Binding::compile(&node, &source, &mut problems);
    if problems.has_errors() {
        shown(&problems);
        return None;
    }
    Some(binding)
}

/// `${ … }`: what parses shows as what parses to the same, and evaluating gives a value or an error.
pub fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for text in [Cow::Borrowed(text), Cow::Owned(format!("${{{text}}}"))] {
        let Some(binding) = compiled(&text) else {
            continue;
        };
        drop(binding.eval(&*WORLD));
        drop(binding.env_names());
        let Some(reference) = binding.whole() else {
            continue;
        };
        // A node may carry the name of a head, and is shown by its short name.
        let ambiguous = matches!(&reference.head, Head::Output(node)
            if ["inputs", "env", "secrets", "run"].contains(&node.as_str()));
        if !ambiguous {
            let again = compiled(&reference.to_string());
            let again = again.as_ref().and_then(Binding::whole);
            let same =
                |again: &Reference| again.head == reference.head && again.path == reference.path;
            assert!(again.is_some_and(same), "{reference} does not parse again");
        }
    }
    if let Ok(condition) = Template::condition(text) {
        drop(condition.holds(&*WORLD));
    }
}

/// `{{ … }}`: compiles or has a problem with a place, and renders or says why not.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(binding) = compiled(text) {
        drop(binding.identity());
        drop(binding.eval(&*WORLD));
    }
}

/// A flow with everything that can happen in it, for the events of hostile journals.
const RUN: &str = include_str!("fuzzing/run.yaml");

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let sources = files(RUN.as_bytes(), "run.yaml");
    let source = crate::yaml::decode("run.yaml", sources["run.yaml"].clone());
    let source = source.expect("the seed is UTF-8");
    let mut problems = Diagnostics::default();
    let plan = Plan::compile(&source, &registry(sources), &mut problems);
    plan.unwrap_or_else(|| panic!("{}", crate::cli::render::text(&problems)))
});

fn digest(previous: &str, body: &[u8]) -> String {
    let digest = Sha256::new().chain_update(previous).chain_update(body);
    Digest::from_bytes(digest.finalize().into()).hex()
}

/// The journal reader: what it accepts is chained, by another reader's reckoning; and folding what
/// it accepts gives a state or an error. Input that begins with `#` is given the right hashes first.
pub fn journal(data: &[u8]) {
    let mut bytes = Vec::new();
    if let Some(bodies) = data.strip_prefix(b"#") {
        let mut previous = GENESIS.to_owned();
        for body in bodies.split(|byte| *byte == b'\n') {
            previous = digest(&previous, body);
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(format!(",\"hash\":\"{previous}\"}}\n").as_bytes());
        }
    } else {
        bytes.extend_from_slice(data);
    }
    let Ok(found) = crate::store::verify(Path::new("journal.jsonl"), &bytes) else {
        return;
    };
    assert_eq!(found.good + found.torn, bytes.len() as u64);
    let good = usize::try_from(found.good).expect("it is in memory");
    let lines: Vec<&[u8]> = bytes[..good]
        .strip_suffix(b"\n")
        .expect("whole lines were accepted")
        .split(|byte| *byte == b'\n')
        .collect();
    assert_eq!(lines.len(), found.records.len());
    let mut previous = GENESIS.to_owned();
    for (line, record) in lines.iter().zip(&found.records) {
        let body = line.len().checked_sub(75).expect("it was accepted");
        previous = digest(&previous, &line[..body]);
        let tail = format!(",\"hash\":\"{previous}\"}}");
        assert_eq!(line[body..], *tail.as_bytes(), "accepted, and not chained");
        assert_eq!(record.hash, previous);
    }
    let plan = &*PLAN;
    let mut state = RunState::new(plan);
    for record in &found.records {
        let Ok(payload) = Payload::parse(&record.event, &record.data) else {
            return;
        };
        let Some(payload) = payload else { continue };
        let event = Event {
            seq: record.seq,
            ts: record.ts,
            round: record.round,
            payload,
        };
        if state.apply(plan, &event).is_err() {
            return;
        }
        state.set_durable(plan, event.seq);
        drop(state.next(plan, record.ts, 4));
    }
    for id in state.walk(plan) {
        assert!(!state.word(id).is_empty());
    }
}

/// A run that waits at two gates.
static PAUSED: LazyLock<(Plan, RunState)> = LazyLock::new(|| {
    let text = "nodes:\n  - { name: Ok, type: approval, approval: { scope: dependants } }\n  - { name: Soon, type: approval, approval: { timeout: 1h, scope: dependants } }\n";
    let mut problems = Diagnostics::default();
    let source = Arc::new(Source::new("f.yaml", text));
    let plan = Plan::compile(&source, &registry(BTreeMap::new()), &mut problems);
    let plan = plan.expect("the flow is well formed");
    let mut state = RunState::new(&plan);
    let began = RunStarted {
        flow: "f".to_owned(),
        path: "f.yaml".to_owned(),
        snapshot: Digest::of(b""),
        inputs: Object::new(),
        env: Object::new(),
        by: "ada".to_owned(),
        version: "0".to_owned(),
        approvers: None,
    };
    let gate = |name: &str, deadline: Option<Timestamp>| -> Payload {
        ApprovalRequested {
            node: NodePath::from(name),
            digest: Digest::of(b"x"),
            deadline,
            on_timeout: crate::flow::Expiry::Reject,
            inputs: json!({}),
            files: Vec::new(),
            approvers: Vec::new(),
            quorum: 1,
            separation_of_duties: false,
            form: None,
        }
        .into()
    };
    let soon = Timestamp::from_second(3600).expect("a time");
    let events: [Payload; 3] = [began.into(), gate("Ok", None), gate("Soon", Some(soon))];
    for (payload, seq) in events.into_iter().zip(1..) {
        let event = Event {
            seq,
            ts: Timestamp::UNIX_EPOCH,
            round: 1,
            payload,
        };
        state.apply(&plan, &event).expect("it can follow");
        state.set_durable(&plan, seq);
    }
    (plan, state)
});

/// A file of the inbox: what is judged of it can be written, read again, and folded in.
pub fn decision(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(data) else {
        return;
    };
    let (plan, state) = &*PAUSED;
    let mut state = state.clone();
    let run = RunId::from("r");
    let now = Timestamp::from_second(60).expect("a time");
    let judging = Judge {
        plan,
        state: &state,
        run: &run,
        redactor: &Redactor::default(),
        people: &People::Anybody,
    };
    for payload in judge(&judging, &request, now) {
        let raw = payload.to_raw().expect("it becomes JSON");
        let again = Payload::parse(payload.word(), &raw).expect("what was written can be read");
        let seq = state.last_seq() + 1;
        let event = Event {
            seq,
            ts: now,
            round: 1,
            payload: again.expect("the kind is known"),
        };
        state.apply(plan, &event).expect("what was judged follows");
        state.set_durable(plan, seq);
    }
    assert!(state.knows_decision(request.id()) || state.cancelling().is_some());
    drop(state.next(plan, now, 4));
}

/// A skill folder: problems, or a skill that renders files inside the workspace, or says why not.
pub fn skill(data: &[u8]) {
    let found = FoundSkill {
        origin: "skills/fuzz".to_owned(),
        files: files(data, "skill.yaml"),
    };
    match Skill::load("fuzz", found, crate::contracts::schema) {
        Err(problems) => {
            assert!(problems.has_errors());
            shown(&problems);
        }
        Ok(skill) => {
            let inputs = skill.signature().inputs.iter().map(|port| {
                let value = WORLD.0.get(&port.name).cloned();
                (port.name.clone(), value.unwrap_or(Value::Null))
            });
            if let Ok(outcome) = skill.render(&inputs.collect()) {
                for file in &outcome.files {
                    assert!(
                        !file.path.starts_with('/')
                            && !file.path.split('/').any(|part| part == ".."),
                        "{} is outside",
                        file.path
                    );
                }
            }
        }
    }
}

/// Terraform files: problems, or a plan in Terraform's form, the same each time.
pub fn terraform(data: &[u8]) {
    let files = files(data, "main.tf");
    let texts = files
        .iter()
        .filter_map(|(path, bytes)| Some((path.as_str(), std::str::from_utf8(bytes).ok()?)));
    match Configuration::read(texts) {
        Err(problems) => assert!(
            problems
                .iter()
                .all(|problem| !problem.message.contains('\n'))
        ),
        Ok(configuration) => {
            let plan = crate::terraform::Plan::of(&configuration, "");
            assert!(plan.to_json()["resource_changes"].is_array());
            assert!(
                plan == crate::terraform::Plan::of(&configuration, ""),
                "two plans of one configuration differ"
            );
        }
    }
}

/// An evidence folder: a report, or nothing to report on.
pub fn evidence(data: &[u8]) {
    let mut files = files(data, "");
    files.remove("");
    if let Some(report) = crate::evidence::verify(&Tree::Memory(files), &[]) {
        let said = |finding: &crate::evidence::Finding| !finding.message.is_empty();
        assert!(report.findings.iter().all(said));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mutated inputs for each target.
    const MUTANTS: usize = 2_000;
    /// What parsers trip over.
    const TOKENS: [&[u8]; 12] = [
        b"${",
        b"{{",
        b"{%",
        b"\"",
        b"\n",
        b"\0",
        b"\xff",
        b"-9223372036854775809",
        b"1e999",
        b"[[[[[[[[",
        b"&a *a",
        b"\\u0000",
    ];

    /// xorshift64*: the same inputs each time, so that what fails here fails again.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let thrown = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
            usize::try_from(thrown).expect("31 bits fit") % limit.max(1)
        }

        fn mutant(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
            let mut bytes = seeds[self.below(seeds.len())].clone();
            for _ in 0..=self.below(4) {
                let (at, end) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
                let range = at.min(end)..at.max(end).min(at.min(end) + 64);
                match self.below(5) {
                    0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                    1 => drop(bytes.drain(range)),
                    2 => {
                        let twice = bytes[range.clone()].to_vec();
                        bytes.splice(range.start..range.start, twice);
                    }
                    3 => {
                        let other = &seeds[self.below(seeds.len())];
                        let from = self.below(other.len() + 1);
                        bytes.splice(at.., other[from..].iter().copied());
                    }
                    _ => {
                        let token = TOKENS[self.below(TOKENS.len())];
                        bytes.splice(at..at, token.iter().copied());
                    }
                }
            }
            bytes
        }
    }

    fn seeds(name: &str) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(name);
        let found = std::fs::read_dir(&dir).expect("every target has seeds");
        let mut seeds: Vec<_> = found
            .flatten()
            .map(|entry| {
                let bytes = std::fs::read(entry.path()).expect("it can be read");
                (entry.path(), bytes)
            })
            .collect();
        assert!(!seeds.is_empty(), "{} holds seeds", dir.display());
        seeds.sort();
        seeds
    }

    #[test]
    fn every_seed_is_taken() {
        for (name, target) in TARGETS {
            for (path, bytes) in seeds(name) {
                let held = std::panic::catch_unwind(|| target(&bytes));
                assert!(held.is_ok(), "{}", path.display());
            }
        }
    }

    #[test]
    fn every_mutant_is_taken() {
        for (name, target) in TARGETS {
            let seeds: Vec<Vec<u8>> = seeds(name).into_iter().map(|(_, bytes)| bytes).collect();
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
            for _ in 0..MUTANTS {
                let bytes = dice.mutant(&seeds);
                let held = std::panic::catch_unwind(|| target(&bytes));
                let shown = String::from_utf8_lossy(&bytes);
                assert!(held.is_ok(), "{name}: {}", shown.escape_debug());
            }
        }
    }
}

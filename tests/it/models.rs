//! Personas whose output a model proposes, over the real program and a local server of chats.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Test, until};
use crate::server::{Server, reply};

const SKILL: &str = "name: Notes
kind: persona
description: Says what a topic is.
runtime: tera
inputs:
  topic: { schema: { type: string }, description: What it is about. }
outputs:
  notes:
    schema:
      type: object
      properties:
        title: { type: string, minLength: 3 }
        points: { type: array, items: { $ref: '#/$defs/point' } }
        file: { type: string }
      required: [title, points, file]
      additionalProperties: false
      $defs: { point: { type: string, maxLength: 20 } }
    value: { title: 'On {{ topic }}', points: [], file: 'docs/{{ topic }}.md' }
files:
  - source: notes.md.tera
    target: docs/{{ topic }}.md
";

const FLOW: &str = "name: noted
inputs:
  topic: { type: string, default: tea }
nodes:
  - name: Notes
    type: persona
    evidence: true
    model:
      connection: local
      model: m-1
      parameters: { temperature: 0, seed: '7' }
      charter: charter.md
outputs:
  notes: ${Notes.output.notes}
";

const KEY: &str = "sk-hush-hush-hush";

fn test(server: &Server) -> Test {
    at(&server.url("/v1"))
}

fn at(url: &str) -> Test {
    Test::new()
        .file("skills/Notes/skill.yaml", SKILL)
        .file("skills/Notes/notes.md.tera", "# {{ topic }}\n")
        .file("charter.md", "Add what everybody should know.\n")
        .file("flow.yaml", FLOW)
        .file(
            "connections.yaml",
            format!("local:\n  type: openai_compatible\n  base_url: {url}\n  api_key: ${{env:CHAT_KEY}}\n"),
        )
        .env("CHAT_KEY", KEY)
}

fn said(text: &str) -> String {
    let answer = json!({
        "model": "m-1-2026", "usage": { "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8 },
        "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
    });
    answer.to_string()
}

/// A server that says these in order, and the last again and again.
fn chat(answers: Vec<Value>) -> Server {
    Server::start(move |_, number, stream| {
        let answer = answers.get(number).or(answers.last()).unwrap();
        let text = answer
            .as_str()
            .map_or_else(|| answer.to_string(), str::to_owned);
        let kind = "content-type: application/json\r\n";
        reply(stream, "200 OK", kind, said(&text).as_bytes());
    })
}

fn good() -> Value {
    json!({ "notes": { "title": "All of tea", "points": ["leaves", "water"], "file": "docs/tea.md" } })
}

fn bad() -> Value {
    json!({ "notes": { "title": "T", "points": ["leaves"], "file": "docs/tea.md" }, "more": 1 })
}

/// The data of the first such event.
#[track_caller]
fn event(test: &Test, name: &str) -> Value {
    let mut events = test.events("r").into_iter();
    let found = events.find(|record| record["event"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))["data"].take()
}

#[test]
fn a_proposal_within_the_contract_is_the_output() {
    let server = chat(vec![good()]);
    let test = test(&server);
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0);
    assert_eq!(ran.json()["outputs"]["notes"], good()["notes"]);
    // Files are the code's.
    assert_eq!(test.read("docs/tea.md"), "# tea\n");

    let received = server.received();
    assert_eq!(received.len(), 1);
    let asked = &received[0];
    assert_eq!(asked.target, "/v1/chat/completions");
    let bearer = format!("Bearer {KEY}");
    assert_eq!(asked.header("authorization"), Some(bearer.as_str()));
    let body = asked.json();
    assert_eq!(body["model"], "m-1");
    assert_eq!(body["seed"], 7);
    assert_eq!(body["temperature"], 0.0);
    let format = &body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["name"], "output");
    let schema = &format["json_schema"]["schema"];
    assert_eq!(schema["required"], json!(["notes"]));
    assert_eq!(
        schema["properties"]["notes"]["properties"]["points"]["items"]["$ref"],
        "#/$defs/notes.point"
    );
    assert_eq!(schema["$defs"]["notes.point"]["maxLength"], 20);
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(
        system.starts_with("Add what everybody should know.\n\n"),
        "{system}"
    );
    let given: Value =
        serde_json::from_str(body["messages"][1]["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        given,
        json!({
            "inputs": { "topic": "tea" },
            "draft": { "notes": { "title": "On tea", "points": [], "file": "docs/tea.md" } },
            "files": ["docs/tea.md"],
        })
    );

    let about = event(&test, "node_succeeded")["about"].take();
    assert_eq!(about["decision"], "accepted");
    assert_eq!(about["connection"], "local");
    assert_eq!(
        about["parameters"],
        json!({ "model": "m-1", "temperature": 0.0, "seed": 7 })
    );
    assert_eq!(about["prompt"], body["messages"]);
    assert!(
        about["prompt_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    let answer = &about["answers"][0];
    assert_eq!(answer["answer"], good().to_string());
    assert_eq!(answer["model"], "m-1-2026");
    assert_eq!(answer["usage"]["total_tokens"], 8);
    assert_eq!(answer["violations"], json!([]));
    assert_eq!(about["answers"].as_array().unwrap().len(), 1);

    // It is evidence, and done is done.
    let log = test.read("artifacts/evidence/runs/Notes.jsonl");
    assert!(log.contains("\"decision\":\"accepted\""), "{log}");
    test.output(["evidence", "verify"]).exits(0);
    test.output(["resume", "r"]).exits(0);
    assert_eq!(server.received().len(), 1);
}

#[test]
fn an_answer_that_breaks_the_contract_is_repaired_once() {
    let fenced = format!("```json\n{}\n```", good());
    for (first, told) in [
        (bad(), "`notes.title`: "),
        (json!("I would rather not."), "the answer is no JSON: "),
        (json!("[]"), "the answer is no JSON object"),
        (
            json!({ "notes": { "title": "Tea!", "points": [], "file": "docs/else.md" } }),
            "`notes.file` is about a file and must stay `docs/tea.md`",
        ),
    ] {
        let server = chat(vec![first.clone(), json!(fenced)]);
        let test = test(&server);
        let ran = test
            .output(["run", "flow.yaml", "--run-id", "r", "--json"])
            .exits(0);
        assert_eq!(ran.json()["outputs"]["notes"], good()["notes"]);
        let received = server.received();
        let messages = received[1].json()["messages"].take();
        let messages = messages.as_array().unwrap();
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[2]["role"], "assistant");
        let content = messages[3]["content"].as_str().unwrap();
        assert!(content.contains(told), "{content}");
        assert_ne!(
            received[0].header("idempotency-key"),
            received[1].header("idempotency-key")
        );
        let about = event(&test, "node_succeeded")["about"].take();
        assert_eq!(about["decision"], "repaired");
        let violation = about["answers"][0]["violations"][0].as_str().unwrap();
        assert!(violation.contains(told.trim_end()), "{violation}");
    }
}

#[test]
fn a_second_answer_that_breaks_the_contract_fails_the_node() {
    let server = chat(vec![bad()]);
    let test = test(&server);
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    let message = "failed: `Notes`: what the model `m-1` proposed breaks the contract, also after it was told: `notes.title`: \"T\" is shorter than 3 characters, and 1 more";
    assert!(ran.stderr.contains(message), "{ran:?}");
    assert!(ran.stderr.contains("on_invalid: draft"), "{ran:?}");
    assert_eq!(server.received().len(), 2);
    assert!(!test.exists("docs/tea.md"));
    // Both answers are there to look at.
    let found = event(&test, "node_failed")["findings"].take();
    assert_eq!(found["decision"], "refused");
    assert_eq!(found["answers"].as_array().unwrap().len(), 2);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn or_what_its_own_code_gave_is_taken() {
    let server = chat(vec![bad()]);
    let test = test(&server);
    test.edit(
        "flow.yaml",
        "model: m-1",
        "on_invalid: draft\n      deployment: m-1",
    );
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0);
    let draft = json!({ "title": "On tea", "points": [], "file": "docs/tea.md" });
    assert_eq!(ran.json()["outputs"]["notes"], draft);
    assert_eq!(server.received().len(), 2);
    let about = event(&test, "node_succeeded")["about"].take();
    assert_eq!(about["decision"], "draft");
    assert_eq!(about["answers"].as_array().unwrap().len(), 2);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_run_that_failed_asks_again_and_one_of_other_settings_is_another() {
    let server = chat(vec![bad(), bad(), good()]);
    let test = test(&server);
    let fingerprint = |test: &Test| event(test, "node_succeeded")["fingerprint"].take();
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    test.output(["resume", "r"]).exits(0);
    let before = fingerprint(&test);
    assert_eq!(server.received().len(), 3);
    assert_eq!(
        event(&test, "node_succeeded")["about"]["decision"],
        "accepted"
    );

    std::fs::remove_dir_all(test.path("artifacts")).unwrap();
    test.edit("flow.yaml", "temperature: 0", "temperature: 1");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    assert!(before.is_string(), "{before}");
    assert_ne!(fingerprint(&test), before);
}

#[test]
fn a_server_that_is_not_there_is_said_to_be() {
    let gone = Server::saying("200 OK", "", "").url("/v1");
    let test = at(&gone);
    test.edit(
        "flow.yaml",
        "type: persona",
        "type: persona\n    timeout: 2s",
    );
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    assert!(ran.stderr.contains("`Notes`"), "{ran:?}");
    assert!(!test.exists("docs/tea.md"));

    // One that refuses the key is not asked again.
    let server = Server::saying(
        "401 Unauthorized",
        "content-type: application/json\r\n",
        "{\"error\": {\"message\": \"no such key: sk-hush-hush-hush\"}}",
    );
    let test = self::test(&server);
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    assert!(
        ran.stderr
            .contains("answered 401 Unauthorized: no such key: [secret]"),
        "{ran:?}"
    );
    assert_eq!(server.received().len(), 1);
}

#[test]
fn waiting_ends_with_the_timeout_and_with_the_run() {
    let slow = || {
        Server::start(|_, _, stream| {
            std::thread::sleep(Duration::from_secs(25));
            reply(stream, "200 OK", "", b"{}");
        })
    };
    let server = slow();
    let test = test(&server);
    test.edit(
        "flow.yaml",
        "type: persona",
        "type: persona\n    timeout: 1s",
    );
    let begun = Instant::now();
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(
        ran.stderr
            .contains("it took longer than its timeout of 1.0s"),
        "{ran:?}"
    );

    let server = slow();
    let test = self::test(&server);
    let begun = Instant::now();
    let running = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the model is asked", || !server.received().is_empty());
    test.output(["cancel", "r"]).exits(0);
    let ran = running.wait();
    assert!(begun.elapsed() < Duration::from_secs(15), "{ran:?}");
    assert_ne!(ran.code, 0);
    assert_eq!(server.received().len(), 1);
    assert_eq!(test.count("r", "node_succeeded", "Notes"), 0);
    assert!(event(&test, "run_cancelled").is_object());
}

/// Everything that a run leaves behind.
fn everything(dir: &std::path::Path, text: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            everything(&entry.path(), text);
        } else {
            text.extend(std::fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn no_secret_reaches_the_model_or_what_is_kept() {
    // The server repeats the key in its answer.
    let server = chat(vec![json!({
        "notes": { "title": format!("by {KEY}"), "points": [], "file": "docs/tea.md" }
    })]);
    let test = test(&server).env("FLOWCTL_SECRET_TOPIC_SECRET", "t0p-s3cret-value");
    test.edit(
        "skills/Notes/skill.yaml",
        "outputs:",
        "  hint: { schema: { type: string }, required: false, description: A hint. }\noutputs:",
    );
    test.edit(
        "flow.yaml",
        "evidence: true",
        "evidence: true\n    inputs: { hint: '${secrets.TOPIC_SECRET}' }",
    );
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0);
    assert_eq!(ran.json()["outputs"]["notes"]["title"], "by [secret]");
    let asked = String::from_utf8(server.received()[0].body.clone()).unwrap();
    assert!(asked.contains("[secret]"), "{asked}");
    assert!(!asked.contains("s3cret"), "{asked}");
    let mut kept = Vec::new();
    everything(&test.path("artifacts"), &mut kept);
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("accepted"));
    for secret in [KEY, "s3cret"] {
        assert!(!kept.contains(secret), "{secret} was kept");
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
    }
}

#[test]
fn a_built_in_persona_takes_a_model_too() {
    let server = Server::start(|asked, _, stream| {
        let body = asked.json();
        let given = body["messages"][1]["content"].as_str().unwrap();
        let mut given: Value = serde_json::from_str(given).unwrap();
        let mut draft = given["draft"].take();
        draft["product_spec"]["description"] = json!("A place for receipts.");
        let kind = "content-type: application/json\r\n";
        reply(stream, "200 OK", kind, said(&draft.to_string()).as_bytes());
    });
    let test = test(&server).file(
        "product.yaml",
        "inputs:
  product_name: { type: string, default: Receipts }
  target_clouds: { type: list, default: [aws] }
  data_classification: { type: string, default: public }
  rto_target: { type: string, default: 4h }
  rpo_target: { type: string, default: 15m }
nodes:
  - name: ProductManager
    type: persona
    model: { connection: local, model: m, charter: Write a better description. }
  - { name: CloudArchitect, type: persona }
outputs:
  spec: ${ProductManager.output.product_spec}
",
    );
    let ran = test
        .output(["run", "product.yaml", "--run-id", "r", "--json"])
        .exits(0);
    let spec = &ran.json()["outputs"]["spec"];
    assert_eq!(spec["description"], "A place for receipts.");
    let schema = server.received()[0].json()["response_format"]["json_schema"]["schema"].take();
    assert!(
        schema["$defs"]["product_spec.Cloud"].is_object(),
        "{schema}"
    );
}

#[test]
fn mistakes_are_seen_before_anything_runs() {
    let server = chat(vec![good()]);
    let test = test(&server).file(
        "flow.yaml",
        "nodes:
  - { name: QA, type: persona, model: { connection: local, model: m, charter: Be kind. } }
  - { name: Notes, type: persona, inputs: { topic: a }, model: { connection: local, model: m, charter: c.md } }
  - { name: N2, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: search, model: m, charter: Be brief. } }
  - { name: N3, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: local, model: m, charter: Be brief., parameters: { temprature: 1, seed: x, tools: [] } } }
",
    );
    test.edit(
        "connections.yaml",
        "local:",
        "search: { type: serp, api_key: '${env:CHAT_KEY}' }\nlocal:",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::conflict]: `QA` records what it saw in the world, and no model proposes that
     --> flow.yaml:2:13
      |
    2 |   - { name: QA, type: persona, model: { connection: local, model: m, charter: Be kind. } }
      |             ^^
      |
      = help: remove `model`; the personas that `flowctl tools` calls pure take one

    error[file::unreadable]: cannot read `c.md`: there is no such file
     --> flow.yaml:3:104
      |
    3 |   - { name: Notes, type: persona, inputs: { topic: a }, model: { connection: local, model: m, charter: c.md } }
      |                                                                                                        ^^^^
      |
      = help: the path is relative to the flow's folder

    error[connection::unknown]: `search` is of type `serp`, and models are not asked through one
     --> flow.yaml:4:91
      |
    4 |   - { name: N2, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: search, model: m, charter: Be brief. } }
      |                                                                                           ^^^^^^
      |
      = help: the types are `azure_open_ai`, `open_ai`, `serverless`, `openai_compatible` or `anthropic`

    error[flow::unknown-key]: a persona's model takes no parameter `temprature`
     --> flow.yaml:5:142
      |
    5 | ...nection: local, model: m, charter: Be brief., parameters: { temprature: 1, seed: x, tools: [] } } }
      |                                                                ^^^^^^^^^^
      |
      = help: did you mean `temperature`?

    error[flow::bad-value]: the parameter `seed` takes no `"x"`
     --> flow.yaml:5:157
      |
    5 | ...al, model: m, charter: Be brief., parameters: { temprature: 1, seed: x, tools: [] } } }
      |                                                                   ^^^^
      |
      = help: write a value of the type `int`

    error[flow::unknown-key]: a persona's model takes no parameter `tools`
     --> flow.yaml:5:166
      |
    5 | ... m, charter: Be brief., parameters: { temprature: 1, seed: x, tools: [] } } }
      |                                                                  ^^^^^
      |
      = help: the parameters are `temperature`, `top_p`, `stop`, `max_tokens`, `max_completion_tokens`, `presence_penalty`, `frequency_penalty`, `logit_bias`, `user` or `seed`

    error: 6 errors
    "#);
    test.write(
        "flow.yaml",
        "nodes:
  - { name: A, type: persona, persona: Notes, inputs: { topic: a }, model: { on_invalid: drift } }
  - { name: B, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: '', model: m, deployment: d, charter: Be brief., parameters: { seed: '${inputs.x}' } } }
  - { name: C, type: process, command: [a], model: { connection: c, model: m, charter: Be brief. } }
",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::missing-key]: `model` needs the key `connection`
     --> flow.yaml:2:76
      |
    2 |   - { name: A, type: persona, persona: Notes, inputs: { topic: a }, model: { on_invalid: drift } }
      |                                                                            ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `connection: NAME`; `flowctl connection list` shows which there are

    error[flow::missing-key]: `model` needs the key `charter`
     --> flow.yaml:2:76
      |
    2 |   - { name: A, type: persona, persona: Notes, inputs: { topic: a }, model: { on_invalid: drift } }
      |                                                                            ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `charter: FILE.md`, or the text itself: what the model is to do

    error[flow::missing-key]: `model` needs the key `model`
     --> flow.yaml:2:76
      |
    2 |   - { name: A, type: persona, persona: Notes, inputs: { topic: a }, model: { on_invalid: drift } }
      |                                                                            ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `model: NAME` or `deployment: NAME`

    error[flow::bad-value]: `on_invalid` cannot be `drift`
     --> flow.yaml:2:90
      |
    2 |   - { name: A, type: persona, persona: Notes, inputs: { topic: a }, model: { on_invalid: drift } }
      |                                                                                          ^^^^^
      |
      = help: did you mean `draft`?
      = help: write `fail` or `draft`

    error[flow::bad-value]: `connection` is empty
     --> flow.yaml:3:90
      |
    3 |   - { name: B, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: '', model: m, deployment: d, charter: Be bri...
      |                                                                                          ^^
      |
      = help: write what it is to be

    error[flow::conflict]: `model` and `deployment` are two names for the same thing
     --> flow.yaml:3:116
      |
    3 |   - { name: B, type: persona, persona: Notes, inputs: { topic: a }, model: { connection: '', model: m, deployment: d, charter: Be bri...
      |                                                                                                                    ^
      |
      = help: keep one of them

    error[flow::bad-value]: the parameter `seed` is no plain value
     --> flow.yaml:3:159
      |
    3 | ...m, deployment: d, charter: Be brief., parameters: { seed: '${inputs.x}' } } }
      |                                                              ^^^^^^^^^^^^^
      |
      = help: write the value itself: how a model is asked is known before the run

    error[flow::conflict]: `model` belongs to nodes of `type: persona`, and `C` is of type `process`
     --> flow.yaml:4:45
      |
    4 |   - { name: C, type: process, command: [a], model: { connection: c, model: m, charter: Be brief. } }
      |                                             ^^^^^
      |
      = help: remove `model`, or write `type: persona`

    error: 8 errors
    "#);
    assert!(server.received().is_empty());
}

//! Prompt Flow's files over the real program: what `scripts/promptflow-conformance` cannot say,
//! because Prompt Flow has no such thing, or says "Succeeded" to it.

use serde_json::{Value, json};

use crate::harness::{Test, has_python, until};

/// A test with a Python, or nothing where there is none.
fn with_python(name: &str) -> Option<Test> {
    has_python(name).then(Test::new)
}

/// The codes, with lines, of what is wrong with a file.
fn problems(test: &Test, text: &str) -> Vec<(String, u64)> {
    test.write("f/flow.dag.yaml", text);
    let ran = test.output(["validate", "f", "--format", "json"]);
    let report = ran.json();
    let all = report["diagnostics"].as_array().unwrap().iter();
    all.filter(|problem| problem["severity"] == "error")
        .map(|problem| {
            let code = problem["code"].as_str().unwrap().to_owned();
            (code, problem["line"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn what_prompt_flow_calls_fine_and_cannot_run_is_refused_with_its_place() {
    let test = Test::new().file("f/p.jinja2", "{{x}}");
    let node = |name: &str, more: &str| {
        format!("- name: {name}\n  type: prompt\n  source: {{type: code, path: p.jinja2}}\n{more}")
    };
    let a = node("a", "");
    for (text, code, line) in [
        (
            format!(
                "nodes:\n{}{}",
                node("a", "  inputs: {x: '${b.output}'}\n"),
                node("b", "  inputs: {x: '${a.output}'}\n")
            ),
            "graph::cycle",
            5,
        ),
        (
            format!("nodes:\n{}", node("a", "  inputs: {x: '${a.output}'}\n")),
            "graph::self-reference",
            5,
        ),
        (
            format!("nodes:\n{}", node("a", "  inputs: {x: '${gone.output}'}\n")),
            "expr::unknown-node",
            5,
        ),
        (
            format!("nodes:\n{}", node("a", "  inputs: {x: '${inputs.gone}'}\n")),
            "expr::unknown-input",
            5,
        ),
        (
            format!(
                "nodes:\n{}",
                node("a", "  activate: {when: '${inputs.gone}', is: 1}\n")
            ),
            "expr::unknown-input",
            5,
        ),
        (
            format!(
                "nodes:\n{}",
                node("a", "  activate: {when: '${gone.output}', is: 1}\n")
            ),
            "expr::unknown-node",
            5,
        ),
        (
            format!("nodes:\n{}", node("a", "  activate: {when: 1}\n")),
            "flow::missing-key",
            5,
        ),
        (format!("nodes:\n{a}{a}"), "flow::duplicate-node", 5),
        (
            format!("outputs:\n  o: {{type: string, reference: '${{gone.output}}'}}\nnodes:\n{a}"),
            "expr::unknown-node",
            2,
        ),
        (
            format!("outputs:\n  o: {{type: string, reference: '${{inputs.gone}}'}}\nnodes:\n{a}"),
            "expr::unknown-input",
            2,
        ),
        (
            format!("outputs:\n  o: {{type: string, reference: ''}}\nnodes:\n{a}"),
            "flow::bad-value",
            2,
        ),
        (
            format!("outputs:\n  o: {{type: string}}\nnodes:\n{a}"),
            "flow::missing-key",
            2,
        ),
        (
            format!("outputs:\n  o: {{reference: '${{a.output}}'}}\nnodes:\n{a}"),
            "flow::missing-key",
            2,
        ),
        (
            format!("inputs:\n  x: {{type: String}}\nnodes:\n{a}"),
            "flow::bad-value",
            2,
        ),
        ("inputs: {}\n".to_owned(), "flow::missing-key", 1),
        ("nodes: {}\n".to_owned(), "flow::wrong-type", 1),
        (
            "nodes:\n- name: a\n  source: {type: code, path: p.jinja2}\n".to_owned(),
            "flow::missing-key",
            2,
        ),
        (
            "nodes:\n- name: a\n  type: prompt\n".to_owned(),
            "flow::missing-key",
            2,
        ),
        (
            "nodes:\n- name: a\n  type: promt\n  source: {path: p.jinja2}\n".to_owned(),
            "flow::bad-value",
            3,
        ),
        (
            "nodes:\n- name: a\n  type: prompt\n  source: {type: code, path: gone.jinja2}\n"
                .to_owned(),
            "file::unreadable",
            4,
        ),
        (
            format!("nodes:\n{}", node("a", "  aproval: {}\n")),
            "flow::unknown-key",
            5,
        ),
        (
            format!(
                "nodes:\n{}{}",
                node("a", "  inputs: {x: '${b.output}'}\n"),
                node("b", "  aggregation: true\n")
            ),
            "expr::not-available",
            5,
        ),
        (
            format!(
                "nodes:\n{}{}",
                node("a", ""),
                node(
                    "b",
                    "  aggregation: true\n  activate: {when: '${a.output}', is: 1}\n"
                )
            ),
            "expr::not-available",
            9,
        ),
        (
            format!("nodes:\n{}", node("a", "  inputs: {x: '${b.result}'}\n")),
            "expr::syntax",
            5,
        ),
        (
            "nodes:\n- name: a\n  use_variants: true\n".to_owned(),
            "flow::missing-key",
            2,
        ),
        (
            format!("nodes:\n{a}node_variants: {{}}\nnodes: []\n"),
            "yaml::duplicate-key",
            6,
        ),
        (format!("entry: f:g\nnodes:\n{a}"), "flow::not-supported", 1),
        (
            format!("language: csharp\nnodes:\n{a}"),
            "flow::not-supported",
            1,
        ),
        (
            format!(
                "additional_includes:\n- ../gone.jinja2\nnodes:\n{}",
                a.replace("p.jinja2", "gone.jinja2")
            ),
            "file::unreadable",
            6,
        ),
    ] {
        let found = problems(&test, &text);
        assert!(
            found.contains(&(code.to_owned(), line)),
            "{code} on line {line} of\n{text}\n{found:?}"
        );
    }
}

#[test]
fn flowctls_keys_work_in_the_same_file() {
    let Some(test) = with_python("promptflow::flowctls_keys_work_in_the_same_file") else {
        return;
    };
    let test = test
        .file(
            "f/flow.dag.yaml",
            "inputs:\n  q: {type: string, default: hi}\noutputs:\n  o: {type: string, reference: '${say.output}'}\n\
             nodes:\n- name: draft\n  type: prompt\n  source: {type: code, path: d.jinja2}\n  inputs: {q: '${inputs.q}'}\n\
             - name: flaky\n  type: python\n  source: {type: code, path: flaky.py}\n  inputs: {}\n  retry: {attempts: 3, backoff: {initial: 1ms}}\n\
             - name: say\n  type: python\n  source: {type: code, path: say.py}\n  inputs: {text: '${draft.output}', by: '${approval.by}'}\n  approval: {}\n",
        )
        .file("f/d.jinja2", "Draft of {{q}}")
        .file(
            "f/flaky.py",
            "from pathlib import Path\nfrom promptflow.core import tool\n\n@tool\ndef flaky():\n    seen = Path('seen')\n    n = len(seen.read_text()) if seen.exists() else 0\n    seen.write_text('x' * (n + 1))\n    if n < 2:\n        raise ValueError('not yet')\n    return n\n",
        )
        .file(
            "f/say.py",
            "from promptflow.core import tool\n\n@tool\ndef say(text: str, by: str):\n    print('said')\n    return f'{text}, approved by someone: {bool(by)}'\n",
        );
    test.output(["run", "f", "--run-id", "r"]).exits(5);
    assert_eq!(test.count("r", "node_failed", "flaky"), 2);
    let ran = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(
        ran.json(),
        json!({ "o": "Draft of hi, approved by someone: True" })
    );
    assert!(test.run(["logs", "r", "say"]).contains("said"));
    // The nodes before the gate have not run again.
    assert_eq!(test.count("r", "node_started", "flaky"), 3);
}

#[test]
fn a_run_goes_on_with_the_code_that_it_began_with() {
    let Some(test) = with_python("promptflow::a_run_goes_on_with_the_code_that_it_began_with")
    else {
        return;
    };
    let test = test
        .file(
            "f/flow.dag.yaml",
            "outputs:\n  o: {type: string, reference: '${b.output}'}\nnodes:\n- name: a\n  type: python\n  source: {type: code, path: a.py}\n\
             - name: b\n  type: python\n  source: {type: code, path: b.py}\n  inputs: {x: '${a.output}'}\n  approval: {}\n",
        )
        .file("f/a.py", "from promptflow.core import tool\n\n@tool\ndef a():\n    return 'a1'\n")
        .file("f/helper.py", "word = 'h1'\n")
        .file(
            "f/b.py",
            "from promptflow.core import tool\nfrom helper import word\n\n@tool\ndef b(x):\n    return f'{x} b1 {word}'\n",
        );
    test.output(["run", "f", "--run-id", "r"]).exits(5);
    test.edit("f/b.py", "b1", "b2");
    test.edit("f/helper.py", "h1", "h2");
    let ran = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(ran.json(), json!({ "o": "a1 b1 h1" }));

    test.output(["run", "f", "--run-id", "s"]).exits(5);
    test.edit("f/helper.py", "h2", "h3");
    let ran = test.output(["resume", "s", "--accept-changes"]).exits(5);
    // A helper may be anybody's.
    assert!(ran.stderr.contains("runs again"), "{}", ran.stderr);
    let ran = test.output(["approve", "s", "--resume"]).exits(0);
    assert_eq!(ran.json(), json!({ "o": "a1 b2 h3" }));
}

/// A flow whose lines take a while, so that it can be killed in the middle.
fn slow_lines(test: &Test) {
    test.write(
        "f/flow.dag.yaml",
        "inputs:\n  x: {type: int}\noutputs:\n  y: {type: int, reference: '${two.output}'}\nnodes:\n\
         - name: one\n  type: python\n  source: {type: code, path: one.py}\n  inputs: {x: '${inputs.x}'}\n\
         - name: two\n  type: python\n  source: {type: code, path: two.py}\n  inputs: {x: '${one.output}'}\n\
         - name: sum\n  type: python\n  source: {type: code, path: sum.py}\n  inputs: {xs: '${inputs.x}', ys: '${two.output}'}\n  aggregation: true\n",
    );
    test.write(
        "f/one.py",
        "import time\nfrom promptflow.core import tool\n\n@tool\ndef one(x: int):\n    time.sleep(0.05)\n    with open('ran', 'a') as f:\n        f.write(f'{x}\\n')\n    if x == 3:\n        raise ValueError('three')\n    return x * 10\n",
    );
    test.write(
        "f/two.py",
        "from promptflow.core import tool\n\n@tool\ndef two(x: int):\n    return x + 1\n",
    );
    test.write(
        "f/sum.py",
        "from promptflow.core import tool, log_metric\n\n@tool\ndef total(xs: list, ys: list):\n    assert [x * 10 + 1 for x in xs] == ys, (xs, ys)\n    log_metric('sum', sum(ys))\n    return len(xs)\n",
    );
    let rows: String = (0..12).map(|x| format!("{{\"x\": {x}}}\n")).collect();
    test.write("rows.jsonl", rows + "{\"x\": \"no\"}\n{\"z\": 1}\n");
}

#[test]
fn a_batch_that_was_killed_goes_on_and_repeats_nothing_that_succeeded() {
    let name = "promptflow::a_batch_that_was_killed_goes_on_and_repeats_nothing_that_succeeded";
    let Some(test) = with_python(name) else {
        return;
    };
    slow_lines(&test);
    let command = [
        "batch",
        "f",
        "--data",
        "rows.jsonl",
        "--run-id",
        "b",
        "--concurrency",
        "1",
    ];
    let running = test.spawn(command);
    until("some lines have ended", || {
        test.journal("b").exists() && test.count("b", "node_succeeded", "lines[1]") == 1
    });
    running.kill();
    let before: Vec<usize> = (0..12)
        .filter(|line| test.count("b", "node_succeeded", &format!("lines[{line}]/one")) == 1)
        .collect();
    assert!(before.len() >= 2 && before.len() < 11, "{before:?}");
    test.output(["resume", "b"]).exits(0);
    let ran = test.lines("f/ran");
    for line in before {
        let times = ran.iter().filter(|ran| **ran == line.to_string()).count();
        assert_eq!(times, 1, "line {line} ran {times} times");
    }
    let outputs: Vec<Value> = test
        .lines("artifacts/runs/b/batch/outputs.jsonl")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let wanted: Vec<Value> = (0..12)
        .filter(|x| *x != 3)
        .map(|x| json!({ "line_number": x, "y": x * 10 + 1 }))
        .collect();
    assert_eq!(outputs, wanted);
    let errors: Vec<Value> = test
        .lines("artifacts/runs/b/batch/errors.jsonl")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |at: usize| {
        (
            errors[at]["line_number"].clone(),
            errors[at]["node"].clone(),
        )
    };
    assert_eq!(errors.len(), 3);
    assert_eq!(of(0), (json!(3), json!("one")));
    assert_eq!(of(1), (json!(12), Value::Null));
    assert_eq!(of(2), (json!(13), Value::Null));
    assert!(
        errors[0]["message"]
            .as_str()
            .unwrap()
            .contains("ValueError: three")
    );
    assert!(
        errors[1]["message"].as_str().unwrap().contains("`x`"),
        "{}",
        errors[1]
    );
    assert!(
        errors[2]["message"].as_str().unwrap().contains("`x`"),
        "{}",
        errors[2]
    );
    let metrics = test.read("artifacts/runs/b/batch/metrics.json");
    let sum: i64 = wanted.iter().map(|line| line["y"].as_i64().unwrap()).sum();
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(metrics, json!({ "sum": sum }));
    // A second resume changes nothing.
    let journal = std::fs::read(test.journal("b")).unwrap();
    test.output(["resume", "b"]).exits(0);
    assert_eq!(std::fs::read(test.journal("b")).unwrap(), journal);

    // The failed lines again, under their numbers.
    test.edit("f/one.py", "if x == 3", "if x == 33");
    let ran = test
        .output(["batch", "f", "--failed-of", "b", "--json"])
        .exits(0);
    let report = ran.json();
    assert_eq!(report["lines"], json!([{ "line_number": 3, "y": 31 }]));
    assert_eq!(report["errors"].as_array().unwrap().len(), 2);
}

#[test]
fn batches_that_make_no_sense_are_refused() {
    let test = Test::new()
        .file("f/flow.dag.yaml", "inputs:\n  x: {type: int}\nnodes:\n- {name: n, type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: '${inputs.x}'}}\n")
        .file("f/p.jinja2", "{{x}}")
        .file("g/flow.dag.yaml", "nodes:\n- {name: n, type: prompt, source: {type: code, path: p.jinja2}}\n")
        .file("g/p.jinja2", "x")
        .file("rows.jsonl", "{\"x\": 1}\n")
        .file("none.jsonl", "\n")
        .file("bad.jsonl", "{\"x\": 1}\n{\n");
    for (args, says) in [
        (&["batch", "f"][..], "there is no data"),
        (
            &["batch", "f", "--data", "gone.jsonl"],
            "there is no such file",
        ),
        (&["batch", "f", "--data", "none.jsonl"], "has no rows"),
        (&["batch", "f", "--data", "bad.jsonl"], "line 2"),
        (
            &["batch", "f", "--data", "rows.jsonl", "--map", "x=3"],
            "fixed values only",
        ),
        (
            &["batch", "f", "--data", "rows.jsonl", "--map", "x=${data.y}"],
            "${data.y}",
        ),
        (
            &[
                "batch",
                "f",
                "--data",
                "rows.jsonl",
                "--map",
                "x=${run.outputs.y}",
            ],
            "--run RUN",
        ),
        (&["batch", "g", "--data", "rows.jsonl"], "takes no inputs"),
    ] {
        test.output(args).exits(2).says(says);
    }
    // Not one line succeeded.
    test.write("rows.jsonl", "{\"x\": \"no\"}\n");
    test.output(["batch", "f", "--data", "rows.jsonl"]).exits(4);
}

#[test]
fn one_node_runs_alone() {
    let test = Test::new()
        .file(
            "f/flow.dag.yaml",
            "inputs:\n  q: {type: int, default: 3}\nnodes:\n- name: a\n  type: prompt\n  source: {type: code, path: p.jinja2}\n\
             - name: b\n  type: prompt\n  source: {type: code, path: p.jinja2}\n  inputs: {x: '${a.output.k}', y: '${inputs.q}'}\n  activate: {when: '${a.output}', is: no}\n",
        )
        .file("f/p.jinja2", "{{x}} {{y + 1}}");
    let output = |args: &[&str]| {
        let mut all = vec!["run", "f", "--node", "b"];
        all.extend(args);
        test.output(all).exits(0).json()["output"].clone()
    };
    assert_eq!(output(&["-i", "x=1"]), "1 4");
    assert_eq!(output(&["-i", "a.output.k=2", "-i", "inputs.q=7"]), "2 8");
    test.write("given.json", "{\"a.output\": {\"k\": [1]}}");
    assert_eq!(output(&["--inputs", "given.json"]), "[1] 4");
    test.output(["run", "f", "--node", "bb", "-i", "x=1"])
        .exits(3)
        .says("did you mean `b`");
    // In flowctl's own dialect the node's ports are what is asked for.
    test.write(
        "own.yaml",
        "nodes:\n- { name: one, type: process, command: [echo, hi] }\n- { name: two, type: process, command: [cat], inputs: { x: '${one.output.stdout}' } }\n",
    );
    let ran = test.output(["run", "own.yaml", "--node", "two", "-i", "x=given"]);
    let output = ran.exits(0).json();
    assert_eq!(output["output"]["stdout"], "{\"x\":\"given\"}");
}

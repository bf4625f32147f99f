//! Skills of `runtime: python`, over the real program.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Test, has_python};

const ADD: &str = "runtime: python\npython: { path: add.py, function: add }\ninputs:\n  a: { schema: { type: integer } }\n  b: { schema: { type: integer }, required: false }\noutputs:\n  sum: { schema: { type: integer } }\n";
const FLOW: &str = "name: sums\ninputs:\n  a: { type: int, default: 2 }\nnodes:\n  - { name: One, type: skill, skill: Add, inputs: { a: '${inputs.a}', b: 3 } }\n  - { name: Two, type: skill, skill: Add, inputs: { a: '${One.output.sum}' } }\noutputs:\n  sum: ${Two.output.sum}\n";

/// A workspace with the skill `Add`, or nothing where there is no Python.
fn workspace(name: &str, python: &str) -> Option<Test> {
    has_python(&format!("skills_python::{name}")).then(|| {
        Test::new()
            .file("flow.yaml", FLOW)
            .file("skills/Add/skill.yaml", ADD)
            .file("skills/Add/add.py", python)
    })
}

/// The codes, places and messages of what is wrong.
fn problems(test: &Test) -> Vec<(String, String, String)> {
    let report = test
        .output(["validate", "flow.yaml", "--format", "json"])
        .json();
    let all = report["diagnostics"].as_array().unwrap().iter();
    all.map(|problem| {
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        let place = format!("{}:{}", text("path"), problem["line"]);
        (text("code"), place, text("message"))
    })
    .collect()
}

fn failure(test: &Test, node: &str) -> String {
    let events = test.events("one");
    let failed = events
        .iter()
        .find(|record| record["event"] == "node_failed" && record["data"]["node"] == node);
    failed.map_or_else(
        || panic!("`{node}` did not fail: {events:#?}"),
        |record| record["data"].to_string(),
    )
}

#[test]
fn a_function_is_called_and_all_its_nodes_share_a_process() {
    let python = "import os\nfrom helper import plus\ndef add(a, b=10):\n    with open(os.environ['PIDS'], 'a') as file:\n        file.write('%d\\n' % os.getpid())\n    print('adding', a, b)\n    return plus(a, b)\n";
    let Some(test) = workspace(
        "a_function_is_called_and_all_its_nodes_share_a_process",
        python,
    ) else {
        return;
    };
    let pids = test.path("pids").to_string_lossy().into_owned();
    let test = test.env("PIDS", &pids).file(
        "skills/Add/helper.py",
        "def plus(a, b):\n    return a + b\n",
    );
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "one"])
        .exits(0);
    assert_eq!(ran.json(), json!({ "sum": 15 }));
    let pids = test.lines("pids");
    assert_eq!(pids.len(), 2);
    assert_eq!(pids[0], pids[1]);
    let log = test.output(["logs", "one", "One"]).exits(0);
    assert!(log.stdout.contains("adding 2 3"), "{log:?}");
    // Nobody starts Python to list skills.
    let listed = test.env("PATH", "/nowhere").output(["tools"]).exits(0);
    assert!(
        listed
            .stdout
            .contains("skill Add: effectful, from skills/Add"),
        "{listed:?}"
    );
}

#[test]
fn a_kernel_function_and_a_persona_of_several_outputs() {
    let name = "skills_python::a_kernel_function_and_a_persona_of_several_outputs";
    if !has_python(name) {
        return;
    }
    // What Semantic Kernel's decorator does to a function.
    let kernel = "def kernel_function(name=None, description=None):\n    def mark(function):\n        function.__kernel_function__ = True\n        function.__kernel_function_name__ = name or function.__name__\n        function.__kernel_function_description__ = description\n        return function\n    return mark\n";
    let code = "from semantic_kernel.functions import kernel_function\n\nclass Text:\n    @kernel_function(name='count', description='Counts.')\n    async def words_of(self, text: str, least):\n        words = [word for word in text.split() if least is None or len(word) >= least]\n        return {'count': len(words), 'words': words}\n";
    let manifest = "kind: persona\nruntime: python\neffect: pure\npython: { path: code.py, function: count }\ninputs:\n  text: { schema: { type: string } }\n  least: { schema: { type: integer }, required: false }\noutputs:\n  count: { schema: { type: integer } }\n  words: { schema: { type: array } }\n";
    let test = Test::new()
        .file("flow.yaml", "name: words\nnodes:\n  - { name: Counter, type: persona, inputs: { text: 'to be or not' } }\noutputs:\n  all: ${Counter.output}\n")
        .file("skills/Counter/skill.yaml", manifest)
        .file("skills/Counter/code.py", code)
        .file("skills/Counter/semantic_kernel/__init__.py", "")
        .file("skills/Counter/semantic_kernel/functions.py", kernel);
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "one"])
        .exits(0);
    assert_eq!(
        ran.json(),
        json!({ "all": { "count": 4, "words": ["to", "be", "or", "not"] } })
    );
    // A persona's results are evidence, and hold.
    assert!(test.exists("artifacts/evidence/runs/Counter.jsonl"));
    test.output(["evidence", "verify"]).exits(0);
    test.edit("flow.yaml", "inputs: {", "inputs: { most: 1,");
    test.output(["validate", "flow.yaml"])
        .exits(3)
        .says("port::unknown-port");
}

#[test]
fn what_cannot_be_loaded_or_does_not_fit_is_said_of_the_manifest() {
    let name = "what_cannot_be_loaded_or_does_not_fit_is_said_of_the_manifest";
    let Some(test) = workspace(name, "import nothing_of_that_name\n") else {
        return;
    };
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[tool::bad-code]: `add.py` cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_that_name'
                             skills/Add/add.py:1: import nothing_of_that_name
     --> skills/Add/skill.yaml:2:17
      |
    2 | python: { path: add.py, function: add }
      |                 ^^^^^^
    ");
    test.write("skills/Add/add.py", "def ad(a, b):\n    return a + b\n");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[tool::bad-code]: `add.py` cannot be loaded: there is no function `add`
     --> skills/Add/skill.yaml:2:17
      |
    2 | python: { path: add.py, function: add }
      |                 ^^^^^^
      |
      = help: there is `ad`
    ");
    test.write(
        "skills/Add/add.py",
        "def add(a, bb, more=1):\n    return a + bb\n",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[tool::bad-skill]: the function needs `bb`, which is no input of the skill
     --> skills/Add/skill.yaml:2:17
      |
    2 | python: { path: add.py, function: add }
      |                 ^^^^^^
      |
      = help: declare it below `inputs`, or give the parameter a default

    error[tool::bad-skill]: the function has no parameter `b`
     --> skills/Add/skill.yaml:5:3
      |
    5 |   b: { schema: { type: integer }, required: false }
      |   ^
      |
      = help: it takes `a`, `bb` or `more`

    error: 2 errors
    ");
    test.edit("skills/Add/skill.yaml", ", function: add", "");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[tool::bad-code]: `add.py` cannot be loaded: it defines no tool, but the functions `add`
     --> skills/Add/skill.yaml:2:17
      |
    2 | python: { path: add.py }
      |                 ^^^^^^
      |
      = help: name it: `python: { path: add.py, function: NAME }`
    ");
    test.edit("skills/Add/skill.yaml", "add.py", "ad.py");
    assert_eq!(
        problems(&test),
        [(
            "tool::bad-skill".to_owned(),
            "skills/Add/skill.yaml:2".to_owned(),
            "there is no `ad.py` beside `skill.yaml`".to_owned()
        )]
    );
}

#[test]
fn manifests_that_mix_runtimes_are_refused() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "name: f\nnodes:\n  - { name: A, type: skill }\n",
        )
        .file("skills/A/a.py", "def f():\n    pass\n")
        .file(
            "skills/A/skill.yaml",
            "effect: pure\npython: { path: a.py }\n",
        );
    let codes = || {
        let all = problems(&test).into_iter();
        all.map(|(code, place, message)| format!("{code} {place} {message}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes(),
        [
            "flow::conflict skills/A/skill.yaml:1 a skill of `runtime: tera` has no `effect`",
            "flow::conflict skills/A/skill.yaml:2 a skill of `runtime: tera` has no `python`",
        ]
    );
    test.write(
        "skills/A/skill.yaml",
        "runtime: python\noutputs:\n  x: { value: 1 }\nfiles: []\nevidence: []\n",
    );
    assert_eq!(
        codes(),
        [
            "flow::missing-key skills/A/skill.yaml:1 a skill of `runtime: python` needs the key `python`",
            "flow::conflict skills/A/skill.yaml:3 the output `x` is what the function gives",
            "flow::conflict skills/A/skill.yaml:4 a skill of `runtime: python` has no `files`",
            "flow::conflict skills/A/skill.yaml:5 a skill of `runtime: python` has no `evidence`",
        ]
    );
    test.write("skills/A/skill.yaml", "runtime: python\npython: {}\n");
    assert_eq!(
        codes(),
        ["flow::missing-key skills/A/skill.yaml:2 `python` needs the key `path`"]
    );
    test.write("skills/A/skill.yaml", "runtime: process\n");
    assert_eq!(
        codes(),
        [
            "flow::not-supported skills/A/skill.yaml:1 the runtime `process` does not run in this version"
        ]
    );
}

#[test]
fn outputs_that_break_the_contract_fail_the_node() {
    let Some(test) = workspace("outputs_that_break_the_contract_fail_the_node", "") else {
        return;
    };
    for (python, says) in [
        (
            "def add(a, b=1):\n    return 'five'\n",
            "`sum` of its output breaks its contract",
        ),
        (
            "def add(a, b=1):\n    return {a}\n",
            "the function returned a `set`",
        ),
        (
            "def add(a, b=1):\n    raise ValueError('no such sum')\n",
            "ValueError: no such sum\\n  skills/Add/add.py:2",
        ),
    ] {
        test.write("skills/Add/add.py", python);
        test.output(["run", "flow.yaml", "--run-id", "one"])
            .exits(4);
        let failed = failure(&test, "One");
        assert!(failed.contains(says), "{failed}");
        std::fs::remove_dir_all(test.path("artifacts")).unwrap();
    }
    let two = "  rest: { schema: { type: integer } }\n";
    test.write("skills/Add/skill.yaml", format!("{ADD}{two}"));
    for (python, says) in [
        ("{'sum': 1}", "it is missing from the output"),
        (
            "{'sum': 1, 'rest': 2, 'more': 3}",
            "returned `more`, which is no output of the skill",
        ),
        ("5", "the function returned no dict"),
    ] {
        let code = format!("def add(a, b=1):\n    return {python}\n");
        test.write("skills/Add/add.py", code);
        test.output(["run", "flow.yaml", "--run-id", "one"])
            .exits(4);
        let failed = failure(&test, "One");
        assert!(failed.contains(says), "{failed}");
        std::fs::remove_dir_all(test.path("artifacts")).unwrap();
    }
}

#[test]
fn pure_functions_may_be_cached_and_others_not() {
    let python = "import os\ndef add(a, b=1):\n    open(os.environ['CALLS'], 'a').write('x\\n')\n    return a + b\n";
    let Some(test) = workspace("pure_functions_may_be_cached_and_others_not", python) else {
        return;
    };
    let calls = test.path("calls").to_string_lossy().into_owned();
    let test = test.env("CALLS", &calls);
    test.edit("flow.yaml", "skill: Add", "skill: Add, cache: true");
    test.output(["validate", "flow.yaml"])
        .exits(3)
        .says("cache");
    test.edit("skills/Add/skill.yaml", "inputs", "effect: pure\ninputs");
    for (id, expected) in [("one", 2), ("two", 3)] {
        // What Python or a test leaves there is no other skill. The second node is not cached.
        test.write("skills/Add/__pycache__/add.pyc", id);
        let ran = test.output(["run", "flow.yaml", "--run-id", id]).exits(0);
        assert_eq!(ran.json(), json!({ "sum": 6 }));
        assert_eq!(test.lines("calls").len(), expected);
    }
    let cached = |run: &str| {
        let events = test.events(run);
        let hits = events.iter().filter(|record| {
            record["event"] == "node_succeeded" && record["data"].get("cached").is_some()
        });
        hits.map(|record| record["data"]["node"].clone())
            .collect::<Vec<Value>>()
    };
    assert_eq!(cached("one"), [Value::Null; 0]);
    assert_eq!(cached("two"), [json!("One")]);
    // Other code is another function.
    test.edit("skills/Add/add.py", "a + b", "a - b");
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "three"])
        .exits(0);
    assert_eq!(ran.json(), json!({ "sum": -2 }));
    assert_eq!(cached("three"), [Value::Null; 0]);
}

#[test]
fn a_run_that_is_taken_up_keeps_its_code() {
    let python = "from helper import more\ntry:\n    import extra\nexcept ImportError:\n    extra = None\ndef add(a, b=1):\n    assert extra is None\n    return a + b + more\n";
    let Some(test) = workspace("a_run_that_is_taken_up_keeps_its_code", python) else {
        return;
    };
    let test = test.file("skills/Add/helper.py", "more = 100\n");
    test.edit(
        "flow.yaml",
        "  - { name: Two, type: skill,",
        "  - { name: Gate, type: approval }\n  - { name: Two, type: skill, after: [Gate],",
    );
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(5);
    test.write("skills/Add/helper.py", "more = 0\n");
    // A file that was not there when the run began is not there for it.
    test.write("skills/Add/extra.py", "new = True\n");
    test.output(["approve", "one", "Gate"]).exits(0);
    let ran = test.output(["resume", "one"]).exits(0);
    assert_eq!(ran.json(), json!({ "sum": 206 }));
    test.output(["evidence", "verify"]).exits(0);
    // Also when the folder is gone.
    test.output(["run", "flow.yaml", "--run-id", "two"])
        .exits(5);
    std::fs::remove_dir_all(test.path("skills")).unwrap();
    test.output(["approve", "two", "Gate"]).exits(0);
    let ran = test.output(["resume", "two"]).exits(0);
    assert_eq!(ran.json(), json!({ "sum": 6 }));
    // And nobody needs Python to look at one.
    test.env("PATH", "/nowhere")
        .output(["show", "two"])
        .exits(0);
}

#[test]
fn calls_stop_when_their_time_is_over() {
    let python = "import time\ndef add(a, b=1):\n    while True:\n        time.sleep(0.01)\n";
    let Some(test) = workspace("calls_stop_when_their_time_is_over", python) else {
        return;
    };
    test.edit(
        "flow.yaml",
        "name: One, type: skill",
        "name: One, timeout: 300ms, type: skill",
    );
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(4);
    let failed = failure(&test, "One");
    assert!(failed.contains("300ms"), "{failed}");
}

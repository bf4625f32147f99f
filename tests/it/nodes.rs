//! What each kind of node does, and each key that any node may have.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Test, lives, until};

fn with(yaml: &str) -> Test {
    Test::new().file("flow.yaml", yaml)
}

/// Runs a flow to its end and gives its outputs.
#[track_caller]
fn outputs(test: &Test) -> Value {
    let ran = test.output(["run", "flow.yaml"]).exits(0);
    if ran.stdout.is_empty() {
        json!({})
    } else {
        ran.json()
    }
}

/// Runs a flow that fails, and gives what is said of the failure.
#[track_caller]
fn failure(test: &Test) -> String {
    let ran = test.output(["run", "flow.yaml"]).exits(4);
    let text = test.scrub(&ran.stderr);
    let from = text.find("\nfailed: ").unwrap_or_else(|| panic!("{text}"));
    text[from + 1..]
        .lines()
        .filter(|line| !line.starts_with("  resume "))
        .collect::<Vec<_>>()
        .join("\n")
}

// ------------------------------------------------------------------------------------------------
// Processes
// ------------------------------------------------------------------------------------------------

#[test]
fn a_process_gets_its_inputs_environment_and_folder() {
    let test = with(
        "inputs: { n: { type: integer, default: 7 } }
nodes:
  - name: A
    type: process
    command: [sh, -c, 'cat > ../stdin.json; echo \"$GREETING|$FLOWCTL_NODE|$FLOWCTL_RUN_ID|$1|$2\"; basename \"$PWD\"', sh, 'n is ${inputs.n}', 3.5]
    cwd: inner
    env: { GREETING: 'hello ${inputs.n}', EMPTY: '' }
    inputs: { n: '${inputs.n}', list: [1, '${run.id}', { deep: '{{ inputs.n + 1 }}' }] }
outputs: { all: '${A.output}', line: '${A.output.stdout}' }
",
    )
    .file("inner/x", "");
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r"])
        .exits(0)
        .json();
    assert_eq!(
        ran["all"],
        json!({ "stdout": "hello 7|A|r|n is 7|3.5\ninner\n", "exit_code": 0 })
    );
    assert_eq!(
        serde_json::from_str::<Value>(&test.read("stdin.json")).unwrap(),
        json!({ "n": 7, "list": [1, "r", { "deep": "8" }] })
    );
}

#[test]
fn json_output_becomes_the_value() {
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [echo, '{\"a\": [1, {\"b\": 2}]}'], output: json }\noutputs: { b: '${A.output.a[1].b}', all: '${A.output.a[*]}' }\n",
    );
    assert_eq!(outputs(&test), json!({ "b": 2, "all": [1, { "b": 2 }] }));
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: [echo, 'not json'], output: json }\n")), @r#"
    failed: `A`: what `echo` printed is not JSON: expected ident at line 1 column 2; it begins with `not json\n`
    help: print one JSON document to standard output, and everything else to standard error
    "#);
}

#[test]
fn a_process_that_fails_says_how() {
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: [sh, -c, 'for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3'] }\n")), @r#"
    failed: `A`: `sh` exited with code 3
      line 3
      line 4
      line 5
      line 6
      line 7
    help: `flowctl logs <run> A` shows all that it printed
    "#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: [sh, -c, 'kill -9 $$'] }\n")), @r#"
    failed: `A`: `sh` was ended by signal 9 (SIGKILL)
    help: somebody ended it, or the system was out of memory; `flowctl logs <run> A` shows all that it printed
    "#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: [no-such-program-here, x] }\n")), @r#"
    failed: `A`: cannot start `no-such-program-here`: No such file or directory (os error 2)
    help: is it installed and on the PATH? no shell looks for it
    "#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: ['true'], cwd: gone }\n")), @r#"
    failed: `A`: cannot start `true`: No such file or directory (os error 2)
    help: there is no folder `./gone`; see `cwd`
    "#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: ['true'], cwd: ../.. }\n")), @r#"failed: `A`: its `cwd`, `../..`, leads out of the workspace"#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: A, type: process, command: [printf, '\\377'] }\n")), @r#"
    failed: `A`: what `printf` printed is not UTF-8
    help: let it write a file, or print base64
    "#);
    // No shell: these are words.
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [echo, '$HOME && *', '; exit 1'] }\noutputs: { o: '${A.output.stdout}' }\n",
    );
    assert_eq!(outputs(&test), json!({ "o": "$HOME && * ; exit 1\n" }));
}

#[test]
fn a_timeout_ends_the_whole_process_group() {
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'sleep 60 & echo $! > child; echo $$ > parent; wait'], timeout: 300ms }\n",
    );
    let begun = std::time::Instant::now();
    assert_snapshot!(failure(&test), @r#"
    failed: `A`: it took longer than its timeout of <duration>
    help: give the node a longer `timeout`, or a `retry`
    "#);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    for file in ["parent", "child"] {
        let pid = test.lines(file)[0].clone();
        until("the process is gone", || !lives(&pid));
    }
}

#[test]
fn secrets_reach_the_process_and_nothing_else() {
    let test = with(
        "nodes:
  - name: A
    type: process
    command: [sh, -c, 'test $${#TOKEN} = 12 && grep -q \"$TOKEN\" && echo fine']
    env: { TOKEN: '${secrets.api-token}' }
    inputs: { token: '${secrets.api-token}' }
  - { name: Ok, type: approval, inputs: { token: '${secrets.api-token}' } }
outputs: { o: '${A.output.stdout}' }
",
    )
    .env("FLOWCTL_SECRET_API_TOKEN", "s3cr3t-value");
    let ran = test
        .output(["-vvv", "run", "flow.yaml", "--run-id", "r"])
        .exits(5);
    let done = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(done.json(), json!({ "o": "fine\n" }));
    assert!(!format!("{ran:?}{done:?}").contains("s3cr3t"), "printed");
    let found = std::process::Command::new("grep")
        .args(["-rl", "s3cr3t-value", "artifacts"])
        .current_dir(test.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "written down");
    let without = with(
        "nodes:\n  - { name: A, type: process, command: ['true'], env: { T: '${secrets.api-token}' } }\n",
    );
    let refused = without.output(["run", "flow.yaml"]).exits(2);
    assert!(
        refused.stderr.contains("`FLOWCTL_SECRET_API_TOKEN`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn secrets_that_tools_print_are_taken_out() {
    let test = with(
        "nodes:
  - name: Loud
    type: process
    command: [sh, -c, 'printf s3cr; sleep 0.1; echo 3t-value-\"$TOKEN\"; echo \"$TOKEN\" >&2']
    env: { TOKEN: '${secrets.api-token}' }
  - { name: Said, type: process, command: [echo, '${Loud.output.stdout}'] }
  - name: Broken
    type: process
    command: [sh, -c, 'echo \"no: $0\" >&2; exit 1', '${secrets.api-token}']
    on_error: continue
  - { name: Card, type: skill, inputs: { token: '${secrets.api-token}' } }
outputs: { o: '${Said.output.stdout}', card: '${Card.output.text}' }
",
    )
    .file(
        "skills/Card/skill.yaml",
        "inputs:\n  token: { schema: { type: string } }\noutputs:\n  text: { value: '<{{ token }}>' }\n",
    )
    .env("FLOWCTL_SECRET_API_TOKEN", "s3cr3t-value");
    let ran = test
        .output(["-vvv", "run", "flow.yaml", "--run-id", "r"])
        .exits(0);
    assert_eq!(
        ran.json(),
        json!({ "o": "[secret]-[secret]\n\n", "card": "<[secret]>" })
    );
    assert!(!format!("{ran:?}").contains("s3cr3t-value"), "printed");
    let found = std::process::Command::new("grep")
        .args(["-rl", "s3cr3t-value", "."])
        .current_dir(test.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "written down");
    let passed_on = with(
        "nodes:\n  - { name: Sub, type: flow, flow: sub.yaml, inputs: { t: '${secrets.x}' } }\n",
    )
    .file("sub.yaml", "inputs: { t: { type: string } }\nnodes: []\n");
    passed_on
        .output(["validate", "flow.yaml"])
        .exits(3)
        .says("cannot be passed to a sub-flow");
}

#[test]
fn a_secret_fits_its_port_and_its_name_need_not() {
    let test = with(
        "nodes:\n  - { name: Card, type: skill, inputs: { token: '${secrets.t}' } }\noutputs: { l: '${Card.output.length}' }\n",
    )
    .file(
        "skills/Card/skill.yaml",
        "inputs:\n  token: { schema: { type: string, pattern: '^tok_[a-z]+$' } }\noutputs:\n  length: { value: '{{ token | length }}' }\n",
    )
    .env("FLOWCTL_SECRET_T", "tok_abcdef");
    assert_eq!(
        test.output(["run", "flow.yaml"]).exits(0).json(),
        json!({ "l": 10 })
    );
}

// ------------------------------------------------------------------------------------------------
// Skills
// ------------------------------------------------------------------------------------------------

#[test]
fn an_edited_template_changes_the_next_run_without_a_compiler() {
    let test = with("inputs: { who: { type: string, default: you } }\nnodes:\n  - { name: Card, type: skill }\noutputs: { text: '${Card.output.text}', files: '${Card.output.files[*].path}' }\n")
        .file("skills/Card/skill.yaml", "inputs:\n  who: { schema: { type: string } }\noutputs:\n  text: { value: 'for {{ who }}' }\nfiles:\n  - { source: templates, target: 'cards/{{ who | lower }}' }\n")
        .file("skills/Card/templates/card.md.tera", "Dear {{ who }},\n")
        .file("skills/Card/templates/plain.txt", "{{ not a template }}\n");
    let given = test
        .output(["run", "flow.yaml", "-i", "who=Ada"])
        .exits(0)
        .json();
    assert_eq!(
        given,
        json!({ "text": "for Ada", "files": ["cards/ada/card.md", "cards/ada/plain.txt"] })
    );
    assert_eq!(test.read("cards/ada/card.md"), "Dear Ada,\n");
    assert_eq!(test.read("cards/ada/plain.txt"), "{{ not a template }}\n");
    test.edit("skills/Card/templates/card.md.tera", "Dear", "Hello");
    test.output(["run", "flow.yaml", "-i", "who=Ada"]).exits(0);
    assert_eq!(test.read("cards/ada/card.md"), "Hello Ada,\n");
    // Broken when it is read: nothing runs. Broken when it is rendered: the node fails. Both say where.
    test.write(
        "skills/Card/templates/card.md.tera",
        "line\n{{ who | shout }}\n",
    );
    assert_snapshot!(test.run(["run", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[template::syntax]: unknown filter `shout`
     --> skills/Card/templates/card.md.tera:2:10
      |
    2 | {{ who | shout }}
      |          ^^^^^
    "#);
    test.write(
        "skills/Card/templates/card.md.tera",
        "line\n  {{ whom.name }}\n",
    );
    assert_snapshot!(failure(&test), @r#"
    failed: `Card`: skills/Card/templates/card.md.tera:2:6: variable `whom` is not defined. Available variables: who
    help: correct the template and run again; nothing is compiled
    "#);
    assert_eq!(test.read("cards/ada/card.md"), "Hello Ada,\n");
}

#[test]
fn a_persona_is_a_folder_too() {
    let test = with("nodes:\n  - { name: Greeter, type: persona }\n").file(
        "skills/Greeter/skill.yaml",
        "kind: persona\noutputs:\n  text: { value: hi }\n",
    );
    test.output(["run", "flow.yaml"]).exits(0);
    assert_eq!(
        test.lines("artifacts/evidence/runs/Greeter.jsonl").len(),
        1,
        "personas leave evidence"
    );
    test.write(
        "skills/Greeter/skill.yaml",
        "kind: skill\noutputs:\n  text: { value: hi }\n",
    );
    test.output(["run", "flow.yaml"])
        .exits(3)
        .says("tool::unknown-persona");
}

// ------------------------------------------------------------------------------------------------
// Sub-flows and foreach
// ------------------------------------------------------------------------------------------------

#[test]
fn a_sub_flow_has_inputs_defaults_and_outputs() {
    let test = with("nodes:\n  - { name: Sub, type: flow, flow: parts/sub.yaml, inputs: { a: 1 } }\n  - { name: Again, type: flow, flow: parts/sub.yaml, inputs: { a: '${Sub.output.sum}', b: 5 } }\noutputs: { s: '${Again.output.sum}' }\n")
        .file("parts/sub.yaml", "inputs: { a: { type: integer }, b: { type: integer, default: 10 } }\nnodes:\n  - { name: Sum, type: process, command: [echo, '{{ inputs.a + inputs.b }}'], output: json }\noutputs: { sum: '${Sum.output}' }\n");
    assert_eq!(outputs(&test), json!({ "s": 16 }));
    let shown = test.output(["show", "latest", "--json"]).json();
    assert_eq!(
        shown["nodes"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["Sub", "Sub/Sum", "Again", "Again/Sum"]
    );
    test.write(
        "parts/sub.yaml",
        "nodes:\n  - { name: Bad, type: process, command: ['false'] }\n",
    );
    test.write(
        "flow.yaml",
        "nodes:\n  - { name: Sub, type: flow, flow: parts/sub.yaml }\n",
    );
    assert_snapshot!(failure(&test), @r#"
    failed: `Sub/Bad`: `false` exited with code 1
    help: `flowctl logs <run> Sub/Bad` shows all that it printed
    "#);
}

#[test]
fn foreach_gives_a_list_in_input_order_whatever_ends_first() {
    let test = with(
        "inputs: { items: { type: list, default: [3, 1, 2] } }
nodes:
  - { name: Each, type: process, command: [sh, -c, 'sleep 0.$0; echo $0', '${item}'], foreach: '${inputs.items}', output: json }
  - { name: Sum, type: process, command: [echo, '{{ Each.output | join(sep=\"+\") }}'] }
outputs: { each: '${Each.output}', sum: '${Sum.output.stdout}', last: '${Each.output[-1]}' }
",
    );
    assert_eq!(
        outputs(&test),
        json!({ "each": [3, 1, 2], "sum": "3+1+2\n", "last": 2 })
    );
    let shown = test
        .output(["show", "latest", "Each[1]", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["output"], 1);
    let empty = test.output(["run", "flow.yaml", "-i", "items=[]"]);
    assert_eq!(
        empty.code, 4,
        "`${{Each.output[-1]}}` of an empty list has no value: {}",
        empty.stderr
    );
    let test = with(
        "nodes:\n  - { name: Each, type: process, command: [echo, '${item}'], foreach: [] }\noutputs: { each: '${Each.output}' }\n",
    );
    assert_eq!(outputs(&test), json!({ "each": [] }));
    assert_snapshot!(failure(&with("inputs: { n: { type: object, default: { a: 1 } } }\nnodes:\n  - { name: Each, type: process, command: [echo, '${item}'], foreach: '${inputs.n}' }\n")), @r#"failed: `Each`: `foreach` needs a list, and this is an object"#);
    assert_snapshot!(failure(&with("nodes:\n  - { name: Each, type: process, command: [sh, -c, 'test $0 != b', '${item}'], foreach: [a, b, c] }\n")), @r#"
    failed: `Each[1]`: `sh` exited with code 1
    help: `flowctl logs <run> 'Each[1]'` shows all that it printed
    "#);
}

#[test]
fn a_resume_repeats_only_the_items_and_inner_nodes_that_failed() {
    let test = with(
        "nodes:
  - { name: Each, type: process, command: [sh, -c, 'echo $0 >> each; test $0 != b || test -e go', '${item}'], foreach: [a, b, c] }
  - { name: Sub, type: flow, flow: sub.yaml, after: [Each] }
",
    )
    .file(
        "sub.yaml",
        "order: sequential
nodes:
  - { name: X, type: process, command: [sh, -c, 'echo x >> inner'] }
  - { name: Y, type: process, command: [sh, -c, 'echo y >> inner; test -e further'] }
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    test.write("go", "");
    test.output(["resume", "r"]).exits(4);
    test.write("further", "");
    test.output(["resume", "r"]).exits(0);
    let mut each = test.lines("each");
    each.sort();
    assert_eq!(each, ["a", "b", "b", "c"]);
    assert_eq!(test.lines("inner"), ["x", "y", "y"]);
}

#[test]
fn concurrency_is_limited() {
    let test = with(
        "nodes:\n  - { name: Each, type: process, foreach: [1, 2, 3, 4, 5, 6], command: [sh, -c, 'mkdir lock.d || exit 1; sleep 0.02; rmdir lock.d', '${item}'] }\n",
    );
    test.output(["run", "flow.yaml", "--concurrency", "1"])
        .exits(0);
    // Two that wait for each other end only when they run side by side.
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'touch a; while ! test -e b; do sleep 0.02; done'] }\n  - { name: B, type: process, command: [sh, -c, 'touch b; while ! test -e a; do sleep 0.02; done'] }\n",
    );
    test.output(["run", "flow.yaml"]).exits(0);
    test.output(["run", "flow.yaml", "--concurrency", "0"])
        .exits(2);
}

#[test]
fn sequential_order_is_the_order_of_the_file() {
    let step = |name: &str| {
        format!(
            "  - {{ name: {name}, type: process, command: [sh, -c, 'echo {name} >> order; sleep 0.0$RANDOM'] }}\n"
        )
    };
    let test = with(&format!(
        "order: sequential\nnodes:\n{}",
        ["C", "A", "D", "B"].map(step).concat()
    ));
    test.output(["run", "flow.yaml"]).exits(0);
    assert_eq!(test.lines("order"), ["C", "A", "D", "B"]);
}

// ------------------------------------------------------------------------------------------------
// Conditions, retries and errors
// ------------------------------------------------------------------------------------------------

#[test]
fn when_and_activate_decide() {
    let test = with(
        "inputs: { n: { type: integer, default: 3 }, env: { type: string, default: dev } }
nodes:
  - { name: A, type: process, command: [echo, '{\"score\": 5}'], output: json }
  - { name: Big, type: process, command: [echo, big], when: 'inputs.n > 2 and A.output.score == 5' }
  - { name: Small, type: process, command: [echo, small], when: 'inputs.n <= 2' }
  - { name: Prod, type: process, command: [echo, prod], activate: { when: '${inputs.env}', is: prod } }
  - { name: Never, type: process, command: [echo, never], when: false }
  - { name: After, type: process, command: [echo, after], after: [Small, Prod] }
",
    );
    let statuses = |args: &[&str]| {
        let shown = test
            .output([&["run", "flow.yaml", "--json"], args].concat())
            .exits(0)
            .json();
        ["Big", "Small", "Prod", "Never", "After"]
            .map(|node| shown["nodes"][node]["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        statuses(&[]),
        ["succeeded", "bypassed", "bypassed", "bypassed", "succeeded"]
    );
    assert_eq!(
        statuses(&["-i", "n=1", "-i", "env=prod"]),
        [
            "bypassed",
            "succeeded",
            "succeeded",
            "bypassed",
            "succeeded"
        ]
    );
    assert_snapshot!(test.run(["show", "latest", "Big"]), @r#"
    exit 0
    --- stdout
    Big of run <run>: bypassed (`when` does not hold)
    "#);
    assert_snapshot!(failure(&with("inputs: { n: { type: object, default: {} } }\nnodes:\n  - { name: A, type: process, command: ['true'], when: 'inputs.n.gone > 1' }\n")), @r#"failed: `A`: the template cannot be rendered: cannot compare `undefined` with `i64`"#);
}

#[test]
fn retries_are_counted_and_wait() {
    let test = with(
        "nodes:
  - name: Flaky
    type: process
    command: [sh, -c, 'echo x >> tries; test $(wc -l < tries) -ge 3']
    retry: { attempts: 4, backoff: { initial: 150ms, factor: 2 } }
",
    );
    let begun = std::time::Instant::now();
    let shown = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["nodes"]["Flaky"]["status"], "succeeded");
    assert_eq!(test.lines("tries").len(), 3);
    assert!(
        begun.elapsed() >= std::time::Duration::from_millis(450),
        "150 ms, then 300 ms"
    );
    assert_eq!(
        (
            test.count("r", "node_started", "Flaky"),
            test.count("r", "node_failed", "Flaky")
        ),
        (3, 2)
    );
    let keys: std::collections::BTreeSet<String> = test
        .events("r")
        .iter()
        .filter(|event| event["event"] == "node_started")
        .map(|event| event["data"]["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys.len(), 1, "every attempt has the same idempotency key");

    let test = with(
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> tries; exit 1'], retry: { attempts: 3, backoff: { initial: 1ms } } }\n",
    );
    test.output(["run", "flow.yaml"]).exits(4);
    assert_eq!(test.lines("tries").len(), 3);
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> tries; exit 1'], retry: { attempts: 3, backoff: { initial: 1ms }, on: [timeout] } }\n",
    );
    test.output(["run", "flow.yaml"]).exits(4);
    assert_eq!(test.lines("tries").len(), 1, "an error is no timeout");
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> tries; exec sleep 30'], timeout: 100ms, retry: { attempts: 2, backoff: { initial: 1ms }, on: [timeout] } }\n",
    );
    test.output(["run", "flow.yaml"]).exits(4);
    assert_eq!(test.lines("tries").len(), 2);
}

#[test]
fn on_error_fail_lets_running_nodes_end_and_starts_nothing_new() {
    let test = with(
        "nodes:
  - { name: Bad, type: process, command: [sh, -c, 'while ! test -e begun; do sleep 0.02; done; exit 1'] }
  - { name: Long, type: process, command: [sh, -c, 'touch begun; sleep 0.3; touch ended'] }
  - { name: Next, type: process, command: [touch, next], after: [Long] }
  - { name: Gate, type: approval, approval: { scope: dependants } }
",
    );
    let shown = test.output(["run", "flow.yaml", "--json"]).exits(4).json();
    assert_eq!((test.exists("ended"), test.exists("next")), (true, false));
    let status = |node: &str| shown["nodes"][node]["status"].clone();
    assert_eq!(
        [status("Bad"), status("Long"), status("Next")],
        ["failed", "succeeded", "pending"]
    );
    assert_eq!(shown["waiting"], json!([]), "open gates are withdrawn");
}

#[test]
fn on_error_continue_goes_on_without_an_output() {
    let test = with(
        "nodes:
  - { name: Bad, type: process, command: ['false'], on_error: continue }
  - { name: Next, type: process, command: [echo, done], after: [Bad] }
  - { name: Reads, type: process, command: [cat], output: json, inputs: { bad: '${Bad.output}' } }
  - { name: Both, type: process, command: [cat], output: json, inputs: { bad: '${Bad.output}', next: '${Next.output.stdout}' } }
outputs: { next: '${Next.output.stdout}', reads: '${Reads.output}' }
",
    );
    let shown = test.output(["run", "flow.yaml", "--json"]).exits(0).json();
    assert_eq!(shown["nodes"]["Bad"]["status"], "failed");
    // What reads nothing but failed nodes has nothing to do.
    assert_eq!(shown["nodes"]["Reads"]["status"], "bypassed");
    assert_eq!(
        shown["nodes"]["Both"]["output"],
        json!({ "bad": null, "next": "done\n" })
    );
    assert_eq!(shown["outputs"], json!({ "next": "done\n", "reads": null }));
}

#[test]
fn a_fallback_stands_in_for_a_failed_node() {
    let yaml = |first: &str| {
        format!(
            "nodes:
  - {{ name: Fast, type: process, command: ['{first}'], on_error: Slow }}
  - {{ name: Slow, type: process, command: [echo, slow] }}
  - {{ name: Next, type: process, command: [cat], output: json, inputs: {{ got: '${{Fast.output.stdout}}' }} }}
outputs: {{ got: '${{Next.output.got}}' }}
"
        )
    };
    let test = with(&yaml("false"));
    let shown = test.output(["run", "flow.yaml", "--json"]).exits(0).json();
    assert_eq!(shown["outputs"], json!({ "got": "slow\n" }));
    assert_eq!(
        (
            &shown["nodes"]["Fast"]["status"],
            &shown["nodes"]["Slow"]["status"]
        ),
        (&json!("failed"), &json!("succeeded"))
    );
    let shown = with(&yaml("true"))
        .output(["run", "flow.yaml", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["outputs"], json!({ "got": "" }));
    assert_eq!(shown["nodes"]["Slow"]["status"], "bypassed");
}

#[test]
fn fallbacks_may_have_fallbacks() {
    let yaml = |last: &str| {
        format!(
            "nodes:
  - {{ name: A, type: process, command: ['false'], on_error: B }}
  - {{ name: B, type: process, command: ['false'], on_error: C }}
  - {{ name: C, type: process, command: [{last}, c] }}
outputs: {{ o: '${{A.output.stdout}}' }}
"
        )
    };
    assert_eq!(outputs(&with(&yaml("echo"))), json!({ "o": "c\n" }));
    let shown = with(&yaml("'false'"))
        .output(["run", "flow.yaml", "--json"])
        .exits(4)
        .json();
    assert_eq!(shown["error"]["node"], "C");
}

#[test]
fn foreach_may_go_on_without_the_items_that_fail() {
    let test = with(
        "nodes:
  - { name: Each, type: process, command: [sh, -c, 'test $0 != 2 && echo $0', '${item}'], foreach: [1, 2, 3], output: json, on_error: continue }
outputs: { each: '${Each.output}' }
",
    );
    assert_eq!(outputs(&test), json!({ "each": [1, null, 3] }));
}

#[test]
fn foreach_nests_through_sub_flows() {
    let test = with(
        "nodes:
  - { name: A, type: flow, flow: sub.yaml, foreach: [1, 2], inputs: { x: '${item}' } }
outputs: { a: '${A.output[*].b[*]}' }
",
    )
    .file(
        "sub.yaml",
        "inputs: { x: { type: integer } }
nodes:
  - { name: B, type: process, foreach: ['${inputs.x}', 9], command: [echo, '${item}'], output: json }
outputs: { b: '${B.output}' }
",
    );
    assert_eq!(outputs(&test), json!({ "a": [1, 9, 2, 9] }));
    test.output(["show", "latest", "A[1]/B[0]"]).exits(0);
}

#[test]
fn a_bypassed_gate_asks_nobody() {
    let test = with(
        "nodes:
  - { name: Ok, type: approval, when: '1 > 2' }
  - { name: D, type: process, command: [echo, d], after: [Ok] }
outputs: { d: '${D.output.stdout}', by: '${Ok.output.by}' }
",
    );
    assert_eq!(outputs(&test), json!({ "d": "d\n", "by": null }));
}

// ------------------------------------------------------------------------------------------------
// Strings
// ------------------------------------------------------------------------------------------------

#[test]
fn escapes_and_other_systems_expressions_stay() {
    let test = with(
        "inputs: { n: { type: integer, default: 7 }, list: { type: list, default: [a, b] } }
nodes:
  - name: A
    type: process
    command: [cat]
    output: json
    inputs:
      escaped: 'cost: $${inputs.n} $$ $'
      foreign: 'a ${{ parameters.x }} and ${{ github.ref }} b'
      both: '${{ x }}-${inputs.n}-{{ inputs.n * 2 }}'
      template: '{% for item in inputs.list %}<{{ item }}>{% endfor %}'
      whole: ${inputs.list}
      inside: 'list: ${inputs.list}, n: ${inputs.n}'
      quoted: ${inputs.list[?@ == 'b']}
      plain: '{ } {x} $x'
outputs: { all: '${A.output}' }
",
    );
    assert_eq!(
        outputs(&test)["all"],
        json!({
            "escaped": "cost: ${inputs.n} $$ $",
            "foreign": "a ${{ parameters.x }} and ${{ github.ref }} b",
            "both": "${{ x }}-7-14",
            "template": "<a><b>",
            "whole": ["a", "b"],
            "inside": "list: [\"a\",\"b\"], n: 7",
            "quoted": ["b"],
            "plain": "{ } {x} $x",
        })
    );
}

#[test]
fn a_missing_key_names_the_keys_that_are_there() {
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [echo, '{\"alpha\": 1, \"beta\": {}}'], output: json }\n  - { name: B, type: process, command: [echo, '${A.output.alhpa}'] }\n",
    );
    assert_snapshot!(failure(&test), @r#"failed: `B`: its command: `${A.output.alhpa}`: there is no `alhpa`; there is `alpha` or `beta`"#);
    let test = with(
        "nodes:\n  - { name: A, type: process, command: [echo, '{\"alpha\": 1}'], output: json }\noutputs: { x: '${A.output.beta}' }\n",
    );
    assert_snapshot!(failure(&test), @r#"failed: the flow's outputs have no value: `${A.output.beta}`: there is no `beta`; there is `alpha`"#);
}

#[test]
fn the_environment_is_frozen_when_the_run_begins() {
    let mut test = with("nodes:\n  - { name: Ok, type: approval }\n  - { name: A, type: process, command: [echo, '${env.STAGE} {{ env.STAGE }}'] }\noutputs: { o: '${A.output.stdout}' }\n").env("STAGE", "blue");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test = test.env("STAGE", "green");
    assert_eq!(
        test.output(["approve", "r", "--resume"]).exits(0).json(),
        json!({ "o": "blue blue\n" })
    );
}

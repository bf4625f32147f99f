//! `notify:`: commands and servers are told of pauses and ends, at least once, and no run fails for it.

use insta::assert_snapshot;
use serde_json::json;

#[cfg(feature = "llm")]
use crate::harness::until;
use crate::harness::{Test, append};
#[cfg(feature = "llm")]
use crate::server::{Server, reply};

const FLOW: &str = "inputs: { secret_plan: { type: string, default: hush } }
nodes:
  - { name: Ok, type: approval, approval: { timeout: 1h }, inputs: { plan: '${inputs.secret_plan}' } }
  - { name: After, type: process, command: ['true'] }
notify:
  - { on: [paused, succeeded, rejected], command: [sh, -c, 'cat >> told; echo $FLOWCTL_NOTIFICATION_ID >> ids'] }
";

fn told(test: &Test) -> Vec<serde_json::Value> {
    test.lines("told")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_command_is_told_of_the_pause_and_the_end() {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let paused = &told(&test)[0];
    let request = test
        .events("r")
        .into_iter()
        .find(|event| event["event"] == "approval_requested")
        .unwrap();
    assert_eq!(paused["event"], "paused");
    assert_eq!(paused["id"], "r:3:0");
    assert_eq!(paused["waiting"][0]["digest"], request["data"]["digest"]);
    assert_eq!(
        paused["waiting"][0]["deadline"],
        request["data"]["deadline"]
    );
    assert_eq!(paused["command"], "flowctl review r");
    assert!(!test.read("told").contains("hush"), "no inputs");
    // Nothing new has happened: nobody is told again.
    test.output(["resume", "r"]).exits(5);
    assert_eq!(told(&test).len(), 1);
    test.output(["approve", "r", "--resume"]).exits(0);
    let told = told(&test);
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[1]["event"], &told[1]["status"]),
        (&json!("succeeded"), &json!("succeeded"))
    );
    assert_eq!(
        test.lines("ids"),
        [
            "r:3:0".to_owned(),
            told[1]["id"].as_str().unwrap().to_owned()
        ]
    );
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.lines("told").len(), 2);
}

#[test]
fn who_was_not_told_when_a_crash_came_is_told_later() {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    // As if the process had died before the line was whole.
    test.write("artifacts/runs/r/notified.jsonl", "");
    append(
        &test.path("artifacts/runs/r/notified.jsonl"),
        b"{\"seq\":3,\"ev",
    );
    test.output(["resume", "r"]).exits(5);
    let told = told(&test);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1], "the same id, and the same to the letter");
    test.output(["reject", "r", "--reason", "no"]).exits(0);
    assert_eq!(
        test.lines("ids"),
        [
            "r:3:0",
            "r:3:0",
            self::told(&test)[2]["id"].as_str().unwrap()
        ]
    );
    assert_eq!(self::told(&test)[2]["node"], "Ok");
}

#[test]
fn a_failing_notification_fails_no_run() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: A, type: process, command: ['true'] }
notify:
  - { on: succeeded, command: [sh, -c, 'echo x >> tries; echo the pager is away >&2; exit 3'] }
  - { on: succeeded, command: [no-such-program-anywhere] }
  - { on: failed, command: [sh, -c, 'echo x >> never'] }
",
    );
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r"]), @r"
    exit 0
    --- stderr
    run r of flow
      A             succeeded in <duration>
    warning: the program `sh` was not told: it ended with exit code 3: the pager is away
    warning: the program `no-such-program-anywhere` was not told: it cannot be started: No such file or directory (os error 2)
    succeeded: run r
      evidence artifacts/evidence/bundles/flow
    ");
    assert_eq!(test.lines("tries").len(), 4);
    assert!(!test.exists("never"));
    assert_snapshot!(test.run(["show", "r"]), @r"
    exit 0
    --- stdout
    run r of flow: succeeded
    started by <user> at <time>, from flow.yaml

      A  succeeded <duration>

    evidence artifacts/evidence/bundles/flow

    the program `sh` was not told that the run is succeeded (4 attempts): it ended with exit code 3: the pager is away

    the program `no-such-program-anywhere` was not told that the run is succeeded: it cannot be started: No such file or directory (os error 2)
    ");
    test.output(["resume", "r"]).exits(0);
    assert_eq!(
        test.lines("tries").len(),
        4,
        "it was tried as often as it is worth"
    );
}

#[cfg(feature = "llm")]
#[test]
fn a_server_is_told_with_a_secret_that_nobody_sees() {
    let server = Server::start(|_, number, stream| {
        let status = if number == 0 {
            "503 Service Unavailable"
        } else {
            "204 No Content"
        };
        reply(stream, status, "", b"");
    });
    let test = Test::new()
        .env("FLOWCTL_SECRET_HOOK", "tell-me-of-it")
        .file(
            "flow.yaml",
            format!(
                "nodes:\n  - {{ name: Ok, type: approval }}\nnotify:\n  - {{ on: paused, url: '{}', headers: {{ authorization: 'Bearer ${{secrets.hook}}' }} }}\n",
                server.url("/hook/${secrets.hook}")
            ),
        );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let received = server.received();
    assert_eq!(received.len(), 2, "a busy server is asked again");
    for request in &received {
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/hook/tell-me-of-it")
        );
        assert_eq!(
            request.header("authorization"),
            Some("Bearer tell-me-of-it")
        );
        assert_eq!(request.header("idempotency-key"), Some("r:3:0"));
        assert_eq!(request.json()["event"], "paused");
    }
    for entry in std::fs::read_dir(test.path("artifacts/runs/r"))
        .unwrap()
        .flatten()
    {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&text).contains("tell-me-of-it"),
            "{:?}",
            entry.path()
        );
    }
    // Without the secret nothing is begun: what is not known cannot be kept out of what nodes say.
    Test::new()
        .file("flow.yaml", test.read("flow.yaml"))
        .output(["run", "flow.yaml"])
        .exits(2)
        .says("FLOWCTL_SECRET_HOOK");
}

#[cfg(feature = "llm")]
#[test]
fn nobody_who_answers_waits_for_a_slow_server() {
    let server = Server::start(|_, _, stream| {
        std::thread::sleep(std::time::Duration::from_secs(8));
        reply(stream, "204 No Content", "", b"");
    });
    let test = Test::new().file("flow.yaml", format!("nodes:\n  - {{ name: Ok, type: approval }}\nnotify:\n  - {{ on: paused, url: '{}' }}\n", server.url("/")));
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the server is told", || server.received().len() == 1);
    let begun = std::time::Instant::now();
    test.output(["approve", "r", "--resume"]).exits(0);
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(driver.wait().code, 5);
    assert_eq!(
        test.output(["show", "r", "--json"]).json()["status"],
        "succeeded"
    );
}

#[test]
fn mistakes_in_it_are_found_before_anything_runs() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: A, type: process, command: ['true'] }
notify:
  - { on: pause, command: [x] }
  - { on: [], url: 'ftp://x' }
  - { command: x y }
  - { on: failed }
  - { on: failed, command: ['${inputs.x}', '${A.output}'], url: 'https://h' }
  - { on: failed, cmd: [x] }
",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[flow::bad-value]: `on` cannot be `pause`
     --> flow.yaml:4:11
      |
    4 |   - { on: pause, command: [x] }
      |           ^^^^^
      |
      = help: did you mean `paused`?
      = help: write `paused`, `succeeded`, `failed`, `rejected` or `cancelled`

    error[flow::bad-value]: `on` is empty, so nobody is ever told
     --> flow.yaml:5:11
      |
    5 |   - { on: [], url: 'ftp://x' }
      |           ^^
      |
      = help: write `on: [paused]`

    error[flow::bad-value]: `url` is no address of the web
     --> flow.yaml:5:20
      |
    5 |   - { on: [], url: 'ftp://x' }
      |                    ^^^^^^^^^
      |
      = help: begin with `https://` or `http://`

    error[flow::missing-key]: an item of `notify` needs the key `on`
     --> flow.yaml:6:5
      |
    6 |   - { command: x y }
      |     ^^^^^^^^^^^^^^^^
      |
      = help: say when: `on: [paused, failed]`

    error[flow::wrong-type]: `command` must be a list
     --> flow.yaml:6:16
      |
    6 |   - { command: x y }
      |                ^^^ this is a string
      |
      = help: no shell splits it; write `command: [x, y]`

    error[flow::missing-key]: an item of `notify` needs the key `command` or `url`
     --> flow.yaml:7:5
      |
    7 |   - { on: failed }
      |     ^^^^^^^^^^^^^^
      |
      = help: say whom: `command: [PROGRAM, …]` or `url: https://HOST/PATH`

    error[expr::not-available]: `inputs.x` is not told to others by `notify`
     --> flow.yaml:8:30
      |
    8 |   - { on: failed, command: ['${inputs.x}', '${A.output}'], url: 'https://h' }
      |                              ^^^^^^^^^^^
      |
      = help: name `${secrets.NAME}`, `${env.NAME}` or `${run.id}`; what is told besides is in docs/notify.md

    error[expr::not-available]: `A.output` is not told to others by `notify`
     --> flow.yaml:8:45
      |
    8 |   - { on: failed, command: ['${inputs.x}', '${A.output}'], url: 'https://h' }
      |                                             ^^^^^^^^^^^
      |
      = help: name `${secrets.NAME}`, `${env.NAME}` or `${run.id}`; what is told besides is in docs/notify.md

    error[flow::conflict]: `url` and `command` exclude each other
     --> flow.yaml:8:60
      |
    8 |   - { on: failed, command: ['${inputs.x}', '${A.output}'], url: 'https://h' }
      |                                                            ^^^
      |
      = help: make two items of `notify` of it

    error[flow::missing-key]: an item of `notify` needs the key `command` or `url`
     --> flow.yaml:9:5
      |
    9 |   - { on: failed, cmd: [x] }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: say whom: `command: [PROGRAM, …]` or `url: https://HOST/PATH`

    error[flow::unknown-key]: an item of `notify` has no key `cmd`
     --> flow.yaml:9:19
      |
    9 |   - { on: failed, cmd: [x] }
      |                   ^^^
      |
      = help: the keys are `on`, `command`, `url` or `headers`

    error: 11 errors
    ");
}

#[test]
fn a_flow_of_prompt_flow_tells_too() {
    let test = Test::new()
        .file("flow.dag.yaml", "inputs: {}\noutputs: {}\nnodes:\n- { name: A, type: prompt, source: { type: code, path: a.jinja2 }, inputs: {} }\nnotify:\n- { on: succeeded, command: [sh, -c, 'cat >> told'] }\n")
        .file("a.jinja2", "hello");
    test.output(["run", ".", "--run-id", "r"]).exits(0);
    assert_eq!(told(&test)[0]["event"], "succeeded");
}

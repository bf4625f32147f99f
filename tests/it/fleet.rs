//! Many runs driven in one process: kills at random moments, deadlines, answers of other processes, limits.
//!
//! The process is this test program itself, told by a variable to be one: so it can be killed.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowctl::engine::{Begin, Engine, Fleet, FleetLimits, FleetState, SecretsFile, Who};
use flowctl::store::Layout;
use flowctl::value::Object;
use rustix::process::{Pid, Signal, kill_process};

use crate::crash::no_second_success;
use crate::harness::{Test, until};

const WORKSPACE: &str = "FLEET_TEST_WORKSPACE";

pub(crate) fn engine(test: &std::path::Path) -> Engine {
    Engine {
        layout: Layout::new(test),
        personas: Vec::new(),
        contracts: |_| None,
        who: Who {
            user: "ada".to_owned(),
            host: "h".to_owned(),
        },
        clock: jiff::Timestamp::now,
        secrets: SecretsFile::default(),
        signer: None,
        distance: flowctl::engine::Distance::default(),
        variable: |_| None,
        surroundings: flowctl::tool::Surroundings::default(),
    }
}

/// Is the process when it is told to, and does nothing otherwise. It writes where its runs stand into a
/// file, and ends at SIGTERM.
#[test]
fn fleet_process() {
    let Some(workspace) = std::env::var_os(WORKSPACE) else {
        return;
    };
    let workspace = std::path::PathBuf::from(workspace);
    let limits = FleetLimits {
        concurrency: 3,
        runs: 4,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let fleet = Fleet::new(engine(&workspace), limits, None);
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let watched = fleet.clone();
        let states = workspace.join("states");
        let asks = workspace.join("asks");
        tokio::spawn(async move {
            let mut signal =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
            loop {
                let text: String = watched
                    .standings()
                    .into_iter()
                    .map(|standing| format!("{} {:?}\n", standing.run, standing.state))
                    .collect();
                // Whole, or not there yet.
                fs::write(states.with_extension("new"), text).unwrap();
                fs::rename(states.with_extension("new"), &states).unwrap();
                if let Ok(wanted) = fs::read_to_string(&asks) {
                    fs::remove_file(&asks).unwrap();
                    for word in wanted.split_whitespace() {
                        let run = flowctl::id::RunId::parse(word.trim_start_matches('!')).unwrap();
                        let dir = watched_dir(&watched, &run);
                        if word.starts_with('!') {
                            watched.stop(&run);
                        } else {
                            watched.resume(&dir, "bob").unwrap();
                        }
                    }
                }
                tokio::select! {
                    _ = signal.recv() => break,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
            stop.send_replace(true);
            // The sender must live as long as the fleet does.
            std::future::pending::<()>().await;
        });
        fleet.run(stopped).await;
    });
    fs::write(workspace.join("ended"), "").unwrap();
}

fn watched_dir(_: &Fleet, run: &flowctl::id::RunId) -> flowctl::store::RunDir {
    let workspace = std::env::var_os(WORKSPACE).unwrap();
    Layout::new(workspace).run(run)
}

struct Process(Child);

impl Process {
    fn start(test: &Test) -> Self {
        _ = fs::remove_file(test.path("states"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fleet::fleet_process", "--nocapture"])
            .env(WORKSPACE, test.path(""))
            .current_dir(test.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// As a power cut would.
    fn kill(mut self) {
        self.signal(Signal::KILL);
        self.0.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    fn end(mut self, test: &Test) {
        until("it listens to signals", || test.exists("states"));
        self.signal(Signal::TERM);
        self.0.wait().unwrap();
        assert!(test.exists("ended"), "it ended by itself");
        fs::remove_file(test.path("ended")).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn status(test: &Test, run: &str) -> String {
    let shown = test.output(["show", run, "--json"]).exits(0).json();
    shown["status"].as_str().unwrap().to_owned()
}

fn last(test: &Test, run: &str) -> String {
    let events = test.events(run);
    let last = events.last().map(|event| event["event"].clone());
    last.and_then(|event| event.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Begins a run and kills its driver once it has done something, so that it is left in the middle.
fn leave_in_the_middle(test: &Test, run: &str) {
    let driver = test.spawn(["run", "flow.yaml", "--run-id", run]);
    until("it has begun", || !test.events(run).is_empty());
    driver.kill();
}

/// Steps with an effect each; the name of the run is in what they leave.
const STEPS: &str = "inputs: {}
nodes:
  - { name: A, type: process, command: [sh, -c, 'sleep 0.05; echo A >> did-$0; echo 1', '${run.id}'], output: json }
  - { name: B, type: process, command: [sh, -c, 'sleep 0.05; echo B >> did-$0; echo 2', '${run.id}'], output: json }
  - { name: C, type: process, command: [sh, -c, 'sleep 0.05; echo C >> did-$0; echo 3', '${run.id}'], output: json, after: [A, B] }
  - { name: D, type: process, command: [sh, -c, 'sleep 0.05; echo D >> did-$0; echo 4', '${run.id}'], output: json, after: [C] }
outputs: { a: '${A.output}', b: '${B.output}', c: '${C.output}', d: '${D.output}' }
";

#[test]
fn kills_with_many_runs_in_flight_lose_nothing() {
    let test = Test::new().file("flow.yaml", STEPS);
    let runs: Vec<String> = (0..8).map(|at| format!("r{at}")).collect();
    for run in &runs {
        leave_in_the_middle(&test, run);
    }
    let mut seed = 11_u64;
    let mut moment = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((seed >> 33) % 250 + 30)
    };
    let done = || {
        runs.iter()
            .filter(|run| last(&test, run) == "run_sealed")
            .count()
    };
    let mut kills = 0;
    while kills < 12 && done() < runs.len() {
        let process = Process::start(&test);
        std::thread::sleep(moment());
        process.kill();
        kills += 1;
    }
    assert!(kills >= 3, "{kills}");
    let process = Process::start(&test);
    until("all runs have ended", || done() == runs.len());
    process.end(&test);
    for run in &runs {
        no_second_success(&test, run);
        let shown = test.output(["show", run, "--json"]).exits(0).json();
        assert_eq!(
            shown["outputs"],
            serde_json::json!({ "a": 1, "b": 2, "c": 3, "d": 4 })
        );
        let did = test.lines(&format!("did-{run}"));
        for node in ["A", "B", "C", "D"] {
            let times = did.iter().filter(|line| *line == node).count();
            assert!((1..=kills + 2).contains(&times), "{run} {node}: {times}");
        }
    }
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn no_more_nodes_and_runs_at_once_than_there_may_be() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Each, type: process, foreach: [1, 2, 3, 4, 5, 6], command: [sh, -c, 'mkdir -p now; touch now/$$; ls now | wc -l >> seen; test -e go && sleep 0.1; rm now/$$; test -e go'], retry: { attempts: 50, backoff: { initial: 1s } } }\n");
    for at in 0..5 {
        leave_in_the_middle(&test, &format!("r{at}"));
    }
    std::thread::sleep(Duration::from_millis(300));
    _ = fs::remove_dir_all(test.path("now"));
    _ = fs::remove_file(test.path("seen"));
    test.write("go", "");
    let process = Process::start(&test);
    until("all runs have ended", || {
        (0..5).all(|at| last(&test, &format!("r{at}")) == "run_sealed")
    });
    process.end(&test);
    let seen: Vec<usize> = test
        .lines("seen")
        .iter()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(seen.iter().max(), Some(&3), "{seen:?}");
}

#[test]
fn paused_runs_go_on_once_others_answer_and_deadlines_are_kept() {
    let test = Test::new()
        .file("flow.yaml", "nodes:\n  - { name: Ok, type: approval }\n  - { name: After, type: process, command: [sh, -c, 'echo x >> after'] }\n")
        .file("late.yaml", "nodes:\n  - { name: Ok, type: approval, approval: { timeout: 2s } }\n");
    test.output(["run", "flow.yaml", "--run-id", "asked"])
        .exits(5);
    test.output(["run", "late.yaml", "--run-id", "late"])
        .exits(5);
    let process = Process::start(&test);
    until("they are known as paused", || {
        test.lines("states")
            .iter()
            .filter(|line| line.contains("Paused"))
            .count()
            == 2
    });
    // The answer is another process's; nobody says `--resume`.
    test.output(["approve", "asked"]).exits(0);
    until("the run has gone on", || {
        last(&test, "asked") == "run_sealed"
    });
    until("the time is up", || last(&test, "late") == "run_sealed");
    assert_eq!(test.lines("after").len(), 1);
    assert_eq!(status(&test, "late"), "rejected");
    // One that others begin while it looks on.
    test.output(["run", "flow.yaml", "--run-id", "new"])
        .exits(5);
    test.output(["approve", "new"]).exits(0);
    until("the new run has gone on", || {
        last(&test, "new") == "run_sealed"
    });
    process.end(&test);
}

#[test]
fn what_cannot_be_driven_disturbs_nobody() {
    let test = Test::new()
        .file("flow.yaml", STEPS)
        .file("failing.yaml", "nodes:\n  - { name: No, type: process, command: [sh, -c, 'echo x >> tried; test -e go'] }\n");
    leave_in_the_middle(&test, "damaged");
    leave_in_the_middle(&test, "whole");
    test.output(["run", "failing.yaml", "--run-id", "failed"])
        .exits(4);
    let mut bytes = fs::read(test.journal("damaged")).unwrap();
    bytes[30] ^= 1;
    fs::write(test.journal("damaged"), &bytes).unwrap();
    let process = Process::start(&test);
    until("the whole one has ended", || {
        last(&test, "whole") == "run_sealed"
    });
    until("the damaged one is reported", || {
        test.lines("states")
            .iter()
            .any(|line| line.starts_with("damaged Troubled") && line.contains("line 1 of"))
    });
    assert_eq!(fs::read(test.journal("damaged")).unwrap(), bytes);
    // A failure is an end: it is tried again when somebody says so.
    assert_eq!(test.lines("tried").len(), 1);
    test.write("go", "");
    test.write("asks", "failed");
    until("it was tried again", || test.lines("tried").len() == 2);
    until("it has ended", || last(&test, "failed") == "run_sealed");
    process.end(&test);
    assert_eq!(status(&test, "failed"), "succeeded");
}

#[test]
fn what_was_asked_for_is_not_forgotten_over_trouble_that_passes() {
    let test = Test::new().file("failing.yaml", "nodes:\n  - { name: No, type: process, command: [sh, -c, 'echo x >> tried; test -e go'] }\n");
    test.output(["run", "failing.yaml", "--run-id", "failed"])
        .exits(4);
    let process = Process::start(&test);
    until("it listens", || test.exists("states"));
    // Its lock cannot be had: a folder stands in its place.
    let lock = test.path("artifacts/runs/failed/lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    test.write("go", "");
    test.write("asks", "failed");
    until("it is in trouble", || {
        let states = test.lines("states");
        states
            .iter()
            .any(|line| line.starts_with("failed Troubled"))
    });
    fs::remove_dir(&lock).unwrap();
    until("it was tried again", || test.lines("tried").len() == 2);
    until("it has ended", || last(&test, "failed") == "run_sealed");
    process.end(&test);
    let events = test.events("failed");
    let resumed = events
        .iter()
        .rfind(|event| event["event"] == "run_resumed")
        .unwrap();
    assert_eq!(resumed["data"]["by"], "bob");
}

#[test]
fn a_run_that_was_stopped_stays_so_until_it_is_resumed() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Slow, type: process, command: [sh, -c, 'echo x >> slow; test -e go || exec sleep 60'] }\n");
    leave_in_the_middle(&test, "r");
    // The one before may have begun it: what counts is that this one has.
    let starts = || test.count("r", "node_started", "Slow");
    let before = starts();
    let process = Process::start(&test);
    let begun = Instant::now();
    until("its node runs", || starts() > before);
    test.write("asks", "!r");
    until("it is stopped", || {
        test.lines("states").iter().any(|line| line == "r Stopped")
    });
    assert!(begun.elapsed() < Duration::from_secs(20));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(test.lines("states"), ["r Stopped"]);
    test.write("go", "");
    test.write("asks", "r");
    until("it has ended", || last(&test, "r") == "run_sealed");
    let resumed = test
        .events("r")
        .into_iter()
        .rfind(|event| event["event"] == "run_resumed")
        .unwrap();
    assert_eq!(resumed["data"]["by"], "bob");
    process.end(&test);
}

#[test]
fn a_run_begins_below_the_workspace_only() {
    let outside = Test::new().file("flow.yaml", STEPS);
    let test = Test::new()
        .file(
            "flows/a.yaml",
            "nodes:\n  - { name: A, type: process, command: [echo, '1'], output: json }\n",
        )
        .file("artifacts/x.yaml", STEPS)
        .file(".git/x.yaml", STEPS)
        .file("flows/notes.txt", STEPS);
    std::os::unix::fs::symlink(outside.path("flow.yaml"), test.path("flows/out.yaml")).unwrap();
    std::os::unix::fs::symlink(test.path("artifacts"), test.path("flows/in")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let limits = FleetLimits {
            concurrency: 2,
            runs: 1,
        };
        let fleet = Fleet::new(engine(&test.path("")), limits, None);
        let begin = |flow: &str| Begin {
            flow: flow.to_owned(),
            inputs: Object::new(),
            id: None,
            by: "bob".to_owned(),
        };
        for flow in [
            "",
            "/etc/passwd",
            "../flow.yaml",
            "flows/../../flow.yaml",
            "flows/out.yaml",
            "flows/in/x.yaml",
            "artifacts/x.yaml",
            ".git/x.yaml",
            "flows/notes.txt",
            "flows",
            "flows/none.yaml",
            "a\0.yaml",
        ] {
            let refused = fleet.start(&begin(flow)).expect_err(flow).to_string();
            assert!(refused.starts_with("the flow `"), "{flow}: {refused}");
            assert!(!refused.contains("tmp"), "{refused}");
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut happened = fleet.happened();
        let driving = tokio::spawn({
            let fleet = fleet.clone();
            async move { fleet.run(stopped).await }
        });
        let run = fleet.start(&begin("flows/a.yaml")).unwrap();
        while let Ok(found) = happened.recv().await {
            assert_eq!(found.run, run);
            if found.event == "run_sealed" {
                break;
            }
        }
        let begun = &test.events(run.as_str())[0];
        assert_eq!(begun["data"]["by"], "bob");
        stop.send_replace(true);
        driving.await.unwrap();
        assert!(
            !fleet
                .standings()
                .iter()
                .any(|standing| standing.state == FleetState::Driven)
        );
    });
}

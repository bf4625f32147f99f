//! A hundred people at one gate, and a server that dies now and then: exactly as many answers count as the
//! gate asks for, everybody is told the truth, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::api::{Served, post};
use crate::harness::{Test, until};

const DECIDERS: usize = 100;
/// How many answers count.
const QUORUM: usize = 1;

/// What a decider was told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Accepted,
    Refused,
}

/// Lets all answer at once, and gives what each was told; `port` changes when the server is started anew.
fn all_answer(test: &Test, port: &Arc<AtomicUsize>, run: &str) -> BTreeMap<String, Told> {
    let request = test
        .events(run)
        .into_iter()
        .rfind(|event| event["event"] == "approval_requested")
        .unwrap();
    let body = json!({ "node": "Ok", "digest": request["data"]["digest"], "decision": "approved", "comment": "yes" });
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let threads: Vec<_> = (0..DECIDERS)
        .map(|at| {
            let (port, told, body) = (Arc::clone(port), Arc::clone(&told), body.clone());
            let path = format!("/runs/{run}/decisions");
            std::thread::spawn(move || {
                let who = format!("d{at}");
                // The same answer under the same key until there is a word about it.
                let end = std::time::Instant::now() + Duration::from_mins(1);
                while std::time::Instant::now() < end {
                    let now = u16::try_from(port.load(Ordering::SeqCst)).unwrap();
                    let said = post(now, &path, &who, Some("once"), &body);
                    let word = match said.as_ref().map(|said| said.status) {
                        Some(200) => Told::Accepted,
                        Some(409) => Told::Refused,
                        // Queued, or the server was gone before it answered.
                        Some(202) | None => {
                            std::thread::sleep(Duration::from_millis(20));
                            continue;
                        }
                        Some(_) => panic!("{said:?}"),
                    };
                    told.lock().unwrap().insert(who, word);
                    return;
                }
                panic!("{who} was told nothing");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    told.lock().unwrap().clone()
}

/// What the journal says agrees with what everybody was told.
fn is_true(test: &Test, run: &str, told: &BTreeMap<String, Told>) {
    let mut journaled = BTreeMap::new();
    for event in test.events(run) {
        let (by, word) = match event["event"].as_str().unwrap() {
            "approval_decided" => (event["data"]["by"].clone(), Told::Accepted),
            "decision_refused" => (event["data"]["decision"]["by"].clone(), Told::Refused),
            _ => continue,
        };
        let before = journaled.insert(by.as_str().unwrap().to_owned(), word);
        assert_eq!(before, None, "{by} is journaled twice");
    }
    assert_eq!(&journaled, told);
    let accepted = told
        .values()
        .filter(|told| **told == Told::Accepted)
        .count();
    assert_eq!((accepted, told.len()), (QUORUM, DECIDERS));
}

fn waiting() -> Test {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Ok, type: approval }\n  - { name: After, type: process, command: [sh, -c, 'echo x >> after'] }\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

fn ended(test: &Test) -> bool {
    test.events("r")
        .iter()
        .any(|event| event["event"] == "run_sealed")
}

#[test]
fn a_hundred_deciders_are_told_the_truth() {
    let test = waiting();
    let served = Served::start(&test);
    let port = Arc::new(AtomicUsize::new(usize::from(served.port())));
    let told = all_answer(&test, &port, "r");
    until("the run has ended", || ended(&test));
    is_true(&test, "r", &told);
    assert_eq!(test.lines("after").len(), 1);
    drop(served);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_hundred_deciders_and_a_server_that_is_killed() {
    let test = waiting();
    let served = Served::start(&test);
    let port = Arc::new(AtomicUsize::new(usize::from(served.port())));
    let done = Arc::new(AtomicBool::new(false));
    let kills = AtomicUsize::new(0);
    let told = std::thread::scope(|scope| {
        let (port, done, kills, test) = (&port, &done, &kills, &test);
        scope.spawn(move || {
            let mut served = Some(served);
            let mut seed = 5_u64;
            while !done.load(Ordering::SeqCst) {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                std::thread::sleep(Duration::from_millis((seed >> 33) % 50 + 5));
                if kills.load(Ordering::SeqCst) >= 12 || done.load(Ordering::SeqCst) {
                    continue;
                }
                if let Some(served) = served.take() {
                    served.kill();
                    kills.fetch_add(1, Ordering::SeqCst);
                }
                let again = Served::start(test);
                port.store(usize::from(again.port()), Ordering::SeqCst);
                served = Some(again);
            }
        });
        let told = all_answer(test, port, "r");
        done.store(true, Ordering::SeqCst);
        told
    });
    assert!(kills.load(Ordering::SeqCst) >= 1, "nobody was killed");
    let served = Served::start(&test);
    until("the run has ended", || ended(&test));
    // What the last kill left in the inbox is judged, too.
    until("the inbox is empty", || {
        let inbox = std::fs::read_dir(test.path("artifacts/runs/r/inbox")).unwrap();
        inbox
            .flatten()
            .all(|entry| entry.path().extension().is_none_or(|end| end != "json"))
    });
    drop(served);
    is_true(&test, "r", &told);
    assert!(!test.lines("after").is_empty());
    assert_eq!(test.count("r", "node_succeeded", "After"), 1);
    test.output(["evidence", "verify"]).exits(0);
}

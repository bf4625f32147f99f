//! A hundred people decide at one gate at the same time, on the real server, which is killed meanwhile.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::Test;
use crate::web::{Page, Web};

const PEOPLE: usize = 100;
const QUORUM: usize = 7;
const GATE: &str = "/runs/r/review/Gate";

fn workspace() -> Test {
    let users: String = (0..PEOPLE).map(|at| format!("  u{at}: {{}}\n")).collect();
    let test = Test::new()
        .file("approvers.yaml", format!("users:\n{users}groups: {{}}\n"))
        .file(
            "flow.yaml",
            format!("nodes:\n  - {{ name: Gate, type: approval, approval: {{ quorum: {QUORUM} }} }}\n  - {{ name: After, type: process, command: [echo, done] }}\n"),
        );
    // The server's word is taken for who is at the page.
    test.output(["approvers", "trust"]).exits(0);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

fn serve(test: &Test) -> Web {
    Web::start(
        test,
        &["--proxy-header", "X-User", "--proxy-from", "127.0.0.1"],
    )
}

/// What became of an answer, as the page says it.
fn verdict(page: &Page) -> Option<&'static str> {
    if page.body.contains("Your answer counts") {
        Some("counts")
    } else if page.body.contains("does not count") {
        Some("refused")
    } else if page.body.contains("nobody has taken it yet") {
        Some("queued")
    } else {
        None
    }
}

/// One person looks, says yes, and reads what became of it; none when the server went away meanwhile.
fn decide(web: &Web, user: &str) -> Option<&'static str> {
    let who = ("x-user", user);
    let page = web.try_send("GET", GATE, &[who], "")?;
    if page.status != 200 || !page.body.contains("name=\"digest\"") {
        return (page.status == 200).then_some("late");
    }
    let body = format!(
        "token={}&digest={}&decision=approved",
        page.field("token"),
        page.field("digest").replace(':', "%3A")
    );
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let sent = web.try_send("POST", GATE, &[who, kind], &body)?;
    let shown = web.try_send("GET", sent.header("location")?, &[who], "")?;
    verdict(&shown)
}

fn check(test: &Test, said: &BTreeMap<String, &'static str>) {
    let events = test.events("r");
    let by = |event: &str, at: &dyn Fn(&serde_json::Value) -> &serde_json::Value| -> Vec<String> {
        let of = events.iter().filter(|record| record["event"] == event);
        of.map(|record| at(&record["data"])["by"].as_str().unwrap().to_owned())
            .collect()
    };
    let counted = by("approval_decided", &|data| data);
    let refused = by("decision_refused", &|data| &data["decision"]);
    assert_eq!(counted.len(), QUORUM, "{counted:?}");
    let mut once = counted.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), QUORUM, "one person counts once");
    for (user, verdict) in said {
        match *verdict {
            "counts" => assert!(counted.contains(user), "{user} was told a lie"),
            "refused" => assert!(refused.contains(user), "{user} was told a lie"),
            "late" => {}
            other => panic!("{user}: {other}"),
        }
    }
    let told = said
        .values()
        .filter(|verdict| **verdict == "counts")
        .count();
    assert!(told <= QUORUM, "{told}");
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn exactly_the_quorum_counts_of_a_hundred_who_decide_at_once() {
    let test = workspace();
    let web = serve(&test);
    let said = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for at in 0..PEOPLE {
            let (web, said) = (&web, &said);
            scope.spawn(move || {
                let user = format!("u{at}");
                let verdict = decide(web, &user).expect("the server stays");
                said.lock().unwrap().insert(user, verdict);
            });
        }
    });
    let said = said.into_inner().unwrap();
    assert_eq!(said.len(), PEOPLE);
    assert_eq!(
        said.values()
            .filter(|verdict| **verdict == "counts")
            .count(),
        QUORUM
    );
    crate::harness::until("the run has ended", || {
        test.events("r").last().is_some_and(|event| {
            event["event"] == "run_sealed" || event["event"] == "decision_refused"
        }) && test.count("r", "node_succeeded", "After") == 1
    });
    drop(web);
    check(&test, &said);
}

#[test]
fn no_answer_is_lost_when_the_server_is_killed() {
    let test = workspace();
    let web = Mutex::new(std::sync::Arc::new(serve(&test)));
    let (said, over) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            for round in 0..6_u64 {
                std::thread::sleep(Duration::from_millis(150 + 70 * (round % 3)));
                // What is dropped last kills the server; those who talk to it find that it is gone.
                let old = web.lock().unwrap().clone();
                old.kill_now();
                *web.lock().unwrap() = std::sync::Arc::new(serve(&test));
                if over.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let people: Vec<_> = (0..PEOPLE)
            .map(|at| {
                let (web, said) = (&web, &said);
                scope.spawn(move || {
                    let user = format!("u{at}");
                    for _ in 0..200 {
                        let now = web.lock().unwrap().clone();
                        match decide(&now, &user) {
                            Some("queued") | None => std::thread::sleep(Duration::from_millis(60)),
                            Some(verdict) => {
                                said.lock().unwrap().insert(user, verdict);
                                return;
                            }
                        }
                    }
                    panic!("{user} was never told");
                })
            })
            .collect();
        for person in people {
            person.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
        killer.join().unwrap();
    });
    let said = said.into_inner().unwrap();
    assert_eq!(said.len(), PEOPLE);
    crate::harness::until("the run has ended", || {
        test.count("r", "node_succeeded", "After") == 1
    });
    drop(web);
    test.output(["resume", "r"]);
    check(&test, &said);
}

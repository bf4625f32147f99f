//! Publishing: nothing before the yes, nothing of others overwritten, nothing outside, the same
//! bytes for the same inputs.

use insta::assert_snapshot;

use crate::harness::{Test, repository};

const FLOW: &str = "inputs: { who: { type: string, default: you } }
nodes:
  - { name: Pages, type: skill }
  - { name: Ok, type: approval }
";

fn pages() -> Test {
    Test::new()
        .file("flow.yaml", FLOW)
        .file("skills/Pages/skill.yaml", "inputs:\n  who: { schema: { type: string } }\nfiles:\n  - { source: tree, target: site }\n")
        .file("skills/Pages/tree/a.txt.tera", "a for {{ who }}\n")
        .file("skills/Pages/tree/b.txt.tera", "b for {{ who }}\n")
}

fn paused() -> Test {
    let test = pages();
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

#[test]
fn nothing_is_in_the_workspace_before_the_yes() {
    for ending in [&["reject", "r", "--reason", "no"][..], &["cancel", "r"]] {
        let test = pages();
        let before = test.published();
        test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
        assert_eq!(test.published(), before, "paused");
        test.output(ending).exits(0);
        assert_eq!(test.published(), before, "{ending:?}");
    }
    let test = paused();
    test.output(["approve", "r"]).exits(0);
    assert!(!test.exists("site"), "an approval alone writes nothing");
    test.output(["resume", "r"]).exits(0);
    assert_eq!(
        (test.read("site/a.txt"), test.read("site/b.txt")),
        ("a for you\n".to_owned(), "b for you\n".to_owned())
    );
    // A failed run has put nothing there either.
    let test = pages().file("flow.yaml", "inputs: { who: { type: string, default: you } }\nnodes:\n  - { name: Pages, type: skill }\n  - { name: Bad, type: process, command: ['false'], after: [Pages] }\n");
    test.output(["run", "flow.yaml"]).exits(4);
    assert!(!test.exists("site"));
}

#[test]
fn an_edit_between_review_and_resume_stops_publishing_and_both_versions_are_kept() {
    let test = paused();
    test.write("site/b.txt", "written by somebody else\n");
    let ran = test.output(["approve", "r", "--resume"]).exits(4);
    let text = test.scrub(&ran.stderr);
    let from = text.find("failed: ").unwrap();
    // The kept file is named by its digest.
    let text = regex::Regex::new("files/[0-9a-f/]+[^`]*")
        .unwrap()
        .replace_all(&text[from..], "files/<kept>")
        .into_owned();
    assert_snapshot!(text.trim_end(), @r#"
    failed: `site/b.txt` in the workspace is neither what was there when the run looked, nor what the run would write
    help: both versions are kept; the run's is `./artifacts/runs/r/files/<digest>`. Put the file back or take the run's version, then resume; or run the flow anew
      resume   flowctl resume r
    "#);
    assert_eq!(test.read("site/b.txt"), "written by somebody else\n");
    assert!(
        !test.exists("site/a.txt"),
        "all targets are looked at before the first is written"
    );
    let kept = ran
        .stderr
        .split('`')
        .find(|part| part.contains("/files/"))
        .unwrap();
    assert_eq!(test.read(kept), "b for you\n");
    // Still in the way; out of the way.
    test.output(["resume", "r"]).exits(4);
    std::fs::remove_file(test.path("site/b.txt")).unwrap();
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.read("site/b.txt"), "b for you\n");
}

#[test]
fn a_run_cut_off_at_any_record_publishes_all_the_same() {
    let reference = paused();
    reference.output(["approve", "r", "--resume"]).exits(0);
    let whole = reference.read("artifacts/runs/r/journal.jsonl");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let has = |kept: usize, event: &str| {
        lines[..kept]
            .iter()
            .any(|line| line.contains(&format!("\"event\":\"{event}\"")))
    };
    let mut cut_while_publishing = 0;
    for kept in 1..lines.len() {
        let test = paused();
        test.output(["approve", "r", "--resume"]).exits(0);
        let mine = test.read("artifacts/runs/r/journal.jsonl");
        let mine: Vec<&str> = mine.split_inclusive('\n').collect();
        assert_eq!(mine.len(), lines.len());
        std::fs::write(test.journal("r"), mine[..kept].concat()).unwrap();
        // What comes after the journal's last record has not happened, or only in part.
        std::fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
        std::fs::remove_file(test.path("artifacts/evidence-head.json")).unwrap();
        if has(kept, "publish_started") {
            cut_while_publishing += 1;
            std::fs::remove_file(test.path("site/b.txt")).unwrap();
        } else {
            std::fs::remove_dir_all(test.path("site")).unwrap();
        }
        if has(kept, "run_succeeded") {
            std::fs::write(test.path("site/b.txt"), "b for you\n").unwrap();
        }
        let mut ran = test.output(["resume", "r"]);
        if ran.code == 5 {
            ran = test.output(["approve", "r", "--resume"]);
        }
        let ran = ran.exits(0);
        assert_eq!(
            test.read("site/a.txt") + &test.read("site/b.txt"),
            "a for you\nb for you\n",
            "{kept}: {}",
            ran.stderr
        );
        assert_eq!(
            test.events("r").last().unwrap()["event"],
            "run_sealed",
            "{kept}"
        );
        assert_eq!(test.count("r", "approval_decided", "Ok"), 1, "{kept}");
        assert!(test.exists("artifacts/evidence/bundles"), "{kept}");
    }
    assert!(cut_while_publishing >= 1);
}

#[test]
fn staged_files_that_were_changed_are_not_published() {
    let test = paused();
    let staged: Vec<_> = std::fs::read_dir(test.path("artifacts/runs/r/files"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(staged.len(), 2);
    for file in staged {
        std::fs::write(file.path(), "something else\n").unwrap();
    }
    test.output(["approve", "r", "--resume"])
        .exits(4)
        .says("the content does not match its name");
    assert!(!test.exists("site/a.txt") && !test.exists("site/b.txt"));
}

#[test]
fn what_is_there_already_as_it_would_be_is_no_conflict() {
    let test = paused();
    test.write("site/b.txt", "b for you\n");
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(test.read("site/a.txt"), "a for you\n");
}

#[test]
fn links_do_not_lead_out_of_the_workspace() {
    let outside = tempfile::tempdir().unwrap();
    // There before the run, or slipped in after the review.
    let test = pages();
    std::os::unix::fs::symlink(outside.path(), test.path("site")).unwrap();
    test.output(["run", "flow.yaml"])
        .exits(4)
        .says("cannot be written");
    let test = paused();
    std::os::unix::fs::symlink(outside.path(), test.path("site")).unwrap();
    test.output(["approve", "r", "--resume"])
        .exits(4)
        .says("cannot be written");
    // A link in place of a file is not written through.
    let test = paused();
    let target = outside.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    std::fs::create_dir(test.path("site")).unwrap();
    std::os::unix::fs::symlink(&target, test.path("site/a.txt")).unwrap();
    test.output(["approve", "r", "--resume"]).exits(4);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn targets_outside_the_workspace_or_in_its_records_are_refused() {
    for target in [
        "../up.txt",
        "/tmp/abs.txt",
        "artifacts/runs/x",
        ".git/hooks/post-commit",
        "a/../../b",
    ] {
        let test = Test::new()
            .file("flow.yaml", "nodes:\n  - { name: Bad, type: skill }\n")
            .file(
                "skills/Bad/skill.yaml",
                format!("files:\n  - {{ source: a.txt, target: '{target}' }}\n"),
            )
            .file("skills/Bad/a.txt", "x");
        test.output(["run", "flow.yaml"]).exits(4);
    }
}

#[test]
fn two_nodes_that_make_the_same_file_differently_are_told_to_take_turns() {
    let skill = "inputs:\n  text: { schema: { type: string } }\nfiles:\n  - { source: a.tera, target: a.txt }\n";
    let flow = |after: &str| {
        format!(
            "nodes:\n  - {{ name: One, type: skill, skill: W, inputs: {{ text: one }} }}\n  - {{ name: Two, type: skill, skill: W, inputs: {{ text: two }}{after} }}\n"
        )
    };
    let test = Test::new()
        .file("flow.yaml", flow(""))
        .file("skills/W/skill.yaml", skill)
        .file("skills/W/a.tera", "{{ text }}");
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r", "--concurrency", "1"]), @r#"
    exit 4
    --- stderr
    run r of flow
      One           succeeded in <duration>, 1 file
      Two           succeeded in <duration>, 1 file
    failed: `One` and `Two` both made `a.txt`, with different content
    help: let one of them come `after` the other, or give the files different names
      resume   flowctl resume r
    "#);
    test.write("flow.yaml", flow(", after: [One]"));
    test.output(["run", "flow.yaml"]).exits(0);
    assert_eq!(test.read("a.txt"), "two");
}

/// The flagship, as far as it is a pure function of its inputs: QA looks for what the machine has.
fn flagship() -> Test {
    let test = Test::new().file(
        "flows/infra-product.yaml",
        std::fs::read(repository("flows/infra-product.yaml")).unwrap(),
    );
    test.output([
        "run",
        "flows/infra-product.yaml",
        "--run-id",
        "r",
        "-i",
        "target_clouds=azure,gcp",
        "-i",
        "qa_checks=fast",
    ])
    .exits(5);
    test
}

#[test]
fn the_flagship_publishes_the_same_bytes_for_the_same_inputs() {
    let outputs = |test: &Test| {
        let nodes = test.output(["show", "r", "--json"]).exits(0).json()["nodes"].clone();
        [
            "ProductManager",
            "CloudArchitect",
            "SecurityCompliance",
            "IaCEngineer",
            "BackstagePublisher",
        ]
        .map(|node| {
            assert_eq!(nodes[node]["status"], "succeeded", "{node}");
            nodes[node]["output"].clone()
        })
    };
    let (one, two) = (flagship(), flagship());
    assert_eq!(
        one.published().len(),
        1,
        "nothing but the flow before the yes"
    );
    assert_eq!(outputs(&one), outputs(&two));
    for test in [&one, &two] {
        let done = test
            .output(["approve", "r", "--comment", "fine", "--resume", "--json"])
            .exits(0)
            .json();
        assert_eq!(done["outputs"]["qa_status"], "approved");
        // Not run is never passed, and neither stops the run.
        let cases = done["nodes"]["QA"]["output"]["qa_summary"]["test_cases"]
            .as_array()
            .unwrap();
        assert!(cases.len() > 5);
        for case in cases {
            match case["status"].as_str().unwrap() {
                "passed" => {}
                "not-run" => assert!(
                    case["reason"]
                        .as_str()
                        .is_some_and(|reason| !reason.is_empty()),
                    "{case}"
                ),
                // What is only recommended at this classification may be missing, and is shown.
                other => assert!(other == "failed" && case["mandatory"] == false, "{case}"),
            }
        }
        let bundle = done["outputs"]["evidence_bundle_path"].as_str().unwrap();
        assert!(test.exists(bundle), "{bundle}");
        assert!(
            test.read("artifacts/evidence/runs/Approvals.jsonl")
                .contains("\"fine\"")
        );
    }
    let (one, two) = (one.published(), two.published());
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        two.keys().collect::<Vec<_>>()
    );
    for (path, bytes) in &one {
        assert!(two[path] == *bytes, "{path} differs");
    }
    for folder in ["iac/", "policy/", "backstage/"] {
        assert!(
            one.keys().any(|path| path.starts_with(folder)),
            "{folder}: {:?}",
            one.keys()
        );
    }
}

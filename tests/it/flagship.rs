//! The main job: `flows/infra-product.yaml` from an empty folder to approved artifacts.
//!
//! QA's slow checks are left out (`qa_checks=fast`): what they find depends on the machine.

use crate::harness::{Test, repository};

const FLOW: &str = "flows/infra-product.yaml";

fn flagship(inputs: &[&str]) -> Test {
    let test = Test::new().file(FLOW, std::fs::read(repository(FLOW)).unwrap());
    run(&test, "r", inputs);
    test
}

fn run(test: &Test, id: &str, inputs: &[&str]) -> String {
    let mut args = vec!["run", FLOW, "--run-id", id, "-i", "qa_checks=fast"];
    for input in inputs {
        args.extend(["-i", input]);
    }
    test.output(args).exits(5).stderr
}

#[test]
fn eight_personas_run_one_after_the_other_and_a_human_says_yes() {
    let test = Test::new().file(FLOW, std::fs::read(repository(FLOW)).unwrap());
    let told = run(&test, "r", &[]);
    let order: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(" succeeded in "))
        .map(|(name, _)| name.trim())
        .collect();
    assert_eq!(
        order,
        [
            "ProductManager",
            "CloudArchitect",
            "SecurityCompliance",
            "IaCEngineer",
            "QA",
            "BackstagePublisher"
        ]
    );
    assert!(told.contains("approve r --resume"), "{told}");
    // What did not run is shown before anything else, and why.
    let review = test.output(["review", "r"]).exits(0).stdout;
    assert!(review.contains("not-run: qa_checks is fast\n"), "{review}");
    assert!(review.find("not-run").unwrap() < review.find("\nA ").unwrap());
    assert!(review.contains("\n--- /dev/null\n+++ b/iac/"));
    let done = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(done.json()["qa_status"], "approved");
    let bundle = done.json()["evidence_bundle_path"]
        .as_str()
        .unwrap()
        .to_owned();
    for file in [
        "manifest.json",
        "summary.md",
        "decisions.jsonl",
        "journal.ndjson",
    ] {
        assert!(test.exists(&format!("{bundle}/{file}")), "{bundle}/{file}");
    }
    for node in order.iter().chain(&["Approvals", "EvidenceSink"]) {
        let records = test.lines(&format!("artifacts/evidence/runs/{node}.jsonl"));
        assert!(!records.is_empty(), "{node}");
        for record in records {
            let record: serde_json::Value = serde_json::from_str(&record).unwrap();
            assert_eq!(record["run"], "r", "{node}");
        }
    }
    assert!(
        test.path("artifacts/evidence/oscal")
            .read_dir()
            .unwrap()
            .count()
            >= 2
    );
    // A second resume changes nothing and says so.
    let (files, journal) = (
        test.published(),
        test.read("artifacts/runs/r/journal.jsonl"),
    );
    test.output(["resume", "r"])
        .exits(0)
        .says("nothing was done");
    assert_eq!(test.published(), files);
    assert_eq!(test.read("artifacts/runs/r/journal.jsonl"), journal);
    // The same again finds everything as it is.
    run(&test, "again", &[]);
    let review = test.output(["review", "again", "--stat"]).exits(0).stdout;
    assert!(review.contains(" files: 0 new, 0 changed, "), "{review}");
}

#[test]
fn odd_names_stay_inside_and_come_to_an_end() {
    let long = "long name ".repeat(20);
    let names = [
        "Ünïcode Storage/..",
        long.as_str(),
        "abc",
        "../../etc",
        "名前の製品",
        "a\"b'c${x}{{ y }}",
    ];
    let clouds = ["azure,aws,gcp,oci", "azure", "aws", "gcp", "oci", "azure"];
    for (name, clouds) in names.into_iter().zip(clouds) {
        let test = flagship(&[
            &format!("product_name={name}"),
            &format!("target_clouds={clouds}"),
            "data_classification=restricted",
        ]);
        let done = test
            .output(["approve", "r", "--resume", "--json"])
            .exits(0)
            .json();
        assert_eq!(
            done["nodes"]["ProductManager"]["output"]["product_spec"]["product_name"],
            name.trim()
        );
        assert_eq!(done["outputs"]["qa_status"], "approved", "{name}");
        for path in test.published().keys() {
            assert!(
                path.split('/')
                    .all(|part| part.len() < 100 && part.is_ascii() && part != ".."),
                "{path}"
            );
        }
    }
    let test = Test::new().file(FLOW, std::fs::read(repository(FLOW)).unwrap());
    test.output(["run", FLOW, "-i", "product_name=ab"])
        .exits(3)
        .says("shorter than 3 characters");
    test.output(["run", FLOW, "-i", "target_clouds=azure,ibm"])
        .exits(3)
        .says("give a list of azure, aws, gcp, oci");
    test.output(["run", FLOW, "-i", "rto_target=soon"]).exits(3);
    assert!(!test.exists("artifacts"));
}

#[test]
fn whoever_edits_a_template_changes_what_is_made() {
    let test = Test::new();
    test.output(["init"]).exits(0);
    run(&test, "r", &[]);
    let template = "skills/iac_synthesis/stacks/README.md.tera";
    let text = test.read(template);
    test.write(template, format!("{text}\nKept by the platform team.\n"));
    run(&test, "edited", &[]);
    test.output(["approve", "edited", "--resume"]).exits(0);
    let made = test.published();
    let edited: Vec<&String> = made
        .iter()
        .filter(|(path, bytes)| {
            !path.starts_with("skills/")
                && String::from_utf8_lossy(bytes).contains("Kept by the platform team.")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        edited.len() == 1 && edited[0].starts_with("iac/products/"),
        "{edited:?}"
    );
    // The run that was begun before says so, and goes on with what it began with.
    test.output(["resume", "r"])
        .exits(5)
        .says("IaCEngineer: what it runs was edited");
    // A broken template is found before anything runs, in its own file.
    test.write(template, format!("{text}\n{{% if %}}\n"));
    let line = text.lines().count() + 2;
    test.output(["run", FLOW, "--run-id", "broken"])
        .exits(3)
        .says(&format!(" --> {template}:{line}:7"));
    assert!(!test.exists("artifacts/runs/broken"));
}

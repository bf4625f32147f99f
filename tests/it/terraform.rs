//! The plan without Terraform beside Terraform's own, for the provider that is there offline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowctl::terraform::{Configuration, Plan};
use serde_json::Value;

use crate::harness::{Test, not_run};

/// Where machines keep providers that Terraform may install from.
const MIRROR: &str = "/opt/tf-plugins/registry.terraform.io/hashicorp/aws";

fn texts(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The plan that `terraform test` makes with mocked providers.
fn terraforms_plan(stack: &Path) -> Value {
    let config = stack.join("terraform.rc");
    let mirror = PathBuf::from(MIRROR);
    let mirror = mirror.ancestors().nth(3).unwrap().display().to_string();
    std::fs::write(
        &config,
        format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
        ),
    )
    .unwrap();
    let terraform = |arguments: &[&str]| {
        let done = Command::new("terraform")
            .args(arguments)
            .current_dir(stack)
            .env("TF_CLI_CONFIG_FILE", &config)
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    };
    terraform(&["init", "-backend=false", "-input=false"]);
    let told = terraform(&["test", "-json", "-verbose"]);
    let lines = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut plans = lines.filter(|line| line["type"] == "test_plan");
    plans.next().expect("a test plans")["test_plan"].clone()
}

/// Whether Terraform's value holds what ours says: providers add fields, and sets have no order.
fn holds(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        // What is unknown to Terraform stands as null where the schema has a slot for it.
        (_, Value::Null) | (Value::Null, _) => true,
        (_, Value::String(text)) if text.contains("(known after apply)") => true,
        (Value::Object(theirs), Value::Object(ours)) => ours
            .iter()
            .all(|(name, value)| theirs.get(name).is_none_or(|theirs| holds(theirs, value))),
        (Value::Array(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len()
                && ours
                    .iter()
                    .all(|value| theirs.iter().any(|theirs| holds(theirs, value)))
        }
        (Value::String(theirs), ours @ (Value::Number(_) | Value::Bool(_))) => {
            *theirs == *ours.to_string()
        }
        (theirs, ours) => {
            theirs == ours
                || theirs
                    .as_f64()
                    .zip(ours.as_f64())
                    .is_some_and(|(a, b)| (a - b).abs() < f64::EPSILON)
        }
    }
}

#[test]
fn the_plan_is_terraforms() {
    if !Path::new(MIRROR).is_dir() {
        return not_run(
            "the_plan_is_terraforms",
            &format!("no provider in {MIRROR}"),
        );
    }
    let whole = std::env::vars_os().any(|(name, _)| name == "FLOWCTL_TEST_MATRIX");
    let products = [("restricted", "5m"), ("public", "24h")];
    for (level, rpo) in &products[..if whole { 2 } else { 1 }] {
        let test = Test::new().file(
            "flows/infra-product.yaml",
            include_str!("../../flows/infra-product.yaml"),
        );
        test.output([
            "run",
            "flows/infra-product.yaml",
            "--run-id",
            "r",
            "-i",
            "target_clouds=[\"aws\"]",
            "-i",
            &format!("data_classification={level}"),
            "-i",
            &format!("rpo_target={rpo}"),
            "-i",
            "rto_target=24h",
            "-i",
            "qa_checks=fast",
        ])
        .exits(5);
        test.output(["approve", "r", "--resume"]).exits(0);
        let root = test.path("");
        let stack = "iac/products/secure-storage-product/aws";
        let mut files = BTreeMap::new();
        texts(&root, &root.join("iac"), &mut files);
        let files = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()));
        let ours = Plan::of(&Configuration::read(files).unwrap(), stack);
        assert!(ours.open.is_empty(), "{:?}", ours.open);
        let theirs = terraforms_plan(&root.join(stack));
        let changes = theirs["resource_changes"].as_array().unwrap();
        let by_address: BTreeMap<&str, &Value> = changes
            .iter()
            .filter(|change| change["mode"] == "managed")
            .map(|change| (change["address"].as_str().unwrap(), change))
            .collect();
        let addresses = ours
            .resources
            .iter()
            .map(|resource| resource["address"].as_str().unwrap());
        let mut addresses: Vec<&str> = addresses.collect();
        addresses.sort_unstable();
        assert_eq!(addresses, by_address.keys().copied().collect::<Vec<_>>());
        let mut compared = 0;
        for resource in &ours.resources {
            let theirs = &by_address[resource["address"].as_str().unwrap()]["change"]["after"];
            for (name, value) in resource["change"]["after"].as_object().unwrap() {
                assert!(
                    holds(&theirs[name], value),
                    "{}.{name}: {} is not {value}",
                    resource["address"],
                    theirs[name]
                );
                compared += usize::from(!theirs[name].is_null());
            }
        }
        assert!(compared > 60, "{compared} attributes were compared");
    }
}

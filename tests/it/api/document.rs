//! The `OpenAPI` document tells the truth.

use std::fs;

use flowctl::web::api;
use serde_json::json;

use super::{GATE, Served, started};
use crate::harness::Test;

#[test]
fn the_document_tells_what_is_given() {
    let test = Test::new().file("gate.yaml", GATE);
    let served = Served::start(&test);
    let run = started(&served, &test);
    let document = served.get("/openapi.json").is(200);
    assert_eq!(document, api::document());
    let schema = |name: &str| {
        let mut schema = document["components"]["schemas"][name].clone();
        schema["components"] = document["components"].clone();
        flowctl::port::Schema::compile(&schema).unwrap()
    };
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(get) = operations.get("get") else {
            continue;
        };
        let Some(name) =
            get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str()
        else {
            continue;
        };
        let name = name.rsplit('/').next().unwrap();
        let path = path.replace("{id}", &run).replace("{path}", "Build");
        let given = served.get(&path).is(200);
        let wrong = schema(name).check(&given);
        assert!(wrong.is_empty(), "{path}: {wrong:?}\n{given}");
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
    let verdict = served
        .post(&format!("/runs/{run}/cancel"), &json!({}))
        .is(200);
    assert!(schema("Verdict").check(&verdict).is_empty());
    let problem = served.get("/runs/none").is(404);
    assert!(schema("Problem").check(&problem).is_empty(), "{problem}");
    // For validators elsewhere: `scripts/check-openapi`.
    if let Some(path) = std::env::var_os("OPENAPI_TO") {
        fs::write(path, document.to_string()).unwrap();
    }
}

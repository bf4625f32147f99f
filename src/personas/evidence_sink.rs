//! `EvidenceSink`: packages what happened as OSCAL documents and an index of them.
//!
//! Pure: every time in the documents is the time at which QA ran or the approver decided. The
//! templates write JSON in any layout; here it is read back, so that what is not JSON is refused, and
//! written in one layout. What breaks NIST's schema is refused too.

use super::input::{contract_port, output, pass_on, required, to_value};
use super::oscal;
use super::persona::Persona;
use crate::contracts::{
    ApprovalRecord, EvidenceDocument, EvidenceRecord, EvidenceSource, ProductRequest, QAStatus,
    QASummary,
};
use crate::port::{Call, Effect, Failure, File, Host, Outcome, Port, Signature};
use crate::value::{Digest, Value};

/// The registration.
pub(super) const PERSONA: Persona = Persona {
    name: "EvidenceSink",
    tool: "evidence_sink.run",
    summary: "Packages request, design, checks and approval as OSCAL documents.",
    effect: Effect::Pure,
    skills: &["oscal_packager"],
    signature,
    function: run,
};

/// The inputs, each with its contract.
const SOURCES: [(&str, &str); 7] = [
    ("product_spec", "ProductRequest"),
    ("architecture_spec", "ArchitectureSpec"),
    ("security_profile", "SecurityProfile"),
    ("iac_plan", "IaCPlan"),
    ("qa_summary", "QASummary"),
    ("backstage_bundle", "BackstageBundle"),
    ("approval_record", "ApprovalRecord"),
];

fn signature() -> Signature {
    let inputs = SOURCES.iter().map(|(name, contract)| {
        contract_port(
            name,
            contract,
            &format!("The {contract} to put into evidence."),
        )
    });
    Signature {
        inputs: inputs.collect(),
        outputs: vec![
            Port::new(
                "evidence_bundle_path",
                serde_json::json!({ "type": "string", "minLength": 1 }),
                "The folder of the evidence bundle, relative to the workspace.",
            ),
            contract_port(
                "evidence_record",
                "EvidenceRecord",
                "The index of the evidence.",
            ),
        ],
        open: false,
    }
}

fn run(call: &Call<'_>, host: &dyn Host) -> Result<Outcome, Failure> {
    let product = required::<ProductRequest>(call, "product_spec")?;
    let summary = required::<QASummary>(call, "qa_summary")?;
    let approval = required::<ApprovalRecord>(call, "approval_record")?;
    if summary.status != QAStatus::Approved {
        return Err(Failure::new("qa_summary is not approved")
            .help("place the node after `Approvals`, whose qa_summary is"));
    }
    let names: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
    let rendered = host.render("oscal_packager", &pass_on(call, &names))?;
    let evidence = rendered
        .evidence
        .into_iter()
        .map(laid_out)
        .collect::<Result<Vec<File>, _>>()?;
    oscal::check(&evidence)?;
    let oscal = evidence
        .iter()
        .filter(|file| file.path.starts_with("oscal/"));
    let bundle_path = format!("artifacts/evidence/bundles/{}", product.slug);
    let record = EvidenceRecord {
        product_slug: product.slug,
        bundle_path: bundle_path.clone(),
        qa_status: summary.status,
        approved_by: approval.by,
        approved_at: approval.at,
        oscal: oscal.map(document).collect::<Result<_, _>>()?,
        sources: sources(call),
    };
    Ok(Outcome {
        output: output([
            ("evidence_bundle_path", Value::from(bundle_path)),
            ("evidence_record", to_value(&record)),
        ]),
        files: rendered.files,
        evidence,
        subject: None,
        about: None,
    })
}

fn sources(call: &Call<'_>) -> Vec<EvidenceSource> {
    let present = SOURCES.iter().filter_map(|(name, contract)| {
        let value = call.inputs.get(*name)?;
        Some(EvidenceSource {
            contract: (*contract).to_owned(),
            sha256: Digest::of_json(value).hex(),
        })
    });
    present.collect()
}

/// Reads a JSON document back and writes it with two-space indents.
fn laid_out(file: File) -> Result<File, Failure> {
    if file
        .path
        .rsplit_once('.')
        .is_none_or(|(_, extension)| extension != "json")
    {
        return Ok(file);
    }
    let value = read(&file)?;
    let mut content = serde_json::to_vec_pretty(&value)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.path)))?;
    content.push(b'\n');
    Ok(File {
        path: file.path,
        content,
    })
}

fn read(file: &File) -> Result<Value, Failure> {
    serde_json::from_slice(&file.content).map_err(|error| {
        Failure::new(format!(
            "skill `oscal_packager` rendered {}, which is no JSON: {error}",
            file.path
        ))
    })
}

/// An OSCAL document is an object with one key, its model, which holds the uuid.
fn document(file: &File) -> Result<EvidenceDocument, Failure> {
    let value = read(file)?;
    let root = value.as_object().and_then(|object| object.iter().next());
    let uuid = root
        .and_then(|(_, body)| body.get("uuid"))
        .and_then(Value::as_str);
    let (Some((model, _)), Some(uuid)) = (root, uuid) else {
        return Err(Failure::new(format!(
            "{} is no OSCAL document: it has no uuid",
            file.path
        )));
    };
    Ok(EvidenceDocument {
        model: model.clone(),
        path: format!("artifacts/evidence/{}", file.path),
        uuid: uuid.to_owned(),
        sha256: Digest::of(&file.content).hex(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personas::skills::SkillHost;
    use crate::personas::testing;
    use serde_json::json;

    /// The inputs of a run that was approved.
    fn approved(name: &str) -> Value {
        let mut given = testing::designed(name);
        let slug = given["product_spec"]["slug"].clone();
        given["iac_plan"] = json!({
            "product_slug": slug, "modules": [], "stacks": [], "shared_files": [],
            "tree_sha256": "a".repeat(64),
        });
        given["backstage_bundle"] = json!({
            "product_slug": slug, "path": "backstage", "template_ref": "template:default/x",
            "component_ref": "component:default/x", "owner": "o", "lifecycle": "production", "files": [],
        });
        let mut summary = testing::summary();
        summary["product_slug"] = slug;
        summary["test_cases"][1]["controls"] = json!(["cm-6"]);
        let approvals = &crate::personas::all()[6];
        let inputs = json!({ "qa_summary": summary });
        let decision = testing::decision();
        let outcome =
            testing::call_with(approvals, &inputs, Some(&decision), &testing::NoHost).unwrap();
        for port in ["qa_summary", "approval_record"] {
            given[port] = outcome.output[port].clone();
        }
        given
    }

    fn evidence(name: &str) -> Outcome {
        testing::call(&PERSONA, &approved(name), &SkillHost).unwrap()
    }

    #[test]
    fn documents_satisfy_nists_schema_for_every_name() {
        let schema = include_str!("../../schemas/oscal_complete_schema-1.1.3.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for name in [
            "abc",
            "x\"y: <script> ${z} {{ q }} \\ 🚀",
            "倉庫製品",
            &"z".repeat(200),
        ] {
            let outcome = evidence(name);
            assert_eq!(outcome.evidence.len(), 3);
            for file in &outcome.evidence {
                let value: Value = serde_json::from_slice(&file.content).unwrap();
                let errors: Vec<String> = validator
                    .iter_errors(&value)
                    .map(|error| format!("{} {error}", error.instance_path()))
                    .map(|text| text.chars().take(300).collect())
                    .collect();
                assert!(errors.is_empty(), "{}: {errors:#?}", file.path);
            }
        }
    }

    #[test]
    fn what_was_not_run_is_not_satisfied() {
        let outcome = evidence("abc");
        let results: Value = serde_json::from_slice(&outcome.evidence[2].content).unwrap();
        let result = &results["assessment-results"]["results"][0];
        let state = |control: &str| {
            let findings = result["findings"].as_array().unwrap();
            let finding = findings
                .iter()
                .find(|finding| finding["title"] == control)
                .unwrap();
            finding["target"]["status"]["state"].clone()
        };
        assert_eq!(state("CM-2"), "satisfied");
        assert_eq!(state("CM-6"), "not-satisfied");
        assert_eq!(result["observations"][1]["methods"], json!(["UNKNOWN"]));
        assert_eq!(result["observations"][1]["remarks"], "no provider");
    }

    #[test]
    fn the_record_names_the_documents() {
        let outcome = evidence("abc");
        let record = &outcome.output["evidence_record"];
        assert_eq!(
            outcome.output["evidence_bundle_path"],
            "artifacts/evidence/bundles/abc"
        );
        assert_eq!(record["oscal"][0]["model"], "component-definition");
        assert_eq!(
            record["oscal"][0]["sha256"],
            Digest::of(&outcome.evidence[0].content).hex()
        );
        assert_eq!(record["sources"].as_array().unwrap().len(), SOURCES.len());
        assert_eq!(evidence("abc"), outcome);
    }

    #[test]
    fn what_is_not_approved_is_no_evidence() {
        let mut given = approved("abc");
        given["qa_summary"]["status"] = json!("pending_approval");
        assert!(testing::call(&PERSONA, &given, &SkillHost).is_err());
    }
}

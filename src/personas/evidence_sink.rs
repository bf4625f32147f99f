//! `EvidenceSink`: packages what happened as OSCAL documents and an index of them.
//!
//! Pure: every time in the documents is the time at which QA ran or the approver decided. The
//! templates write JSON in any layout; here it is read back, so that what is not JSON is refused, and
//! written in one layout.

use super::input::{contract_port, output, pass_on, required, to_value};
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
    if !file.path.ends_with(".json") {
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

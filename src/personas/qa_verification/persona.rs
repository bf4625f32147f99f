//! The two registrations, and the choice between them by inputs.

use serde_json::json;

use super::{approve, verify};
use crate::personas::input::contract_port;
use crate::personas::persona::Persona;
use crate::port::{Call, Effect, Failure, Host, Outcome, Port, Signature};

/// QA's registration.
pub(crate) const QA: Persona = Persona {
    name: "QA",
    tool: "qa_verification.run",
    summary: "Executes the quality checks over everything that was rendered.",
    effect: Effect::Effectful,
    skills: &[],
    signature: qa_signature,
    function: run,
};

/// Approvals' registration.
pub(crate) const APPROVALS: Persona = Persona {
    name: "Approvals",
    tool: "qa_verification.run",
    summary: "Records the human's approval of the QA summary.",
    // What it gives depends on the gate's decision, which is no input: it must never be reused.
    effect: Effect::Effectful,
    skills: &[],
    signature: approvals_signature,
    function: run,
};

fn qa_signature() -> Signature {
    Signature {
        inputs: vec![
            contract_port("product_spec", "ProductRequest", "The checked request."),
            contract_port(
                "security_profile",
                "SecurityProfile",
                "The guardrails and policy files.",
            ),
            contract_port("iac_plan", "IaCPlan", "The rendered Terraform."),
            Port::new(
                "qa_checks",
                json!({ "type": "string", "enum": ["full", "fast"] }),
                "`full` (default), or `fast` without terraform init and validate, and without faults made on purpose.",
            )
            .optional(),
        ],
        outputs: vec![contract_port(
            "qa_summary",
            "QASummary",
            "What was executed, case by case.",
        )],
        open: false,
    }
}

fn approvals_signature() -> Signature {
    Signature {
        inputs: vec![contract_port(
            "qa_summary",
            "QASummary",
            "What the approver was shown.",
        )],
        outputs: vec![
            contract_port("qa_summary", "QASummary", "The summary, approved."),
            contract_port(
                "approval_record",
                "ApprovalRecord",
                "Who approved, when, and what.",
            ),
        ],
        open: false,
    }
}

fn run(call: &Call<'_>, host: &dyn Host) -> Result<Outcome, Failure> {
    if call.inputs.contains_key("iac_plan") {
        verify::verify(call, host)
    } else if call.inputs.contains_key("qa_summary") {
        approve::approve(call)
    } else {
        Err(Failure::new("neither `iac_plan` nor `qa_summary` is given")
            .help("give `iac_plan` to check it, or `qa_summary` to have it approved"))
    }
}

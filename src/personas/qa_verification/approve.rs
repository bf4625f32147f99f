//! Turns the gate's decision into an [`ApprovalRecord`] and an approved summary.

use crate::contracts::{ApprovalRecord, QAStatus, QASummary, TestStatus};
use crate::personas::input::{output, required, to_value};
use crate::port::{Call, Failure, Outcome};
use crate::value::{Digest, Value, to_text};

/// Records an approval.
pub(super) fn approve(call: &Call<'_>) -> Result<Outcome, Failure> {
    let mut summary = required::<QASummary>(call, "qa_summary")?;
    let Some(decision) = call.approval else {
        return Err(Failure::new("no human has decided: the node has no gate")
            .help("add `approval: {}` to the node"));
    };
    match summary.status {
        QAStatus::PendingApproval => {}
        QAStatus::Failed => {
            return Err(Failure::new("qa_summary says `failed`; nothing to approve"));
        }
        QAStatus::Approved => return Err(Failure::new("qa_summary is approved already")),
        QAStatus::Rejected => return Err(Failure::new("qa_summary was rejected")),
    }
    let said = text(decision, "decision")?;
    if !matches!(said.as_str(), "approved" | "approve") {
        return Err(Failure::new(format!(
            "the gate's decision is `{said}`, not `approved`"
        )));
    }
    let not_run = summary
        .test_cases
        .iter()
        .filter(|case| case.status == TestStatus::NotRun);
    let record = ApprovalRecord {
        product_slug: summary.product_slug.clone(),
        decision: "approved".to_owned(),
        by: text(decision, "by")?,
        identity: text(decision, "identity")?,
        at: text(decision, "at")?,
        comment: decision
            .get("comment")
            .filter(|comment| !comment.is_null())
            .map(to_text),
        digest: text(decision, "digest")?,
        round: decision
            .get("round")
            .and_then(Value::as_u64)
            .and_then(|round| u32::try_from(round).ok())
            .ok_or_else(|| Failure::new("the gate's decision has no `round`"))?,
        // Over what came in, before it is changed here: that is what the approver saw.
        qa_summary_sha256: Digest::of_json(&summary).hex(),
        accepted_not_run: not_run.map(|case| case.id.clone()).collect(),
    };
    summary.status = QAStatus::Approved;
    summary.approved_by = Some(record.by.clone());
    summary.approved_at = Some(record.at.clone());
    Ok(Outcome {
        output: output([
            ("qa_summary", to_value(&summary)),
            ("approval_record", to_value(&record)),
        ]),
        ..Outcome::default()
    })
}

fn text(decision: &Value, key: &str) -> Result<String, Failure> {
    match decision.get(key) {
        None | Some(Value::Null) => {
            Err(Failure::new(format!("the gate's decision has no `{key}`")))
        }
        Some(value) => Ok(to_text(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::APPROVALS;
    use super::*;
    use crate::personas::testing::{NoHost, call_with, decision, summary};
    use serde_json::json;

    #[test]
    fn an_approval_is_recorded_with_what_was_not_run() {
        let inputs = json!({ "qa_summary": summary() });
        let outcome = call_with(&APPROVALS, &inputs, Some(&decision()), &NoHost).unwrap();
        assert_eq!(outcome.output["qa_summary"]["status"], "approved");
        assert_eq!(outcome.output["qa_summary"]["approved_by"], "jane");
        let record = &outcome.output["approval_record"];
        assert_eq!(record["accepted_not_run"], json!(["QA-TF-02-azure-stack"]));
        assert_eq!(record["comment"], "looks \"good\"");
        assert_eq!(
            record["qa_summary_sha256"],
            Digest::of_json(&summary()).hex()
        );
    }

    #[test]
    fn without_a_gate_there_is_advice() {
        let inputs = json!({ "qa_summary": summary() });
        let failure = call_with(&APPROVALS, &inputs, None, &NoHost).unwrap_err();
        assert_eq!(
            failure.help.as_deref(),
            Some("add `approval: {}` to the node")
        );
    }

    #[test]
    fn only_a_pending_summary_and_a_yes_count() {
        for status in ["failed", "approved", "rejected"] {
            let mut summary = summary();
            summary["status"] = json!(status);
            let inputs = json!({ "qa_summary": summary });
            assert!(
                call_with(&APPROVALS, &inputs, Some(&decision()), &NoHost).is_err(),
                "{status}"
            );
        }
        let mut no = decision();
        no["decision"] = json!("rejected");
        let inputs = json!({ "qa_summary": summary() });
        assert!(call_with(&APPROVALS, &inputs, Some(&no), &NoHost).is_err());
    }
}

//! Titles of the controls and families of NIST SP 800-53 revision 5 that the guardrails implement.

use crate::contracts::{Control, ControlFamily};

/// The catalogue's title.
pub(super) const CATALOG: &str = "NIST SP 800-53 Revision 5";
/// The catalogue's permanent address.
pub(super) const CATALOG_HREF: &str = "https://doi.org/10.6028/NIST.SP.800-53r5";

/// Families in catalogue order.
const FAMILIES: [(&str, &str); 10] = [
    ("AC", "Access Control"),
    ("AU", "Audit and Accountability"),
    ("CA", "Assessment, Authorization, and Monitoring"),
    ("CM", "Configuration Management"),
    ("CP", "Contingency Planning"),
    ("IA", "Identification and Authentication"),
    ("MP", "Media Protection"),
    ("RA", "Risk Assessment"),
    ("SC", "System and Communications Protection"),
    ("SI", "System and Information Integrity"),
];

/// Controls in catalogue order.
const CONTROLS: [(&str, &str); 28] = [
    ("ac-3", "Access Enforcement"),
    ("ac-4", "Information Flow Enforcement"),
    ("ac-6", "Least Privilege"),
    ("au-2", "Event Logging"),
    ("au-9", "Protection of Audit Information"),
    ("au-11", "Audit Record Retention"),
    ("au-12", "Audit Record Generation"),
    ("ca-7", "Continuous Monitoring"),
    ("cm-2", "Baseline Configuration"),
    ("cm-6", "Configuration Settings"),
    ("cm-8", "System Component Inventory"),
    ("cp-6", "Alternate Storage Site"),
    ("cp-9", "System Backup"),
    ("cp-10", "System Recovery and Reconstitution"),
    ("ia-5", "Authenticator Management"),
    ("ia-9", "Service Identification and Authentication"),
    ("mp-6", "Media Sanitization"),
    ("ra-5", "Vulnerability Monitoring and Scanning"),
    ("sc-7", "Boundary Protection"),
    ("sc-8", "Transmission Confidentiality and Integrity"),
    (
        "sc-8.1",
        "Transmission Confidentiality and Integrity | Cryptographic Protection",
    ),
    ("sc-12", "Cryptographic Key Establishment and Management"),
    ("sc-13", "Cryptographic Protection"),
    ("sc-28", "Protection of Information at Rest"),
    (
        "sc-28.1",
        "Protection of Information at Rest | Cryptographic Protection",
    ),
    ("si-4", "System Monitoring"),
    ("si-7", "Software, Firmware, and Information Integrity"),
    ("si-12", "Information Management and Retention"),
];

/// The family's two letters of a control id.
pub(super) fn family(control: &str) -> String {
    control[..2].to_ascii_uppercase()
}

/// The families of these controls, in catalogue order.
pub(super) fn families(controls: &[&str]) -> Vec<ControlFamily> {
    let used = |id: &str| controls.iter().any(|control| family(control) == id);
    let kept = FAMILIES.iter().filter(|(id, _)| used(id));
    kept.map(|(id, title)| ControlFamily {
        id: (*id).to_owned(),
        title: (*title).to_owned(),
    })
    .collect()
}

/// The controls for which `guardrails_of` names a guardrail, in catalogue order.
pub(super) fn controls(guardrails_of: impl Fn(&str) -> Vec<String>) -> Vec<Control> {
    let all = CONTROLS.iter().map(|(id, title)| Control {
        id: (*id).to_owned(),
        label: label(id),
        title: (*title).to_owned(),
        family: family(id),
        guardrails: guardrails_of(id),
    });
    all.filter(|control| !control.guardrails.is_empty())
        .collect()
}

/// `sc-28.1` as it stands in print: `SC-28(1)`.
fn label(id: &str) -> String {
    let upper = id.to_ascii_uppercase();
    match upper.split_once('.') {
        Some((control, enhancement)) => format!("{control}({enhancement})"),
        None => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::GUARDRAILS;
    use super::*;

    #[test]
    fn every_control_of_the_catalogue_of_guardrails_has_a_title_and_a_family() {
        for guardrail in GUARDRAILS {
            for control in guardrail.controls {
                assert!(CONTROLS.iter().any(|(id, _)| id == control), "{control}");
                assert!(
                    FAMILIES.iter().any(|(id, _)| *id == family(control)),
                    "{control}"
                );
            }
        }
        for (control, _) in CONTROLS {
            assert!(
                GUARDRAILS.iter().any(|g| g.controls.contains(&control)),
                "{control} is unused"
            );
        }
    }

    #[test]
    fn labels_are_as_in_print() {
        assert_eq!(label("sc-28.1"), "SC-28(1)");
        assert_eq!(label("au-2"), "AU-2");
    }
}

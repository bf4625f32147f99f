//! [`Persona`] and the one list of them.

use crate::port::{Effect, Function, Signature};

/// A persona: a registered name for a tool function and its ports.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// The name that `persona:` (or the node's own name) refers to.
    pub name: &'static str,
    /// The tool's name, as a runbook writes it.
    pub tool: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Whether it is pure.
    pub effect: Effect,
    /// The skills that it renders.
    pub skills: &'static [&'static str],
    /// Its ports.
    pub signature: fn() -> Signature,
    /// What it does.
    pub function: Function,
}

/// Every persona, in the order of the flagship flow.
#[must_use]
pub fn all() -> &'static [Persona] {
    &[
        super::product_manager::PERSONA,
        super::cloud_architect::PERSONA,
        super::security_compliance::PERSONA,
        super::iac_engineer::PERSONA,
        super::qa_verification::QA,
        super::backstage_publisher::PERSONA,
        super::qa_verification::APPROVALS,
        super::evidence_sink::PERSONA,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_tools_are_runbook_names() {
        let names: HashSet<&str> = all().iter().map(|persona| persona.name).collect();
        assert_eq!(names.len(), 8);
        assert!(all().iter().all(|persona| {
            persona
                .tool
                .split_once('.')
                .is_some_and(|(_, verb)| verb == "run")
        }));
    }

    #[test]
    fn in_the_flagship_order_every_required_port_is_fed() {
        let mut offered: HashSet<String> = [
            "product_name",
            "target_clouds",
            "data_classification",
            "rto_target",
            "rpo_target",
        ]
        .map(str::to_owned)
        .into();
        for persona in all() {
            let signature = (persona.signature)();
            for port in signature.inputs.iter().filter(|port| port.required) {
                assert!(
                    offered.contains(&port.name),
                    "{} lacks {}",
                    persona.name,
                    port.name
                );
            }
            offered.extend(signature.outputs.into_iter().map(|port| port.name));
        }
    }
}

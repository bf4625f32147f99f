//! The JSON Schemas of the contracts, as they lie in `schemas/contracts/`.
//!
//! The files are generated from the types by the test below (`UPDATE_SCHEMAS=1` rewrites them) and
//! built into the binary, so that schemars is no dependency of the program itself.

use crate::value::Value;

macro_rules! contracts {
    ($($name:ident),* $(,)?) => {
        /// The names of the contracts, in the order in which the flagship flow passes them on.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        fn text(contract: &str) -> Option<&'static str> {
            match contract {
                $(stringify!($name) => Some(include_str!(concat!(
                    "../../schemas/contracts/", stringify!($name), ".schema.json"
                ))),)*
                _ => None,
            }
        }

        #[cfg(test)]
        fn generated() -> Vec<(&'static str, Value)> {
            vec![$((
                stringify!($name),
                serde_json::to_value(schemars::schema_for!(super::$name)).unwrap(),
            )),*]
        }
    };
}

contracts!(
    ProductRequest,
    ArchitectureSpec,
    SecurityProfile,
    IaCPlan,
    QASummary,
    BackstageBundle,
    ApprovalRecord,
    EvidenceRecord,
);

/// Gives the JSON Schema (2020-12) of a contract.
///
/// # Panics
/// Never: a test keeps every schema file valid JSON.
#[must_use]
pub fn schema(contract: &str) -> Option<Value> {
    let text = text(contract)?;
    Some(serde_json::from_str(text).expect("a test keeps every schema file valid JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_files_are_what_the_types_generate() {
        let update = std::env::vars_os().any(|(name, _)| name == "UPDATE_SCHEMAS");
        for (name, schema) in generated() {
            let path = format!(
                "{}/schemas/contracts/{name}.schema.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            if update {
                std::fs::write(&path, &fresh).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap();
            assert!(
                stored == fresh,
                "{path} is stale: run the tests with UPDATE_SCHEMAS=1"
            );
        }
    }

    #[test]
    fn every_name_has_a_schema() {
        for name in NAMES {
            assert!(schema(name).is_some(), "{name}");
        }
        assert!(schema("Nothing").is_none());
    }
}

//! What every persona needs: decoding of inputs into contracts, and ports that carry contracts.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contracts;
use crate::port::{Call, Failure, Port};
use crate::value::{Object, Value};

/// Decodes an input that must be there.
pub(super) fn required<T: DeserializeOwned>(call: &Call<'_>, name: &str) -> Result<T, Failure> {
    optional(call, name)?.ok_or_else(|| Failure::new(format!("input `{name}` is missing")))
}

/// Decodes an input that may be absent or null.
pub(super) fn optional<T: DeserializeOwned>(
    call: &Call<'_>,
    name: &str,
) -> Result<Option<T>, Failure> {
    match call.inputs.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value)
            .map(Some)
            .map_err(|error| Failure::new(format!("input `{name}` does not fit: {error}"))),
    }
}

/// The raw inputs of these names, for a skill.
pub(super) fn pass_on(call: &Call<'_>, names: &[&str]) -> Object {
    let given = names.iter().filter_map(|name| {
        let value = call.inputs.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    given.collect()
}

/// A contract as a JSON value.
pub(super) fn to_value(contract: &impl Serialize) -> Value {
    serde_json::to_value(contract).expect("contracts have string keys and finite numbers")
}

/// An output object with one port.
pub(super) fn output(ports: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let ports = ports.into_iter();
    Value::Object(
        ports
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A required port that carries a contract.
pub(super) fn contract_port(name: &str, contract: &str, description: &str) -> Port {
    let schema = contracts::schema(contract).unwrap_or(Value::Bool(true));
    Port::contract(name, contract, schema, description)
}

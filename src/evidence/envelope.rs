//! Envelopes: an in-toto Statement v1 inside DSSE, signed with one ed25519 key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::index::pretty;
use super::{PublicKey, Signer};
use crate::value::{Digest, canonical};

/// The type of every payload.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What is said of a bundle.
pub(super) const BUNDLE: &str = "urn:flowctl:evidence:bundle:v1";
/// What is said of the index.
pub(super) const INDEX: &str = "urn:flowctl:evidence:index:v1";
/// What compliance-trestle says, and reads, of an OSCAL document.
const OSCAL: &str =
    "https://oscal-compass.github.io/compliance-trestle/predicates/oscal-signing/v1";

/// A statement about files, in its canonical form.
pub(super) fn statement<'a>(
    subjects: impl IntoIterator<Item = (&'a str, Digest)>,
    predicate_type: &str,
    predicate: &Value,
) -> Vec<u8> {
    let subjects: Vec<Value> = subjects
        .into_iter()
        .map(|(name, digest)| json!({ "name": name, "digest": { "sha256": digest.hex() } }))
        .collect();
    canonical(&json!({
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": predicate,
    }))
}

/// The statement that `trestle verify` expects of an OSCAL document: about its canonical form.
pub(super) fn oscal_statement(name: &str, document: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(document).ok()?;
    let predicate = json!({
        "canonicalization": "RFC8785", "digestAlgorithm": "sha256",
        "digestSource": "canonical-json", "tool": "flowctl",
    });
    Some(statement(
        [(name, Digest::of_json(&value))],
        OSCAL,
        &predicate,
    ))
}

/// What is signed: DSSE's pre-authentication encoding.
fn encoding(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a statement.
pub(super) fn sign(payload: &[u8], signer: &Signer) -> String {
    write(
        payload,
        &signer.public().fingerprint(),
        &signer.sign(&encoding(payload)),
    )
}

fn write(payload: &[u8], keyid: &str, signature: &[u8]) -> String {
    let envelope = json!({
        "payload": STANDARD.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "keyid": keyid, "sig": STANDARD.encode(signature) }],
    });
    String::from_utf8(pretty(&envelope)).expect("JSON is text")
}

/// Whether an envelope holds this statement, signed with this key.
pub(super) fn check(envelope: &[u8], payload: &[u8], key: &PublicKey) -> Result<(), String> {
    let value: Value =
        serde_json::from_slice(envelope).map_err(|error| format!("it is not JSON: {error}"))?;
    let entry = &value["signatures"][0];
    let signature = entry["sig"]
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or("it holds no signature")?;
    if value["payload"].as_str() != Some(&*STANDARD.encode(payload)) {
        return Err("what it signs is not what is there".to_owned());
    }
    // With this, only one text stands for an envelope.
    if write(payload, &key.fingerprint(), &signature).as_bytes() != envelope {
        return Err("it is not as flowctl writes envelopes, or names another key".to_owned());
    }
    if key.verifies(&encoding(payload), &signature) {
        Ok(())
    } else {
        Err(format!("its signature is not by {}", key.fingerprint()))
    }
}

/// The public key that an index envelope names in its statement.
pub(super) fn signer_of(envelope: &[u8]) -> Option<PublicKey> {
    let value: Value = serde_json::from_slice(envelope).ok()?;
    let payload = STANDARD.decode(value["payload"].as_str()?).ok()?;
    let statement: Value = serde_json::from_slice(&payload).ok()?;
    PublicKey::parse(statement["predicate"]["signer"].as_str()?).ok()
}

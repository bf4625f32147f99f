//! The ports of `http` nodes.

use serde_json::json;

use crate::port::{Port, Signature};

/// What an `http` node takes and gives.
#[must_use]
pub fn signature() -> Signature {
    Signature {
        inputs: vec![
            Port::new("method", json!({ "type": "string" }), "What is asked.").optional(),
            Port::new("url", json!({ "type": "string" }), "Where to."),
            Port::new("query", json!({ "type": "object" }), "Parameters.").optional(),
            Port::new("headers", json!({ "type": "object" }), "Headers.").optional(),
            Port::new("body", json!(true), "What is sent.").optional(),
            Port::new("expect", json!(true), "What is a success.").optional(),
        ],
        outputs: vec![
            Port::new(
                "status",
                json!({ "type": "integer", "minimum": 100, "maximum": 599 }),
                "The status of the answer.",
            ),
            Port::new(
                "headers",
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                "The headers of the answer, in lower case, without cookies.",
            ),
            Port::new(
                "body",
                json!(true),
                "The body of the answer: what its JSON says, or its text.",
            ),
            Port::new(
                "encoding",
                json!({ "const": "base64" }),
                "There when the body is neither JSON nor text, and in base64.",
            )
            .optional(),
        ],
        open: false,
    }
}

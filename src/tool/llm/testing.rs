//! Connections and requests for the tests of this room.

use std::sync::LazyLock;

use super::parameters::Api;
use super::request::LlmRequest;
use crate::tool::Redactor;
use crate::tool::connection::{Connection, Kind};
use crate::value::Object;

pub(super) fn connection(kind: &str, fields: &[(&str, &str)]) -> Connection {
    let kind = Kind::find(kind).unwrap();
    let pairs = |secret: bool| {
        let fields = fields.iter();
        fields
            .filter(|(name, _)| (*name == "api_key") == secret)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    Connection {
        name: "c".to_owned(),
        kind,
        configs: pairs(false),
        secrets: pairs(true),
        custom: None,
        origin: "a test".to_owned(),
    }
}

pub(super) fn request<'a>(connection: &'a Connection, parameters: &'a Object) -> LlmRequest<'a> {
    static NONE: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    LlmRequest {
        connection,
        api: Api::Chat,
        prompt: "user:\nhi",
        messages: &[],
        parameters,
        stream: false,
        key: "key",
        redactor: &NONE,
    }
}

//! [`Connection`]: where a service is and the keys to it, ready to be used.

use serde_json::json;

use super::kind::Kind;
use crate::value::{Object, Value};

/// A connection with all its values.
///
/// Its `Debug` shows no secret; whoever prints one must mean it.
#[derive(Clone)]
pub struct Connection {
    /// As nodes name it.
    pub name: String,
    /// What it is.
    pub kind: &'static Kind,
    /// What everybody may see, defaults included.
    pub configs: Vec<(String, String)>,
    /// What nobody may see.
    pub secrets: Vec<(String, String)>,
    /// Of a custom connection with a class of its own: the class and its module.
    pub custom: Option<(String, String)>,
    /// Where it was found.
    pub origin: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.secrets.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("Connection")
            .field("name", &self.name)
            .field("kind", &self.kind.word)
            .field("secrets", &names)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The class that it is in Python.
    #[must_use]
    pub fn class(&self) -> &'static str {
        self.kind.class
    }

    /// A field: a secret or a config.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        let all = self.secrets.iter().chain(&self.configs);
        all.into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Everything that must be taken out of what anybody says: the secrets, and what an address holds
    /// before its `@`.
    pub fn hidden(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().map(|(_, value)| value.as_str());
        let inside = self.configs.iter().filter_map(|(_, value)| {
            let (_, password) = user_info(value)?.split_once(':')?;
            Some(password)
        });
        secrets.chain(inside).filter(|value| !value.is_empty())
    }

    /// Where the service is, if the connection says so.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        ADDRESSES.iter().find_map(|key| self.field(key))
    }

    /// As the Python worker takes it. Holds the secrets.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let object = |pairs: &[(String, String)]| -> Object {
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), Value::String(value.clone())))
                .collect()
        };
        let mut configs = object(&self.configs);
        let mut whole = json!({
            "type": self.kind.class,
            "module": self.kind.module,
            "name": self.name,
            "secrets": object(&self.secrets),
        });
        if let Some((class, module)) = &self.custom {
            // Where Prompt Flow keeps them.
            configs.insert(CUSTOM_TYPE.to_owned(), json!(class));
            configs.insert(CUSTOM_MODULE.to_owned(), json!(module));
            whole["custom_type"] = json!(class);
            whole["custom_module"] = json!(module);
        }
        whole["configs"] = configs.into();
        whole
    }
}

/// The fields that say where a service is.
pub(super) const ADDRESSES: [&str; 3] = ["api_base", "base_url", "endpoint"];
pub(super) const CUSTOM_TYPE: &str = "promptflow.connection.custom_type";
pub(super) const CUSTOM_MODULE: &str = "promptflow.connection.module";

/// What stands before the `@` of an address.
fn user_info(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// A config as people may see it: without the password and the parameters of an address.
#[must_use]
pub fn shown(value: &str) -> String {
    let mut text = match user_info(value) {
        Some(user) => value.replacen(&format!("{user}@"), "…@", 1),
        None => value.to_owned(),
    };
    if value.contains("://")
        && let Some(cut) = text.find('?')
    {
        text.truncate(cut + 1);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_json_only() {
        let connection = Connection {
            name: "c".to_owned(),
            kind: Kind::find("custom").unwrap(),
            configs: vec![(
                "url".to_owned(),
                "https://ada:lovelace@h/x?sig=1".to_owned(),
            )],
            secrets: vec![("k".to_owned(), "hush".to_owned())],
            custom: Some(("Mine".to_owned(), "my.module".to_owned())),
            origin: "f.yaml".to_owned(),
        };
        assert!(!format!("{connection:?}").contains("hush"));
        assert_eq!(
            connection.hidden().collect::<Vec<_>>(),
            ["hush", "lovelace"]
        );
        assert_eq!(connection.field("k"), Some("hush"));
        assert_eq!(shown(&connection.configs[0].1), "https://…@h/x?…");
        assert_eq!(
            connection.to_json(),
            json!({
                "type": "CustomConnection", "module": "promptflow.connections", "name": "c",
                "secrets": {"k": "hush"}, "custom_type": "Mine", "custom_module": "my.module",
                "configs": {
                    "url": "https://ada:lovelace@h/x?sig=1",
                    "promptflow.connection.custom_type": "Mine",
                    "promptflow.connection.module": "my.module",
                },
            })
        );
    }
}

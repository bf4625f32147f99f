//! [`Kind`]: the types of connections, their classes in Python and their fields.

/// A type of connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// As files write it after `type:`.
    pub word: &'static str,
    /// What it is in Python.
    pub class: &'static str,
    /// Where the class is in Python.
    pub module: &'static str,
    /// Its fields; a custom connection has any.
    pub fields: &'static [Field],
}

/// A field of a type of connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether nobody may see it.
    pub secret: bool,
    /// Whether the connection is of no use without it.
    pub required: bool,
    /// What it is when nobody says.
    pub default: Option<&'static str>,
}

/// How a connection shows who it is: by its key, or by a token of Microsoft Entra ID.
pub(super) const AUTH_MODE: &str = "auth_mode";
const MODULE: &str = "promptflow.connections";
const VECTORS: &str = "promptflow_vectordb.connections";

const KEY: Field = Field {
    name: "api_key",
    secret: true,
    required: true,
    default: None,
};
const OPTIONAL_KEY: Field = Field {
    required: false,
    ..KEY
};
const BASE: Field = required("api_base");
const ENDPOINT: Field = required("endpoint");
const AUTH: Field = with(AUTH_MODE, "key");

const fn required(name: &'static str) -> Field {
    Field {
        required: true,
        ..optional(name)
    }
}

const fn optional(name: &'static str) -> Field {
    Field {
        name,
        secret: false,
        required: false,
        default: None,
    }
}

const fn with(name: &'static str, default: &'static str) -> Field {
    Field {
        default: Some(default),
        ..optional(name)
    }
}

/// Every type there is: Prompt Flow's, and two of flowctl's own at the end.
pub const KINDS: &[Kind] = &[
    Kind {
        word: "azure_open_ai",
        class: "AzureOpenAIConnection",
        module: MODULE,
        fields: &[
            KEY,
            BASE,
            with("api_type", "azure"),
            with("api_version", "2024-02-01"),
            AUTH,
            optional("resource_id"),
        ],
    },
    Kind {
        word: "open_ai",
        class: "OpenAIConnection",
        module: MODULE,
        fields: &[KEY, optional("organization"), optional("base_url")],
    },
    Kind {
        word: "serverless",
        class: "ServerlessConnection",
        module: MODULE,
        fields: &[KEY, BASE],
    },
    Kind {
        word: "serp",
        class: "SerpConnection",
        module: MODULE,
        fields: &[KEY],
    },
    Kind {
        word: "qdrant",
        class: "QdrantConnection",
        module: VECTORS,
        fields: &[KEY, BASE],
    },
    Kind {
        word: "weaviate",
        class: "WeaviateConnection",
        module: VECTORS,
        fields: &[KEY, BASE],
    },
    Kind {
        word: "cognitive_search",
        class: "CognitiveSearchConnection",
        module: MODULE,
        fields: &[KEY, BASE, with("api_version", "2023-11-01"), AUTH],
    },
    Kind {
        word: "azure_ai_services",
        class: "AzureAIServicesConnection",
        module: MODULE,
        fields: &[KEY, ENDPOINT, AUTH],
    },
    Kind {
        word: "azure_content_safety",
        class: "AzureContentSafetyConnection",
        module: MODULE,
        fields: &[
            KEY,
            ENDPOINT,
            with("api_version", "2023-10-01"),
            with("api_type", "Content Safety"),
        ],
    },
    Kind {
        word: "form_recognizer",
        class: "FormRecognizerConnection",
        module: MODULE,
        fields: &[
            KEY,
            ENDPOINT,
            with("api_version", "2023-07-31"),
            with("api_type", "Form Recognizer"),
        ],
    },
    Kind {
        word: "custom",
        class: "CustomConnection",
        module: MODULE,
        fields: &[],
    },
    // Ours. A Python tool sees them as classes that Prompt Flow has.
    Kind {
        word: "anthropic",
        class: "CustomConnection",
        module: MODULE,
        fields: &[
            KEY,
            with("base_url", "https://api.anthropic.com"),
            with("api_version", "2023-06-01"),
        ],
    },
    Kind {
        word: "openai_compatible",
        class: "OpenAIConnection",
        module: MODULE,
        fields: &[OPTIONAL_KEY, required("base_url"), optional("organization")],
    },
];

impl Kind {
    /// The type that a file or a Python class names: `open_ai`, `OpenAI` or `OpenAIConnection`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let lower = name.to_ascii_lowercase();
        let class = |kind: &&Self| {
            let full = kind.class;
            full == name || full.strip_suffix("Connection") == Some(name)
        };
        KINDS
            .iter()
            .find(|kind| kind.word == lower)
            .or_else(|| KINDS.iter().find(class))
    }

    /// Whether it holds whatever fields its user wants.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.word == "custom"
    }

    /// One of its fields.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_every_name_they_have() {
        for (name, word) in [
            ("azure_open_ai", "azure_open_ai"),
            ("Azure_Open_AI", "azure_open_ai"),
            ("AzureOpenAI", "azure_open_ai"),
            ("OpenAIConnection", "open_ai"),
            ("CustomConnection", "custom"),
            ("openai_compatible", "openai_compatible"),
        ] {
            assert_eq!(Kind::find(name).map(|kind| kind.word), Some(word), "{name}");
        }
        assert_eq!(Kind::find("openai"), None);
    }
}

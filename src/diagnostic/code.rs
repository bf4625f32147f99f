//! [`Code`]: the stable slugs of all diagnostics, in one list.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal,)+) => {
        /// The stable name of a kind of problem; each has a paragraph in `docs/diagnostics.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The slug, for example `expr::unknown-node`.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }
        }
    };
}

codes! {
    /// The file cannot be read.
    FileUnreadable = "file::unreadable",
    /// The file is larger than a flow may be.
    FileTooLarge = "file::too-large",
    /// The file is not UTF-8.
    FileNotUtf8 = "file::not-utf8",
    /// Not YAML.
    YamlSyntax = "yaml::syntax",
    /// A key stands twice in one mapping.
    YamlDuplicateKey = "yaml::duplicate-key",
    /// Aliases expand to too much.
    YamlAliasBomb = "yaml::alias-bomb",
    /// Nested too deeply.
    YamlTooDeep = "yaml::too-deep",
    /// More than one document in a file.
    YamlMultipleDocuments = "yaml::multiple-documents",
    /// A tag, key or number that has no JSON form.
    YamlNotJson = "yaml::not-json",
    /// A key that means nothing here.
    UnknownKey = "flow::unknown-key",
    /// A value of another type than the key takes.
    WrongType = "flow::wrong-type",
    /// A value outside the values that the key takes.
    BadValue = "flow::bad-value",
    /// A key that must be there is not.
    MissingKey = "flow::missing-key",
    /// A name that cannot be a name.
    BadName = "flow::bad-name",
    /// Two nodes of one name.
    DuplicateNode = "flow::duplicate-node",
    /// Keys that exclude each other, or a key that this kind of node does not have.
    Conflict = "flow::conflict",
    /// A key of the design that this version does not carry out.
    NotSupported = "flow::not-supported",
    /// A default that does not fit its input.
    BadDefault = "flow::bad-default",
    /// A schema that is not a JSON Schema.
    BadSchema = "flow::bad-schema",
    /// A sub-flow that contains itself.
    RecursiveFlow = "flow::recursive",
    /// Approval policy that needs an `approvers.yaml`.
    ApproversNeeded = "approval::approvers-needed",
    /// Everybody may write the file of approvers.
    ExposedApprovers = "approvers::exposed",
    /// A key of an approver or a server that proves nothing.
    BadKey = "approvers::bad-key",
    /// A token of an approver that cannot be checked.
    BadToken = "approvers::bad-token",
    /// A group names somebody who is not there.
    UnknownApprover = "approvers::unknown-user",
    /// An account, key or token of two.
    ClaimedTwice = "approvers::claimed-twice",
    /// A `${…}` that cannot be read.
    ExprSyntax = "expr::syntax",
    /// A `${` without its `}`.
    ExprUnclosed = "expr::unclosed",
    /// A JSONPath tail that cannot be read.
    ExprBadPath = "expr::bad-path",
    /// A reference to a node that is not there.
    UnknownNode = "expr::unknown-node",
    /// A reference to an input that is not declared.
    UnknownInput = "expr::unknown-input",
    /// A reference to an output port that the node does not have.
    UnknownOutput = "expr::unknown-output",
    /// A reference to something that does not exist at this place.
    NotAvailable = "expr::not-available",
    /// A reference to a node further down.
    LaterNode = "graph::later-node",
    /// A node that refers to itself.
    SelfReference = "graph::self-reference",
    /// Nodes that wait for each other.
    Cycle = "graph::cycle",
    /// A tera template that cannot be read, or names what is not there.
    BadTemplate = "template::syntax",
    /// No tool of that name.
    UnknownTool = "tool::unknown-tool",
    /// No persona of that name.
    UnknownPersona = "tool::unknown-persona",
    /// No skill of that name.
    UnknownSkill = "tool::unknown-skill",
    /// A skill's manifest is wrong.
    BadSkill = "tool::bad-skill",
    /// Python code that cannot be loaded.
    BadCode = "tool::bad-code",
    /// An input that the tool does not take.
    UnknownPort = "port::unknown-port",
    /// A required port that nothing feeds.
    UnfedPort = "port::unfed",
    /// The nearest node that offers the port may not run.
    ConditionalProducer = "port::conditional-producer",
    /// What the producer gives is not what the consumer takes.
    ContractMismatch = "port::contract-mismatch",
    /// A literal input that its port does not allow.
    BadLiteral = "port::bad-literal",
    /// A flow input that is missing from the command line.
    MissingInput = "input::missing",
    /// A given input that its declaration does not allow.
    BadInput = "input::bad-value",
    /// A given input that the flow does not declare.
    UndeclaredInput = "input::undeclared",
    /// A connection that is not there, or that the tool cannot take.
    UnknownConnection = "connection::unknown",
    /// No type of connection of that name.
    UnknownConnectionType = "connection::unknown-type",
    /// Two connections of one name in one place.
    DuplicateConnection = "connection::duplicate",
    /// Others may read, or write, a file of connections.
    ExposedConnections = "connection::exposed",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let slug = code.slug();
            assert!(seen.insert(slug), "{slug} twice");
            assert!(
                slug.chars().all(|c| c.is_ascii_lowercase()
                    || c.is_ascii_digit()
                    || matches!(c, ':' | '-')),
                "{slug}"
            );
            assert_eq!(slug.matches("::").count(), 1, "{slug}");
        }
    }
}

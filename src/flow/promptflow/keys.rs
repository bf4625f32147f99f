//! The keys that Prompt Flow's files have, and those of flowctl's that may stand beside them.

/// Of the file.
pub(super) const FLOW: [&str; 19] = [
    "$schema",
    "additional_includes",
    "description",
    "display_name",
    "entry",
    "environment",
    "environment_variables",
    "id",
    "inputs",
    "language",
    "message_format",
    "name",
    "node_variants",
    "nodes",
    "outputs",
    "tags",
    "tools",
    "type",
    "version",
];
/// flowctl's own, of the file.
pub(super) const OWN_FLOW: [&str; 3] = ["dialect", "notify", "order"];
/// Of an input.
pub(super) const INPUT: [&str; 6] = [
    "default",
    "description",
    "enum",
    "is_chat_history",
    "is_chat_input",
    "type",
];
/// Of an output.
pub(super) const OUTPUT: [&str; 5] = [
    "description",
    "evaluation_only",
    "is_chat_output",
    "reference",
    "type",
];
/// Of a node.
pub(super) const NODE: [&str; 17] = [
    "activate",
    "aggregation",
    "api",
    "comment",
    "connection",
    "description",
    "enable_cache",
    "inputs",
    "module",
    "name",
    "provider",
    "reduce",
    "skip",
    "source",
    "tool",
    "type",
    "use_variants",
];
/// flowctl's own, of a node.
pub(super) const OWN_NODE: [&str; 18] = [
    "after",
    "approval",
    "cache",
    "command",
    "cwd",
    "env",
    "evidence",
    "flow",
    "foreach",
    "model",
    "on_error",
    "output",
    "persona",
    "retry",
    "skill",
    "timeout",
    "when",
    "worker_pool",
];
/// Of `source`.
pub(super) const SOURCE: [&str; 3] = ["path", "tool", "type"];

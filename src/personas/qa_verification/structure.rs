//! Structural checks over the rendered Terraform text.
//!
//! Reads lines, not HCL: each rule is one that a line (without its comment) can break, so that it
//! holds without terraform and its providers.

use super::case::Case;
use super::tree::Tree;
use crate::contracts::{IaCPlan, IaCUnit, SecurityProfile, TestCase};

/// One `.tf` file.
struct Source {
    path: String,
    text: String,
}

/// A rule that a line can break.
struct LineRule {
    id: &'static str,
    title: &'static str,
    guardrails: &'static [&'static str],
    broken: fn(&str) -> bool,
}

const LINE_RULES: [LineRule; 4] = [
    LineRule {
        id: "QA-ST-03",
        title: "No template marker was left behind",
        guardrails: &[],
        broken: left_behind,
    },
    LineRule {
        id: "QA-ST-05",
        title: "No literal opens the storage to the public",
        guardrails: &["GR-AC-01", "GR-SC-05"],
        broken: opens_to_the_public,
    },
    LineRule {
        id: "QA-ST-06",
        title: "No literal turns encryption or TLS off",
        guardrails: &["GR-SC-02", "GR-SC-03"],
        broken: weakens_encryption,
    },
    LineRule {
        id: "QA-ST-07",
        title: "No credential stands in the code",
        guardrails: &["GR-IA-01"],
        broken: holds_credential,
    },
];

/// The structural cases.
pub(super) fn cases(plan: &IaCPlan, profile: &SecurityProfile, tree: &Tree) -> Vec<TestCase> {
    let units: Vec<(&IaCUnit, Vec<Source>)> = plan
        .modules
        .iter()
        .chain(&plan.stacks)
        .map(|unit| (unit, sources(unit, tree)))
        .collect();
    let modules = plan.modules.len();
    let mut cases = vec![
        versions_case(&units),
        providers_case(&units),
        provider_blocks_case(&units[..modules]),
        module_calls_case(&units[modules..]),
    ];
    cases.extend(
        LINE_RULES
            .iter()
            .map(|rule| line_case(rule, &units, profile)),
    );
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases
}

/// The unit's own `.tf` files, without those of its examples and tests.
fn sources(unit: &IaCUnit, tree: &Tree) -> Vec<Source> {
    let own = unit.files.iter().filter(|file| {
        let inside = file.path.strip_prefix(&unit.path).unwrap_or(&file.path);
        let inside = inside.trim_start_matches('/');
        inside
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension == "tf")
            && !inside.contains('/')
    });
    // What cannot be read is the digest case's finding.
    own.filter_map(|file| {
        Some(Source {
            path: file.path.clone(),
            text: tree.text(&file.path).ok()?,
        })
    })
    .collect()
}

/// The lines of a text without comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, without_comment(line)));
    lines.filter(|(_, line)| !line.trim().is_empty())
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return &line[..at],
            b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
    }
    line
}

fn versions_case(units: &[(&IaCUnit, Vec<Source>)]) -> TestCase {
    let lacking = units.iter().filter(|(_, sources)| {
        !sources.iter().any(|source| {
            code_lines(&source.text).any(|(_, line)| attribute(line, "required_version").is_some())
        })
    });
    let findings = lacking
        .map(|(unit, _)| format!("{} declares no required_version", unit.path))
        .collect();
    Case::new(
        "QA-ST-01",
        "Every module and stack says which Terraform it needs",
        "iac",
    )
    .controls(&["cm-2"])
    .of(findings, format!("{} folders", units.len()))
}

fn providers_case(units: &[(&IaCUnit, Vec<Source>)]) -> TestCase {
    let mut findings = Vec::new();
    let mut pinned = 0;
    for (unit, sources) in units {
        let versions = sources
            .iter()
            .flat_map(|source| provider_versions(&source.text));
        let versions: Vec<String> = versions.collect();
        if versions.is_empty() {
            findings.push(format!("{} pins no provider", unit.path));
        }
        for version in versions {
            if version.contains("~>")
                || version.contains('<')
                || version.starts_with(|c: char| c == '=' || c.is_ascii_digit())
            {
                pinned += 1;
            } else {
                findings.push(format!(
                    "{}: provider version `{version}` has no upper bound",
                    unit.path
                ));
            }
        }
    }
    Case::new("QA-ST-02", "Every provider is pinned from above", "iac")
        .controls(&["cm-2", "si-7"])
        .of(findings, format!("{pinned} constraints"))
}

/// The `version` attributes within `required_providers`.
fn provider_versions(text: &str) -> Vec<String> {
    let mut versions = Vec::new();
    let mut depth = 0_usize;
    for (_, line) in code_lines(text) {
        if depth == 0 && line.trim_start().starts_with("required_providers") {
            depth = 1;
            continue;
        }
        if depth > 0 {
            depth += line.matches('{').count();
            depth = depth.saturating_sub(line.matches('}').count());
            versions
                .extend(attribute(line, "version").map(|value| value.trim_matches('"').to_owned()));
        }
    }
    versions
}

fn provider_blocks_case(modules: &[(&IaCUnit, Vec<Source>)]) -> TestCase {
    let findings = find(modules, |line| {
        line.starts_with("provider \"") // A nested `provider = …` argument is no block.
    });
    Case::new(
        "QA-ST-04",
        "No module configures a provider itself",
        "iac/modules",
    )
    .controls(&["cm-2"])
    .of(findings, format!("{} modules", modules.len()))
}

fn module_calls_case(stacks: &[(&IaCUnit, Vec<Source>)]) -> TestCase {
    let lacking = stacks.iter().filter(|(unit, sources)| {
        let wanted = format!("modules/secure-storage/{}", unit.cloud);
        !sources.iter().any(|source| {
            code_lines(&source.text).any(|(_, line)| {
                attribute(line, "source")
                    .is_some_and(|value| value.trim_matches('"').ends_with(&wanted))
            })
        })
    });
    let findings = lacking
        .map(|(unit, _)| format!("{} calls no secure-storage module", unit.path))
        .collect();
    Case::new(
        "QA-ST-08",
        "Every stack builds on the secure-storage module",
        "iac/products",
    )
    .controls(&["cm-2"])
    .of(findings, format!("{} stacks", stacks.len()))
}

fn line_case(
    rule: &LineRule,
    units: &[(&IaCUnit, Vec<Source>)],
    profile: &SecurityProfile,
) -> TestCase {
    let lines: usize = units
        .iter()
        .flat_map(|(_, sources)| sources)
        .map(|source| code_lines(&source.text).count())
        .sum();
    let case = Case::new(rule.id, rule.title, "iac").guardrails(rule.guardrails, profile);
    let case = if rule.guardrails.is_empty() {
        case.controls(&["cm-6"])
    } else {
        case
    };
    case.of(find(units, rule.broken), format!("{lines} lines"))
}

fn find(units: &[(&IaCUnit, Vec<Source>)], broken: fn(&str) -> bool) -> Vec<String> {
    let sources = units.iter().flat_map(|(_, sources)| sources);
    let found = sources.flat_map(|source| {
        let lines = code_lines(&source.text).filter(|(_, line)| broken(line));
        lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
    });
    found.collect()
}

/// The value of `name = value` on a line.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (left, right) = line.split_once('=')?;
    // An attribute within braces on one line: `aws = { source = "x", version = "y" }`.
    if left.trim() == name && !right.starts_with('=') {
        return Some(right.trim().trim_end_matches(','));
    }
    let inline = line
        .split_once('{')
        .map(|(_, inner)| inner.trim_end().trim_end_matches('}'))?;
    inline.split(", ").find_map(|part| {
        let (left, right) = part.split_once('=')?;
        (left.trim() == name).then(|| right.trim())
    })
}

/// A marker of tera; `$${{` and `%%{{` are HCL's own escapes of a text that holds braces.
fn left_behind(line: &str) -> bool {
    let opened = line
        .match_indices("{{")
        .any(|(at, _)| !line[..at].ends_with(['$', '%']));
    opened || line.contains("{%") || line.contains("{#") || line.contains("%}")
}

fn opens_to_the_public(line: &str) -> bool {
    let is = |name: &str, values: &[&str]| {
        attribute(line, name).is_some_and(|value| values.contains(&value.trim_matches('"')))
    };
    is("allow_nested_items_to_be_public", &["true"])
        || is("public_network_access_enabled", &["true"])
        || is("container_access_type", &["blob", "container"])
        || is("block_public_acls", &["false"])
        || is("block_public_policy", &["false"])
        || is("ignore_public_acls", &["false"])
        || is("restrict_public_buckets", &["false"])
        || is("acl", &["public-read", "public-read-write", "website"])
        || is("public_access_prevention", &["inherited"])
        || is("uniform_bucket_level_access", &["false"])
        || is("access_type", &["ObjectRead", "ObjectReadWithoutList"])
        || line.contains("\"allUsers\"")
        || line.contains("\"allAuthenticatedUsers\"")
}

fn weakens_encryption(line: &str) -> bool {
    let is = |name: &str, values: &[&str]| {
        attribute(line, name).is_some_and(|value| values.contains(&value.trim_matches('"')))
    };
    is("https_traffic_only_enabled", &["false"])
        || is("min_tls_version", &["TLS1_0", "TLS1_1"])
        || is("enable_key_rotation", &["false"])
}

fn holds_credential(line: &str) -> bool {
    let literal = |name: &str| {
        attribute(line, name)
            .is_some_and(|value| value.starts_with('"') && value.len() > 2 && !value.contains("${"))
    };
    line.contains("-----BEGIN")
        || [
            "access_key",
            "secret_key",
            "client_secret",
            "password",
            "private_key",
            "sas_token",
            "credentials",
        ]
        .iter()
        .any(|name| literal(name))
        || contains_access_key_id(line)
}

/// AWS access key ids: `AKIA` or `ASIA` and sixteen capitals and digits.
fn contains_access_key_id(line: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| {
        line.match_indices(prefix).any(|(at, _)| {
            let rest = &line.as_bytes()[at + prefix.len()..];
            rest.len() >= 16
                && rest[..16]
                    .iter()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_do_not_count() {
        assert_eq!(without_comment("a = 1 # acl"), "a = 1 ");
        assert_eq!(without_comment(r#"a = "x#y//z" // c"#), r#"a = "x#y//z" "#);
        assert_eq!(without_comment(r##"a = "\"#" # c"##), r##"a = "\"#" "##);
    }

    #[test]
    fn opening_literals_are_seen() {
        assert!(opens_to_the_public("  block_public_acls       = false"));
        assert!(opens_to_the_public(r#"  acl = "public-read""#));
        assert!(opens_to_the_public(r#"  members = ["allUsers"]"#));
        assert!(!opens_to_the_public("  block_public_acls       = true"));
        assert!(!opens_to_the_public(
            "  public_network_access_enabled = var.public"
        ));
        assert!(weakens_encryption(r#"min_tls_version = "TLS1_0""#));
        assert!(!weakens_encryption(r#"min_tls_version = "TLS1_2""#));
    }

    #[test]
    fn credentials_are_seen() {
        assert!(holds_credential(r#"key = "AKIAABCDEFGHIJKLMNOP""#));
        assert!(holds_credential(r#"password = "hunter2""#));
        assert!(!holds_credential("password = var.password"));
    }

    #[test]
    fn markers_are_seen_and_escapes_are_not() {
        let broken = LINE_RULES[0].broken;
        assert!(broken("name = {{ slug }}"));
        assert!(broken("{% if x %}"));
        assert!(!broken(r#"name = "a $${{ b }}""#));
        assert!(!broken("tags = { a = { b = 1 } }"));
        assert!(!broken(r#"x = "%%{ if }""#));
    }

    #[test]
    fn versions_of_providers_are_read() {
        let text = "terraform {\n  required_version = \">= 1.9\"\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \"~> 5.100\"\n    }\n    b = { source = \"x/b\", version = \">= 1\" }\n  }\n}\nmodule \"m\" {\n  version = \"9\"\n}\n";
        assert_eq!(provider_versions(text), ["~> 5.100", ">= 1"]);
    }
}

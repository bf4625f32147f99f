//! [`veil`]: diagnostics of a file with secrets, which show the lines that they mark.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostics, Source};

/// Words that a reader needs to find the place, and that are no secrets.
const KEPT: [&str; 22] = [
    "$schema",
    "name",
    "type",
    "module",
    "custom_type",
    "package",
    "package_version",
    "configs",
    "secrets",
    "value",
    "api_key",
    "api_base",
    "api_type",
    "api_version",
    "auth_mode",
    "base_url",
    "endpoint",
    "organization",
    "resource_id",
    "secret_keys",
    "class_name",
    "export",
];

/// Puts stars over everything in the lines that may be a secret. What a parser says of text that it
/// cannot read may quote the text, and goes as well.
pub(super) fn veil(problems: &Diagnostics, kept: &[String]) -> Diagnostics {
    let mut veiled = Diagnostics::default();
    let mut last: Option<(Arc<Source>, Arc<Source>)> = None;
    for problem in problems {
        let mut problem = problem.clone();
        let labels = std::iter::once(&mut problem.primary).chain(&mut problem.secondary);
        for label in labels {
            let known = last
                .as_ref()
                .filter(|(from, _)| Arc::ptr_eq(from, &label.source));
            let covered = if let Some((_, covered)) = known {
                Arc::clone(covered)
            } else {
                let text = cover(&label.source.text, kept);
                let covered = Arc::new(Source::new(label.source.path.clone(), text));
                last = Some((Arc::clone(&label.source), Arc::clone(&covered)));
                covered
            };
            label.source = covered;
        }
        match problem.code {
            Code::YamlSyntax | Code::YamlNotJson => {
                "this cannot be read".clone_into(&mut problem.message);
                problem.primary.text.clear();
                problem.help = vec![
                    "quote values that hold `:`, `#`, `{`, `[`, `*`, `&`, `!`, `%` or `@`"
                        .to_owned(),
                ];
            }
            Code::FileNotUtf8 => problem.primary.text.clear(),
            _ => {}
        }
        veiled.push(problem);
    }
    veiled
}

/// Bytes stay where they are; words stay when they are keys.
fn cover(text: &str, kept: &[String]) -> String {
    let mut covered = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches([' ', '\t', '-', '{', '"', '\'']);
        let word_end = body
            .find(|c: char| c == ':' || c.is_whitespace() || matches!(c, '"' | '\''))
            .unwrap_or(body.len());
        let (word, after) = body.split_at(word_end);
        let is_key = after.trim_start_matches(['"', '\'']).starts_with(':')
            && (KEPT.contains(&word) || kept.iter().any(|key| key == word));
        let shown = if is_key {
            line.len() - body.len() + word_end
        } else {
            0
        };
        covered.push_str(&line[..shown]);
        for c in line[shown..].chars() {
            if c.is_whitespace() || matches!(c, ':' | '{' | '}' | '[' | ']' | ',') {
                covered.push(c);
            } else {
                covered.extend(std::iter::repeat_n('*', c.len_utf8()));
            }
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_covered() {
        let text = "name: x\n  api_key: s3cret: [271828é]\n- type: 'a'\nhush\nmine: 1\n{\"name\": \"n\"}\n";
        let covered = cover(text, &["mine".to_owned()]);
        assert_eq!(
            covered,
            "name: *\n  api_key: ******: [********]\n- type: ***\n****\nmine: *\n{\"name*: ***}\n"
        );
        assert_eq!(covered.len(), text.len());
    }
}

//! Colours for what is read in reviews: comments, texts, numbers and words of the language.
//!
//! Not `syntect`: with its grammars it is 60 crates and 5 MiB for the same four colours, and it knows neither
//! HCL nor Rego. This knows no grammar at all: it finds comments and strings, and calls every other word by
//! what it is. Whatever is not recognised stays plain text.

use maud::{Markup, html};

/// What the parts of a line are, by family of languages.
struct Family {
    comment: &'static [&'static str],
    quotes: &'static [char],
    words: &'static [&'static str],
    /// Whether what stands before a colon or equals sign is a name.
    keys: bool,
}

const HCL: Family = Family {
    comment: &["#", "//"],
    quotes: &['"'],
    words: &[
        "resource",
        "data",
        "variable",
        "output",
        "module",
        "provider",
        "locals",
        "terraform",
        "for",
        "in",
        "if",
        "true",
        "false",
        "null",
        "each",
        "count",
    ],
    keys: true,
};
const REGO: Family = Family {
    comment: &["#"],
    quotes: &['"', '`'],
    words: &[
        "package", "import", "default", "if", "contains", "some", "every", "in", "not", "with",
        "as", "else", "true", "false", "null",
    ],
    keys: false,
};
const YAML: Family = Family {
    comment: &["#"],
    quotes: &['"', '\''],
    words: &["true", "false", "null", "yes", "no"],
    keys: true,
};
const JSON: Family = Family {
    comment: &[],
    quotes: &['"'],
    words: &["true", "false", "null"],
    keys: false,
};
const SHELL: Family = Family {
    comment: &["#"],
    quotes: &['"', '\''],
    words: &[
        "if", "then", "else", "fi", "for", "do", "done", "while", "case", "esac", "function",
        "return", "export", "set", "exit", "def", "import", "from", "class", "async", "await",
        "with", "as", "in", "not", "and", "or", "None", "True", "False",
    ],
    keys: false,
};

fn family(path: &str) -> Option<&'static Family> {
    let (_, end) = path.rsplit_once('.')?;
    Some(match end {
        "tf" | "tfvars" | "hcl" => &HCL,
        "rego" => &REGO,
        "yaml" | "yml" => &YAML,
        "json" => &JSON,
        "sh" | "bash" | "py" | "toml" => &SHELL,
        _ => return None,
    })
}

/// The kind of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Comment,
    Text,
    Number,
    Word,
    Key,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Comment => "c",
            Self::Text => "s",
            Self::Number => "n",
            Self::Word => "k",
            Self::Key => "a",
        }
    }
}

/// A file with its colours.
pub(super) fn show(path: &str, text: &str) -> Markup {
    let Some(family) = family(path) else {
        return html! { (text) };
    };
    html! {
        @for line in text.split_inclusive('\n') {
            @for (kind, part) in pieces(family, line) {
                @if kind == Kind::Plain { (part) } @else { span.(kind.class()) { (part) } }
            }
        }
    }
}

/// A line in pieces; together they are the line.
fn pieces<'l>(family: &Family, line: &'l str) -> Vec<(Kind, &'l str)> {
    let mut found = Vec::new();
    let mut rest = line;
    let mut at_start = true;
    while let Some(first) = rest.chars().next() {
        let starts_comment = family.comment.iter().any(|mark| rest.starts_with(mark));
        let (kind, length) = if starts_comment
            && (at_start
                || found
                    .last()
                    .is_none_or(|(_, part): &(Kind, &str)| part.ends_with(char::is_whitespace)))
        {
            (Kind::Comment, rest.len())
        } else if family.quotes.contains(&first) {
            (Kind::Text, quoted(rest, first))
        } else if first.is_ascii_digit() {
            (
                Kind::Number,
                run(rest, |c| c.is_ascii_alphanumeric() || c == '.'),
            )
        } else if first.is_alphabetic() || first == '_' {
            let length = run(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '-'));
            let after = rest[length..].trim_start_matches(' ');
            let is_key = family.keys
                && (after.starts_with(':') || after.starts_with('=') && !after.starts_with("=="));
            let kind = if is_key {
                Kind::Key
            } else if family.words.contains(&&rest[..length]) {
                Kind::Word
            } else {
                Kind::Plain
            };
            (kind, length)
        } else {
            (Kind::Plain, first.len_utf8())
        };
        let (piece, after) = rest.split_at(length);
        found.push((kind, piece));
        rest = after;
        at_start &= piece.trim().is_empty();
    }
    found
}

fn run(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

/// How long a text in quotes is; to the end of the line when it does not end there.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(family: &Family, line: &str) -> String {
        let marks = pieces(family, line).into_iter();
        let marks = marks.filter(|(_, part)| !part.trim().is_empty());
        marks.fold(String::new(), |all, (kind, part)| {
            all + kind.class() + "[" + part + "]"
        })
    }

    #[test]
    fn what_is_what() {
        assert_eq!(
            kinds(&HCL, "name = \"a\\\"b\" # c"),
            "a[name][=]s[\"a\\\"b\"]c[# c]"
        );
        assert_eq!(kinds(&HCL, "resource \"x\" {"), "k[resource]s[\"x\"][{]");
        assert_eq!(kinds(&YAML, "a: b#c # d"), "a[a][:][b][#][c]c[# d]");
        assert_eq!(kinds(&REGO, "x == 12.5"), "[x][=][=]n[12.5]");
        assert_eq!(kinds(&JSON, "\"never ends"), "s[\"never ends]");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_markup(text in "[a-z<>&\"'#/= \\\\\n0-9é]{0,60}") {
            for family in [&HCL, &REGO, &YAML, &JSON, &SHELL] {
                for line in text.split_inclusive('\n') {
                    let whole: String = pieces(family, line).into_iter().map(|(_, part)| part).collect();
                    prop_assert_eq!(&whole, line);
                }
            }
            let shown = show("a.tf", &text).into_string();
            let bare = regex::Regex::new("</?span[^>]*>").unwrap().replace_all(&shown, "").into_owned();
            prop_assert!(!bare.contains('<') && !bare.contains('>'));
        }
    }
}

//! [`Dotenv`]: the variables of a `.env` file.
//!
//! Written here because the crate for it (`dotenvy`, last released in March 2023) quotes the line in its
//! errors, which may be a secret, and reads the environment by itself.

use std::collections::BTreeMap;

/// Names and values. Has no `Debug`, for the values may be secrets.
#[derive(Clone, Default)]
pub struct Dotenv(BTreeMap<String, String>);

impl Dotenv {
    /// Reads `NAME=value` lines as python-dotenv does: `export` before them, `#` comments, single quotes
    /// for the text as it is, double quotes for `\n` and the like, `${NAME}` outside single quotes. Also
    /// gives the numbers of lines that are none of this; they are left out.
    #[must_use]
    pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> (Self, Vec<usize>) {
        let mut found = BTreeMap::new();
        let mut wrong = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = match line.strip_prefix("export") {
                Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
                _ => line,
            };
            let Some((name, value)) = line.split_once('=') else {
                // `NAME` alone declares nothing.
                if !is_name(line) {
                    wrong.push(index + 1);
                }
                continue;
            };
            let name = name.trim_end();
            let value = value.trim_start();
            let read = match value.chars().next() {
                Some(quote @ ('\'' | '"')) => quoted(quote, &value[1..], &mut lines),
                _ => Some(plain(value).to_owned()),
            };
            match read {
                Some(read) if is_name(name) => {
                    let read = if value.starts_with('\'') {
                        read
                    } else {
                        expand(&read, &|name| {
                            variable(name).or_else(|| found.get(name).cloned())
                        })
                    };
                    found.insert(name.to_owned(), read);
                }
                _ => wrong.push(index + 1),
            }
        }
        (Self(found), wrong)
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Up to a comment, which has a space before it.
fn plain(value: &str) -> &str {
    let end = value
        .match_indices('#')
        .map(|(index, _)| index)
        .find(|&index| index == 0 || value[..index].ends_with([' ', '\t']));
    value[..end.unwrap_or(value.len())].trim_end()
}

/// Up to the quote that ends it, on this line or a later one; `None` without one.
fn quoted<'a>(
    quote: char,
    first: &str,
    lines: &mut (impl Iterator<Item = (usize, &'a str)> + Clone),
) -> Option<String> {
    let mut text = String::new();
    let mut ahead = lines.clone();
    let mut rest = first.to_owned();
    loop {
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match (quote, chars.next()) {
                    ('"', Some('n')) => text.push('\n'),
                    ('"', Some('r')) => text.push('\r'),
                    ('"', Some('t')) => text.push('\t'),
                    (_, Some(next)) if next == quote || next == '\\' => text.push(next),
                    (_, next) => {
                        text.push('\\');
                        text.extend(next);
                    }
                },
                c if c == quote => {
                    let after = chars.as_str().trim_start();
                    *lines = ahead;
                    return (after.is_empty() || after.starts_with('#')).then_some(text);
                }
                c => text.push(c),
            }
        }
        // Without an end, all that follows is inside of it.
        let Some((_, next)) = ahead.next() else {
            *lines = ahead;
            return None;
        };
        text.push('\n');
        next.clone_into(&mut rest);
    }
}

/// `${NAME}` and `${NAME:-default}` are what the variable holds; what is not known is nothing.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        let inside = &rest[start + 2..start + length];
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        whole.push_str(&rest[..start]);
        match variable(name) {
            Some(value) => whole.push_str(&value),
            None => whole.push_str(default),
        }
        rest = &rest[start + length + 1..];
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_as_python_dotenv_reads_them() {
        let text = "\u{feff}# a comment\nA=1\nexport B = two words  # more\n\nC='it''s'\nC2='a \\'b\\' ${A}'\nD=\"x\\ny ${A}${NO:-z}${HOME}\"\nE=a#b\nF=\nG=\"one\ntwo\" # end\nI=3\r\nno line\nJ\n9=1\nK=\nH=\"never ends\nL=1\n";
        let home = |name: &str| (name == "HOME").then(|| "/h".to_owned());
        let (found, wrong) = Dotenv::parse(text, &home);
        let pairs: Vec<_> = found
            .0
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C2", "a 'b' ${A}"),
                ("D", "x\ny 1z/h"),
                ("E", "a#b"),
                ("F", ""),
                ("G", "one\ntwo"),
                ("I", "3"),
                ("K", ""),
            ]
        );
        // `'it''s'` goes on after its end.
        assert_eq!(wrong, [5, 13, 15, 17]);
    }

    proptest! {
        #[test]
        fn anything_is_read(text in "(\\PC|[\n\"'#=\\\\${}]){0,80}") {
            let (_, wrong) = Dotenv::parse(&text, &|_| None);
            prop_assert!(wrong.len() <= text.lines().count());
        }
    }
}

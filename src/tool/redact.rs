//! [`Redactor`]: takes secrets out of what tools say, before anything is written down.
//!
//! A secret is known as it is, and in the forms that tools commonly give it: as JSON, URLs, markup,
//! hexadecimal digits and base64 write it, also inside of a longer text in base64, and in JSON inside
//! of a JSON string. What nests deeper, compresses, encrypts, hashes, reverses or cuts a secret up
//! hides it from here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::value::Value;

/// What stands in the place of a secret.
const MASK: &str = "[secret]";
/// Lines and encoded forms shorter than this are too common to be a secret.
const SHORTEST: usize = 8;
/// Longer secrets are known as they are only, or there would be no end to their forms.
const LONGEST: usize = 64 * 1024;

/// The secrets of a run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Option<Arc<Forms>>);

/// Every form of every secret. Shows nothing when it is printed.
struct Forms {
    /// Finds the leftmost, and of those the longest, so that a secret that contains another goes
    /// as a whole.
    search: AhoCorasick,
    /// Longest first, by their first byte.
    by_first: Vec<Vec<Vec<u8>>>,
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Redactor {
    /// Takes these values out, in every form that is known.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms = BTreeSet::new();
        for value in values {
            add_forms(&value, &mut forms);
        }
        Self::of_forms(forms.into_iter().map(String::into_bytes).collect())
    }

    /// Takes out what both do.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (_, None) => self.clone(),
            (None, _) => other.clone(),
            (Some(one), Some(two)) => {
                let all = one.by_first.iter().chain(&two.by_first);
                Self::of_forms(all.flatten().cloned().collect())
            }
        }
    }

    fn of_forms(forms: BTreeSet<Vec<u8>>) -> Self {
        if forms.is_empty() {
            return Self::default();
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&forms)
            .expect("secrets are far smaller than what an automaton holds");
        let mut by_first = vec![Vec::new(); 256];
        for form in forms {
            by_first[usize::from(form[0])].push(form);
        }
        for same in &mut by_first {
            same.sort_by_key(|form| std::cmp::Reverse(form.len()));
        }
        Self(Some(Arc::new(Forms { search, by_first })))
    }

    /// Whether there is nothing to take out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a secret is in these bytes.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        let forms = self.0.as_ref();
        forms.is_some_and(|forms| forms.search.is_match(bytes))
    }

    /// A text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let Some(forms) = &self.0 else {
            return text.to_owned();
        };
        let mut clean = String::with_capacity(text.len());
        forms.search.replace_all_with(text, &mut clean, |_, _, to| {
            to.push_str(MASK);
            true
        });
        clean
    }

    /// A value without secrets in its strings, keys and numbers.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            // A secret of digits, which a tool read as a number.
            Value::Number(number) if self.text(&number.to_string()) == MASK => MASK.into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| (self.text(&key), self.value(value)))
                .collect::<crate::value::Object>()
                .into(),
            other => other,
        }
    }

    /// A filter for a stream that comes in pieces.
    pub(super) fn stream(&self) -> Stream {
        Stream {
            forms: self.0.clone(),
            held: Vec::new(),
        }
    }
}

fn add_forms(value: &str, forms: &mut BTreeSet<String>) {
    // A file's last newline is seldom part of the secret. What is printed line by line is a secret
    // line by line: keys in PEM, for example.
    let lines = value
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= SHORTEST);
    let bases: BTreeSet<&str> = [value, value.trim()].into_iter().chain(lines).collect();
    for base in bases.into_iter().filter(|base| !base.is_empty()) {
        forms.insert(base.to_owned());
        if base.len() > LONGEST {
            continue;
        }
        // Markup, and JSON, often stand inside of a JSON string in turn.
        let markup = markup(base);
        let inner: Vec<String> = json(base).into_iter().chain([markup]).collect();
        forms.extend(inner.iter().flat_map(|form| json(form)));
        forms.extend(inner);
        for upper in [true, false] {
            // As `encodeURIComponent`, Python's `quote` and HTML forms write it.
            forms.insert(percent(base, "-_.~", "%20", upper));
            forms.insert(percent(base, "-_.!~*'()", "%20", upper));
            forms.insert(percent(base, "-_.~/", "%20", upper));
            forms.insert(percent(base, "*-._", "+", upper));
        }
        let mut encoded = Vec::new();
        for upper in [true, false] {
            encoded.push(hexadecimal(base, upper));
        }
        for engine in [&STANDARD, &URL_SAFE] {
            let whole = engine.encode(base);
            // As `base64` and PEM break it into lines.
            for width in [76, 64] {
                if whole.len() > width {
                    let chunks = whole.as_bytes().chunks(width);
                    encoded.extend(chunks.map(|chunk| String::from_utf8_lossy(chunk).into_owned()));
                }
            }
            encoded.push(whole);
            // Three bytes are four letters: what stands before a secret shifts it to one of three
            // places. Letters that also hold bits of its neighbours are left out.
            for before in 0..3 {
                let shifted = [&b"   "[..before], base.as_bytes()].concat();
                let letters = engine.encode(&shifted);
                let first = (before * 8).div_ceil(6);
                let last = shifted.len() * 8 / 6;
                if first < last {
                    encoded.push(letters[first..last].to_owned());
                }
            }
        }
        forms.extend(encoded.into_iter().filter(|form| form.len() >= SHORTEST));
    }
}

/// A text as it stands inside of a JSON string: as most write it, and as Python, PHP and Go do.
fn json(text: &str) -> [String; 4] {
    let quoted = Value::String(text.to_owned()).to_string();
    let plain = &quoted[1..quoted.len() - 1];
    let go = plain
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e");
    let php = ascii(&plain.replace('/', "\\/"));
    [plain.to_owned(), ascii(plain), php, go]
}

/// JSON with everything beyond ASCII as `\u…`, as Python writes it.
fn ascii(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").expect("writing to a String cannot fail");
            }
        }
        text
    })
}

/// A text in HTML or XML.
fn markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A text as part of a URL: letters, digits and `plain` stay, the rest becomes `%XX`.
fn percent(text: &str, plain: &str, space: &str, upper: bool) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b' ' => text.push_str(space),
            _ if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) => {
                text.push(char::from(byte));
            }
            _ if upper => write!(text, "%{byte:02X}").expect("writing to a String cannot fail"),
            _ => write!(text, "%{byte:02x}").expect("writing to a String cannot fail"),
        }
        text
    })
}

fn hexadecimal(text: &str, upper: bool) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        let written = if upper {
            write!(text, "{byte:02X}")
        } else {
            write!(text, "{byte:02x}")
        };
        written.expect("writing to a String cannot fail");
        text
    })
}

/// A stream in which a secret may be cut in two by the pieces it comes in.
pub(super) struct Stream {
    forms: Option<Arc<Forms>>,
    held: Vec<u8>,
}

impl Stream {
    /// Takes a piece; gives what is certain by now.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.forms.is_none() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        self.take(false)
    }

    /// Gives what was held back.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.take(true)
    }

    fn take(&mut self, end: bool) -> Vec<u8> {
        let Some(forms) = &self.forms else {
            return std::mem::take(&mut self.held);
        };
        let mut given = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let candidates = &forms.by_first[usize::from(rest[0])];
            let may_grow = |form: &Vec<u8>| form.len() > rest.len() && form.starts_with(rest);
            if !end && candidates.iter().any(may_grow) {
                // It may become a secret, or a longer one, with the next piece.
                break;
            }
            if let Some(form) = candidates.iter().find(|form| rest.starts_with(form)) {
                given.extend_from_slice(MASK.as_bytes());
                at += form.len();
            } else {
                given.push(rest[0]);
                at += 1;
            }
        }
        self.held.drain(..at);
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn secrets_go_from_texts_and_values() {
        let redactor = Redactor::new(["s3cr\"t".to_owned(), "abc".to_owned(), String::new()]);
        assert_eq!(
            redactor.text("a s3cr\"t, s3cr\\\"t and abcabc"),
            "a [secret], [secret] and [secret][secret]"
        );
        assert_eq!(
            redactor.value(json!({ "k": ["xabc", 1] })),
            json!({ "k": ["x[secret]", 1] })
        );
    }

    #[test]
    fn a_secret_is_known_in_the_forms_that_tools_give_it() {
        let secret = "p@ss/w0rd+\"x\" é<&>'";
        let redactor = Redactor::new([secret.to_owned()]);
        let json = serde_json::to_string(secret).expect("a text");
        let twice = serde_json::to_string(&json).expect("a text");
        for said in [
            secret.to_owned(),
            json.clone(),
            twice,
            // Python: json.dumps, urllib.parse.quote, quote(safe=''), quote_plus, html.escape
            r#""p@ss/w0rd+\"x\" \u00e9<&>'""#.to_owned(),
            "p%40ss/w0rd%2B%22x%22%20%C3%A9%3C%26%3E%27".to_owned(),
            "p%40ss%2Fw0rd%2B%22x%22%20%C3%A9%3C%26%3E%27".to_owned(),
            "p%40ss%2Fw0rd%2B%22x%22+%C3%A9%3C%26%3E%27".to_owned(),
            "p@ss/w0rd+&quot;x&quot; é&lt;&amp;&gt;&#39;".to_owned(),
            // JavaScript: encodeURIComponent
            "p%40ss%2Fw0rd%2B%22x%22%20%C3%A9%3C%26%3E'".to_owned(),
            "p%40ss%2fw0rd%2b%22x%22%20%c3%a9%3c%26%3e%27".to_owned(),
            // xxd -p
            "704073732f773072642b2278222 0c3a93c263e27".replace(' ', ""),
        ] {
            let clean = redactor.text(&format!("<{said}>"));
            assert!(clean.contains(MASK), "{said}: {clean}");
            assert!(
                !clean.contains("ss") && !clean.contains("22"),
                "{said}: {clean}"
            );
            assert!(redactor.finds(said.as_bytes()), "{said}");
        }
        for (before, after) in [("", ""), ("u:", ""), ("user:", "\n"), ("a", "bc")] {
            for engine in [&STANDARD, &URL_SAFE] {
                let encoded = engine.encode(format!("{before}{secret}{after}"));
                let clean = redactor.text(&encoded);
                // The letters that a neighbour has a part in may stay: two at either end.
                let left = clean.replace(MASK, "");
                assert!(
                    clean.contains(MASK) && left.len() <= before.len() * 4 / 3 + 8,
                    "{clean}"
                );
            }
        }
        assert_eq!(redactor.text("nothing of it"), "nothing of it");
        assert_eq!(format!("{redactor:?}"), "Redactor(Some([secret]))");
    }

    #[test]
    fn a_key_of_many_lines_is_known_line_by_line_and_wrapped() {
        let key = format!(
            "-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----\n",
            "k1".repeat(32),
            "Z9".repeat(20)
        );
        let redactor = Redactor::new([key.clone()]);
        assert_eq!(redactor.text(&key), MASK);
        assert_eq!(redactor.text(key.trim_end()), MASK);
        assert_eq!(
            redactor.text(&format!("line: {}", "Z9".repeat(20))),
            "line: [secret]"
        );
        let wrapped: Vec<String> = STANDARD
            .encode(&key)
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        for line in wrapped {
            assert!(
                line.len() < SHORTEST || redactor.finds(line.as_bytes()),
                "{line}"
            );
        }
    }

    #[test]
    fn short_secrets_go_as_they_are_and_make_no_common_forms() {
        let redactor = Redactor::new(["123".to_owned()]);
        assert_eq!(
            redactor.text("a 123 31 32 33 MTIz"),
            "a [secret] 31 32 33 MTIz"
        );
        assert_eq!(
            redactor.value(json!([123, 12, 51234])),
            json!(["[secret]", 12, 51234])
        );
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab]{0,40}", secret in "[ab]{1,6}", cuts in prop::collection::vec(0..40_usize, 0..6)) {
            let redactor = Redactor::new([secret.clone(), format!("{secret}b")]);
            let mut whole = redactor.stream();
            let mut expected = whole.push(text.as_bytes());
            expected.extend(whole.finish());
            let mut stream = redactor.stream();
            let mut given = Vec::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut start = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                given.extend(stream.push(&text.as_bytes()[start..cut]));
                start = cut;
            }
            given.extend(stream.finish());
            prop_assert_eq!(&given, &expected);
            let clean = redactor.text(&text);
            prop_assert_eq!(&given, clean.as_bytes());
            let left = String::from_utf8(given).expect("ASCII").replace(MASK, "|");
            prop_assert!(!left.contains(&secret));
        }
    }
}

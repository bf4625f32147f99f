//! [`Slug`]: a product's name as a path, a resource name and an identifier.
//!
//! NFKD ASCII, lower case, single hyphens, at most 48 characters. When letters were lost or cut, six
//! hex digits of the name's SHA-256 follow, so that two different names never meet in one slug.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::value::Digest;

/// The longest slug.
pub const MAX_LENGTH: usize = 48;
/// What stands before the digits when a name has no ASCII letter or digit at all.
const FALLBACK: &str = "product";

/// A checked slug: `[a-z0-9]+(-[a-z0-9]+)*`, at most 48 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Derives the slug of a name; any name has one.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut text = String::with_capacity(name.len());
        let mut lost = false;
        for character in name.nfkd() {
            if character.is_ascii_alphanumeric() {
                text.push(character.to_ascii_lowercase());
            } else if character == '\'' || character == '’' {
                // `Anna's` becomes `annas`: an apostrophe is no word boundary.
            } else if is_combining_mark(character) {
                // The accent of a letter that stays: `ü` is `u` and a mark.
            } else {
                // A sign or an emoji says something too; only spacing and ASCII punctuation may go
                // without a trace.
                lost |= !character.is_ascii() && !character.is_whitespace();
                if !text.is_empty() && !text.ends_with('-') {
                    text.push('-');
                }
            }
        }
        let text = text.trim_end_matches('-');
        if !lost && !text.is_empty() && text.len() <= MAX_LENGTH {
            return Self(text.to_owned());
        }
        let digits = short_digest(name);
        let room = MAX_LENGTH - 1 - digits.len();
        let stem = text[..text.len().min(room)].trim_end_matches('-');
        let stem = if stem.is_empty() { FALLBACK } else { stem };
        Self(format!("{stem}-{digits}"))
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Letters and digits only, cut to `room`: for names that allow no hyphen.
    #[must_use]
    pub fn compact(&self, room: usize) -> String {
        self.0.chars().filter(|c| *c != '-').take(room).collect()
    }

    /// The slug cut to `room`, without a hyphen at its end.
    #[must_use]
    pub fn cut(&self, room: usize) -> &str {
        self.0[..self.0.len().min(room)].trim_end_matches('-')
    }

    /// Six hex digits of the slug's SHA-256, which keep globally unique names apart.
    #[must_use]
    pub fn digits(&self) -> String {
        short_digest(&self.0)
    }
}

fn short_digest(text: &str) -> String {
    Digest::of(text.as_bytes()).hex()[..6].to_owned()
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Slug {
    type Error = String;

    // A slug becomes part of paths, so a decoded one is checked, not trusted.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = !text.is_empty()
            && text.len() <= MAX_LENGTH
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        if fits {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a slug (lower-case letters, digits, single hyphens)"
            ))
        }
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Slug {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Slug".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "maxLength": MAX_LENGTH, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slug(name: &str) -> String {
        Slug::of(name).0
    }

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(slug("secure-storage-product"), "secure-storage-product");
        assert_eq!(slug("Secure  Storage / v2"), "secure-storage-v2");
        assert_eq!(slug("Ünïcode Storage/.."), "unicode-storage");
        assert_eq!(slug("abc"), "abc");
        assert_eq!(slug("Anna's \"Vault\""), "annas-vault");
    }

    #[test]
    fn lost_letters_leave_a_digest() {
        let (first, second) = (slug("倉庫製品"), slug("倉庫製作"));
        assert_ne!(first, second);
        assert!(
            first.starts_with("product-") && first.len() == 14,
            "{first}"
        );
        assert!(slug("Straße").starts_with("stra-e-"));
        assert!(slug("🚀 rocket").starts_with("rocket-"));
        assert_ne!(slug("🚀 rocket"), slug("🛸 rocket"));
    }

    #[test]
    fn long_names_are_cut_with_a_digest() {
        let (first, second) = (slug(&"a".repeat(200)), slug(&"a".repeat(199)));
        assert_eq!(first.len(), MAX_LENGTH);
        assert_ne!(first, second);
        assert_eq!(slug(&"b".repeat(48)), "b".repeat(48));
    }

    #[test]
    fn decoded_slugs_are_checked() {
        for bad in [
            "",
            "..",
            "a/b",
            "A",
            "a--b",
            "-a",
            "a-",
            "ü",
            &"a".repeat(49),
        ] {
            assert!(Slug::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_valid_slug(name in ".{0,220}") {
            let slug = Slug::of(&name);
            prop_assert!(Slug::try_from(slug.0.clone()).is_ok(), "{}", slug);
            prop_assert_eq!(slug.clone(), Slug::of(&name));
        }
    }
}

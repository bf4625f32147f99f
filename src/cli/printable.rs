//! What may reach a terminal. Names, comments, diffs and whatever tools print are somebody else's text:
//! it must neither move the cursor nor show something other than what is there.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character that cannot be seen, or that changes how others are seen, written out
/// as `\u{…}`. Newlines and tabs stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character, into| {
        into.extend(character.escape_unicode());
    })
}

/// The same for JSON, where such characters can only stand inside of strings: written out as JSON does,
/// so that the value stays.
pub(super) fn printable_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character, into| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Into a `String` it never fails.
            write!(into, "\\u{unit:04x}").ok();
        }
    })
}

fn escaped(text: &str, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            write(character, &mut shown);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Control characters (of which terminals obey many), and what Unicode has to turn the direction of
/// text, to join or to take no room ("Trojan Source", CVE-2021-42574).
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' | ' '..='~' => false,
        _ => {
            character.is_control()
                || matches!(character,
                    '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                    | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
                    | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_terminals_obey_is_written_out() {
        for (text, shown) in [
            (
                "plain\n\ttext – ünïcode ✓ 日本",
                "plain\n\ttext – ünïcode ✓ 日本",
            ),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m\u{7f}\r\n", "\\u{9b}31m\\u{7f}\\u{d}\n"),
            (
                "if admin\u{202e} \u{2066}// ",
                "if admin\\u{202e} \\u{2066}// ",
            ),
            ("pass\u{200b}word\u{feff}", "pass\\u{200b}word\\u{feff}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert!(matches!(printable("as it is"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn json_stays_what_it_was(text in any::<String>()) {
            let json = serde_json::json!({ &text: [&text] }).to_string();
            let shown = printable_json(&json);
            prop_assert!(!shown.contains(is_hidden));
            let again: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
            prop_assert_eq!(again.to_string(), json);
        }
    }
}

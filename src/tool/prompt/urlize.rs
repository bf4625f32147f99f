//! The filter `urlize`: links in a text become links in HTML.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::print::escape;

/// Links what looks like a URL or a mail address in an escaped text.
pub(super) fn urlize(
    text: &str,
    limit: Option<usize>,
    nofollow: bool,
    target: Option<&str>,
    rel: Option<&str>,
    schemes: &[String],
) -> String {
    let mut relations: BTreeSet<&str> = rel.unwrap_or_default().split_whitespace().collect();
    relations.insert("noopener");
    if nofollow {
        relations.insert("nofollow");
    }
    let relations: Vec<&str> = relations.into_iter().collect();
    let mut attributes = format!(" rel=\"{}\"", escape(&relations.join(" ")));
    if let Some(target) = target {
        write!(attributes, " target=\"{}\"", escape(target))
            .expect("writing to a String cannot fail");
    }
    let shown = |url: &str| match limit {
        Some(limit) if url.chars().count() > limit => {
            url.chars().take(limit).collect::<String>() + "..."
        }
        _ => url.to_owned(),
    };
    let mut linked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let space = rest.len() - rest.trim_start().len();
        linked.push_str(&rest[..space]);
        rest = &rest[space..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (head, middle, tail) = parts(&rest[..end]);
        rest = &rest[end..];
        linked.push_str(head);
        let is_mail = |address: &str| {
            address.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty()
                    && !host.contains('@')
                    && host.contains('.')
                    && !host.starts_with('.')
                    && !host.ends_with('.')
            })
        };
        if is_link(&middle) {
            let scheme = if middle.starts_with("http") {
                ""
            } else {
                "https://"
            };
            write!(
                linked,
                "<a href=\"{scheme}{middle}\"{attributes}>{}</a>",
                shown(&middle)
            )
            .expect("writing to a String cannot fail");
        } else if let Some(address) = middle.strip_prefix("mailto:").filter(|it| is_mail(it)) {
            write!(linked, "<a href=\"{middle}\">{address}</a>")
                .expect("writing to a String cannot fail");
        } else if !middle.contains(':') && is_mail(&middle) {
            write!(linked, "<a href=\"mailto:{middle}\">{middle}</a>")
                .expect("writing to a String cannot fail");
        } else if schemes
            .iter()
            .any(|scheme| middle.starts_with(scheme) && middle != *scheme)
        {
            write!(linked, "<a href=\"{middle}\"{attributes}>{middle}</a>")
                .expect("writing to a String cannot fail");
        } else {
            linked.push_str(&middle);
        }
        linked.push_str(&tail);
    }
    linked
}

/// Whether a word is a URL, or without a scheme the name of a host under one of the oldest domains.
fn is_link(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| lower.starts_with(scheme));
    let rest = &lower[scheme.map_or(0, str::len)..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = match rest[..end].rsplit_once(':') {
        Some((host, port)) if port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => &rest[..end],
    };
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '%'))
    };
    let Some((top, under)) = labels.split_last() else {
        return false;
    };
    let is_domain = (2..=63).contains(&top.len())
        && top.bytes().all(|byte| byte.is_ascii_lowercase())
        || top.starts_with("xn--");
    let is_address = labels.len() == 4
        && labels
            .iter()
            .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    if !under.iter().all(is_label) {
        return false;
    }
    match scheme {
        Some(_) => is_domain || is_address || host.starts_with('['),
        None if under.first() == Some(&"www") => is_domain,
        None => {
            !under.is_empty()
                && under.iter().all(|label| label.len() > 1)
                && ["com", "net", "int", "edu", "gov", "org", "info", "mil"].contains(top)
        }
    }
}

/// Brackets and punctuation around a word, and what is between them.
fn parts(word: &str) -> (&str, String, String) {
    let mut start = 0;
    while let Some(found) = ["(", "<", "&lt;"]
        .iter()
        .find(|mark| word[start..].starts_with(**mark))
    {
        start += found.len();
    }
    let (head, rest) = word.split_at(start);
    let mut end = rest.len();
    while let Some(found) = ["&gt;", ")", ">", ".", ","]
        .iter()
        .find(|mark| rest[..end].ends_with(**mark))
    {
        end -= found.len();
    }
    let (mut middle, mut tail) = (rest[..end].to_owned(), rest[end..].to_owned());
    // A bracket that the middle opens is closed there.
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let missing = middle
            .matches(open)
            .count()
            .saturating_sub(middle.matches(close).count());
        for _ in 0..missing.min(tail.matches(close).count()) {
            let Some(at) = tail.find(close) else {
                break;
            };
            middle.push_str(&tail[..at + close.len()]);
            tail.drain(..at + close.len());
        }
    }
    (head, middle, tail)
}

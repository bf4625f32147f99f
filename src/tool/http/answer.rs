//! What answers say besides their body: when to come back, and what went wrong.

use std::time::Duration;

use jiff::Timestamp;

use crate::value::Value;

/// How long a server asks to wait: seconds, or the time to come back at, judged by the server's own clock
/// where it tells it.
pub(super) fn retry_after(header: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    // OpenAI and Azure send fractions, too.
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = http_date(header)?;
    let now = date.and_then(http_date).unwrap_or(now);
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text.trim()).ok()
}

/// What a server says went wrong, in one line: the message of its JSON, the title of its page, or the first
/// line of its text.
pub(super) fn first_line(body: &[u8]) -> Option<String> {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(body);
    let said = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| told(&value))
        .or_else(|| title(&text))
        .or_else(|| {
            let mut lines = text.lines().map(str::trim);
            lines.find(|line| !line.is_empty()).map(str::to_owned)
        })?;
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut line: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if let Some((cut, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(cut);
        line.push('…');
    }
    Some(line)
}

/// The places where services put their messages.
fn told(value: &Value) -> Option<String> {
    let places = [
        "/error/message",
        "/error/msg",
        "/error",
        "/message",
        "/detail",
        "/errors/0/message",
        "/title",
    ];
    places.iter().find_map(|place| {
        let text = value.pointer(place)?.as_str()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    })
}

fn title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = text[start..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_when_to_come_back() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let after = |header, date| retry_after(header, date, now).map(|wait| wait.as_millis());
        assert_eq!(after("3", None), Some(3000));
        assert_eq!(after(" 0.25 ", None), Some(250));
        assert_eq!(after("Sun, 22 Nov 2026 08:00:05 GMT", None), Some(5000));
        // A server whose clock is an hour ahead.
        assert_eq!(
            after(
                "Sun, 22 Nov 2026 09:00:05 GMT",
                Some("Sun, 22 Nov 2026 09:00:00 GMT")
            ),
            Some(5000)
        );
        assert_eq!(after("Sun, 22 Nov 2026 07:00:05 GMT", None), Some(0));
        for wrong in ["", "soon", "-1", "nan", "inf", "1e400"] {
            assert_eq!(after(wrong, None), None, "{wrong}");
        }
        assert_eq!(
            after("99999999999999999999", None),
            Some(Duration::from_secs(u64::MAX).as_millis())
        );
    }

    #[test]
    fn what_went_wrong_is_one_line() {
        for (body, line) in [
            (
                r#"{"error": {"message": "no such model\nmore", "code": 1}}"#,
                Some("no such model"),
            ),
            (r#"{"error": "bad key"}"#, Some("bad key")),
            (
                r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#,
                Some("Overloaded"),
            ),
            (r#"{"detail": [1]}"#, Some(r#"{"detail": [1]}"#)),
            (
                "<!DOCTYPE html>\n<html><TITLE a>502 Bad\n Gateway</TITLE>",
                Some("502 Bad Gateway"),
            ),
            ("\n\n  upstream \u{7} gone\nmore", Some("upstream   gone")),
            ("", None),
            ("  \n ", None),
        ] {
            assert_eq!(first_line(body.as_bytes()).as_deref(), line, "{body}");
        }
        let long = first_line("x".repeat(1000).as_bytes()).unwrap();
        assert_eq!(long.chars().count(), 301);
        assert!(first_line(&[0xff, b'a']).is_some());
    }
}

//! Durations as people write them: `500ms`, `30s`, `5m`, `72h`, `2d`.

use std::time::Duration;

/// Reads a duration: a whole number and a unit.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // A thousand years: beyond it, deadlines leave the calendar.
    number
        .checked_mul(millis)
        .filter(|total| *total <= 31_556_952_000_000)
        .map(Duration::from_millis)
}

/// Shows a duration for people, coarsely: `1.2s`, `3m 5s`, `2h 0m`.
#[must_use]
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("72h"), Some(Duration::from_hours(72)));
        for bad in [
            "",
            "5",
            "5 m",
            "-5m",
            "1.5h",
            "5w",
            "99999999999999999999s",
            "99999999999999d",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(show(Duration::from_secs(185)), "3m 5s");
    }
}

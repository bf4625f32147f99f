//! [`Expect`]: which HTTP statuses are a success.

/// The statuses that count as a success: ranges, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect(Vec<(u16, u16)>);

impl Default for Expect {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl std::fmt::Display for Expect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (from, to)) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            if from == to {
                write!(formatter, "{from}")?;
            } else {
                write!(formatter, "{from}-{to}")?;
            }
        }
        Ok(())
    }
}

impl Expect {
    /// Reads `200`, `2xx` and `200-204`.
    ///
    /// # Errors
    /// The part that is none of these.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for part in parts {
            let range = status_range(part).ok_or_else(|| part.to_owned())?;
            ranges.push(range);
        }
        if ranges.is_empty() {
            return Err(String::new());
        }
        Ok(Self(ranges))
    }

    /// Whether a status is among them.
    #[must_use]
    pub fn holds(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status))
    }
}

fn status_range(text: &str) -> Option<(u16, u16)> {
    let status = |text: &str| {
        let status: u16 = text.parse().ok()?;
        (text.len() == 3 && (100..600).contains(&status)).then_some(status)
    };
    if let Some(class) = text.to_ascii_lowercase().strip_suffix("xx") {
        let class: u16 = class.parse().ok()?;
        return (1..=5)
            .contains(&class)
            .then_some((class * 100, class * 100 + 99));
    }
    match text.split_once('-') {
        Some((from, to)) => {
            let (from, to) = (status(from)?, status(to)?);
            (from <= to).then_some((from, to))
        }
        None => status(text).map(|status| (status, status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_ranges_and_classes() {
        let all = Expect::parse(["200", "3XX", "404-410", "503"]).unwrap();
        for (status, holds) in [
            (200, true),
            (201, false),
            (304, true),
            (403, false),
            (404, true),
            (410, true),
            (503, true),
        ] {
            assert_eq!(all.holds(status), holds, "{status}");
        }
        assert_eq!(all.to_string(), "200, 300-399, 404-410, 503");
        for wrong in [
            "",
            "20",
            "2x",
            "6xx",
            "600",
            "0200",
            "204-200",
            "-200",
            "ok",
            "200,",
            " 200",
            "200 - 204",
        ] {
            assert!(Expect::parse([wrong]).is_err(), "{wrong}");
        }
        assert!(Expect::parse([]).is_err());
    }
}

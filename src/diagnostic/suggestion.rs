//! "Did you mean": the nearest name, and lists of names for help lines.

/// The candidate nearest to a wrong name: within edit distance 2 (1 for names under four letters,
/// none for single letters, to which every other one would be near), or equal but for case and
/// separators.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match wrong.chars().count() {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 2,
    };
    let folded = fold(wrong);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != wrong)
        .map(|candidate| {
            let distance = if fold(candidate) == folded {
                0
            } else {
                strsim::osa_distance(wrong, candidate)
            };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Writes names as "`a`, `b` or `c`", at most twelve of them.
pub fn or_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown = names
        .iter()
        .take(12)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>();
    if names.len() > shown.len() {
        return format!("{}, … ({} in all)", shown.join(", "), names.len());
    }
    match shown.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let names = ["requirements", "plan", "QA"];
        assert_eq!(nearest("requirments", names), Some("requirements"));
        assert_eq!(nearest("qa", names), Some("QA"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("B", ["A", "C"]), None);
        assert_eq!(nearest("a", ["A"]), Some("A"));
        assert_eq!(
            nearest("cloud_architect", ["CloudArchitect"]),
            Some("CloudArchitect")
        );
    }

    #[test]
    fn lists() {
        assert_eq!(or_list(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(or_list([]), "nothing");
    }
}

//! Wrapping as Python's `textwrap` does it, for the filter `wordwrap`.

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_letter(c: char) -> bool {
    is_word(c) && !c.is_numeric()
}

/// Words and the white space between them; words also behind their hyphens.
fn chunks(text: &str, hyphens: bool) -> Vec<Vec<char>> {
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let space = is_space(chars[at]);
        let start = at;
        while at < chars.len() && is_space(chars[at]) == space {
            at += 1;
        }
        let run = &chars[start..at];
        if space || !hyphens {
            chunks.push(run.to_vec());
            continue;
        }
        let mut word = Vec::new();
        for (place, &c) in run.iter().enumerate() {
            word.push(c);
            let before = |back: usize| place.checked_sub(back).map(|at| run[at]);
            let after = |ahead: usize| run.get(place + ahead).copied();
            let breaks = c == '-'
                && before(1).is_some_and(is_letter)
                && before(2).is_some_and(is_word)
                && after(1).is_some_and(is_word)
                && after(2).is_some_and(is_letter);
            if breaks {
                chunks.push(std::mem::take(&mut word));
            }
        }
        if !word.is_empty() {
            chunks.push(word);
        }
    }
    chunks
}

/// The lines of a paragraph.
pub(super) fn wrap(text: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut left: Vec<Vec<char>> = chunks(text, hyphens);
    left.reverse();
    let mut lines: Vec<String> = Vec::new();
    let blank = |chunk: &Vec<char>| chunk.iter().all(|c| c.is_whitespace());
    while !left.is_empty() {
        let mut line: Vec<Vec<char>> = Vec::new();
        let mut length = 0;
        if !lines.is_empty() && left.last().is_some_and(blank) {
            left.pop();
        }
        while let Some(chunk) = left.pop_if(|chunk| length + chunk.len() <= width) {
            length += chunk.len();
            line.push(chunk);
        }
        if let Some(long) = left.last_mut().filter(|chunk| chunk.len() > width) {
            if break_long {
                let room = (width - length.min(width)).max(usize::from(width == 0));
                let mut end = room;
                if hyphens {
                    let hyphen = long[..room].iter().rposition(|c| *c == '-');
                    let has_text = |at: usize| long[..at].iter().any(|c| *c != '-');
                    if let Some(hyphen) = hyphen.filter(|at| *at > 0 && has_text(*at)) {
                        end = hyphen + 1;
                    }
                }
                let rest = long.split_off(end);
                line.push(std::mem::replace(long, rest));
                if left.last().is_some_and(Vec::is_empty) {
                    left.pop();
                }
            } else if line.is_empty() {
                line.extend(left.pop());
            }
        }
        if line.last().is_some_and(blank) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat().into_iter().collect());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_wrap_as_in_python() {
        assert_eq!(
            wrap("the quick brown fox", 10, true, true),
            ["the quick", "brown fox"]
        );
        assert_eq!(wrap("abcdefghij", 4, true, true), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("abcdefghij k", 4, false, true), ["abcdefghij", "k"]);
        assert_eq!(
            wrap("well-known words", 6, true, true),
            ["well-", "known", "words"]
        );
        assert!(wrap("", 4, true, true).is_empty());
    }
}

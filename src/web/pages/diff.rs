//! Two versions of a file, line by line.

use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

/// Of a longer diff the rest is left out, and that is said.
const LINES: usize = 2_000;

/// Two versions of a file.
pub(super) struct FileDiff {
    pub(super) path: String,
    /// Empty for a new one; none when it is no text.
    pub(super) before: Option<String>,
    /// Empty for one that is gone; none when it is no text.
    pub(super) after: Option<String>,
    /// What happened to it.
    pub(super) note: &'static str,
}

/// Folded, unless it is to be open.
pub(super) fn show(file: &FileDiff, open: bool) -> Markup {
    let (Some(before), Some(after)) = (&file.before, &file.after) else {
        return html! { p.binary { code { (file.path) } " (" (file.note) "): no text" } };
    };
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    let (mut more, mut less) = (0, 0);
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => more += 1,
            ChangeTag::Delete => less += 1,
            ChangeTag::Equal => {}
        }
    }
    let mut left = LINES;
    html! {
        details.diff open[open] {
            summary { code { (file.path) } " " span.hint { (file.note) } " " span.plus { "+" (more) } " " span.minus { "−" (less) } }
            div.scroll tabindex="0" role="region" aria-label={ "Diff of " (file.path) } {
                pre {
                    @for group in diff.grouped_ops(3) {
                        @if left > 0 {
                            @if let Some(first) = group.first() { span.hunk { "@@ line " (first.new_range().start + 1) "\n" } }
                            @for op in &group {
                                @for change in diff.iter_changes(op) {
                                    @if left > 0 {
                                        ({ left -= 1; line(change.tag(), change.value()) })
                                    }
                                }
                            }
                        }
                    }
                    @if left == 0 { span.hunk { "… the rest is left out here; `flowctl review` shows all\n" } }
                }
            }
        }
    }
}

fn line(tag: ChangeTag, text: &str) -> Markup {
    let text = text.trim_end_matches('\n');
    html! {
        @match tag {
            ChangeTag::Insert => ins { "+" (text) "\n" },
            ChangeTag::Delete => del { "-" (text) "\n" },
            ChangeTag::Equal => span { " " (text) "\n" },
        }
    }
}

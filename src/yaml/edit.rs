//! Changing one place of a text and leaving all others, with their comments, as they are.
//!
//! What comes out is read again, and given only when it says exactly what was to be changed; a text
//! written in a way that this does not know is left to its author.

use std::sync::Arc;

use super::load::load;
use super::node::{Entry, Kind, Node};
use crate::diagnostic::{Diagnostics, Source};
use crate::value::{Object, Value};

/// A change to a document.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Adds an item, which is YAML on one line, to a list. The list, and mappings on the way to it, are
    /// made when they are not there.
    Push(&'a str),
    /// Adds a key, the last one of the path, with a value that is YAML on one line.
    Put(&'a str),
    /// Takes an item out of a list.
    Remove(usize),
}

/// Carries out a change at a path of keys. `None` when the text is written in a way that cannot be
/// changed without touching anything else.
#[must_use]
pub fn edit(text: &str, path: &[&str], change: Change<'_>) -> Option<String> {
    let root = tree(text)?;
    let editor = Editor { text };
    let changed = match change {
        Change::Push(item) => editor.add(&root, path, Leaf::Item(item)),
        Change::Put(value) => editor.add(&root, path, Leaf::Value(value)),
        Change::Remove(index) => editor.remove(&root, path, index),
    }?;
    let mut wanted = root.to_value();
    apply(&mut wanted, path, change)?;
    (tree(&changed)?.to_value() == wanted).then_some(changed)
}

/// A text as a scalar on one line, quoted when it would mean something else.
#[must_use]
pub fn scalar(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '+' | '/' | '=' | '.' | '@')
    };
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(plain)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if is_word {
        text.to_owned()
    } else {
        // What is a JSON string is a YAML string.
        Value::from(text).to_string()
    }
}

fn tree(text: &str) -> Option<Node> {
    let mut problems = Diagnostics::default();
    let root = load(&Arc::new(Source::new("", text)), &mut problems)?;
    (!problems.has_errors()).then_some(root)
}

/// The same change to the value.
fn apply(value: &mut Value, path: &[&str], change: Change<'_>) -> Option<()> {
    let mut at = value;
    for key in path {
        if at.is_null() {
            *at = Value::Object(Object::new());
        }
        at = at.as_object_mut()?.entry(*key).or_insert(Value::Null);
    }
    match change {
        Change::Push(item) => {
            if at.is_null() {
                *at = Value::Array(Vec::new());
            }
            at.as_array_mut()?.push(tree(item)?.to_value());
        }
        Change::Put(text) => *at = tree(text)?.to_value(),
        Change::Remove(index) => {
            let items = at.as_array_mut().filter(|items| index < items.len())?;
            items.remove(index);
        }
    }
    Some(())
}

#[derive(Clone, Copy)]
enum Leaf<'a> {
    Item(&'a str),
    Value(&'a str),
}

struct Editor<'a> {
    text: &'a str,
}

impl Editor<'_> {
    /// Goes as deep as there is something, and writes the rest there.
    fn add(&self, root: &Node, path: &[&str], leaf: Leaf<'_>) -> Option<String> {
        let mut node = root;
        for (depth, key) in path.iter().enumerate() {
            let Kind::Map(entries) = &node.kind else {
                return None;
            };
            let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
                return self.add_to_map(node, entries, &path[depth..], leaf);
            };
            if let Some(column) = self.is_bare(entry) {
                return self.below(entry, column, &path[depth + 1..], leaf);
            }
            node = &entry.value;
        }
        let (Kind::List(items), Leaf::Item(item)) = (&node.kind, leaf) else {
            return None;
        };
        if self.is_flow(node) {
            return Some(self.add_to_flow(node, items.last(), item));
        }
        let dash = items.iter().find_map(|item| self.dash(item))?;
        Some(self.after_line(items.last()?, &format!("{}- {item}", self.new_line(dash))))
    }

    fn add_to_map(
        &self,
        node: &Node,
        entries: &[Entry],
        rest: &[&str],
        leaf: Leaf<'_>,
    ) -> Option<String> {
        if self.is_flow(node) {
            let last = entries.last().map(|entry| &entry.value);
            return Some(self.add_to_flow(node, last, &inline(rest, leaf)));
        }
        let column = self.column(entries.first()?.key_span.start)?;
        let last = &entries.last()?.value;
        let lines = self.block(column, rest, leaf);
        if last.is_null() {
            let at = self.line_end(entries.last()?.key_span.end);
            return Some(self.with(at, at, &lines));
        }
        Some(self.after_line(last, &lines))
    }

    /// The column of a key that stands on a line of its own and has nothing below it.
    fn is_bare(&self, entry: &Entry) -> Option<usize> {
        let is_empty = match &entry.value.kind {
            Kind::Scalar(value) => value.is_null(),
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
            Kind::Text(_) => false,
        };
        self.column(entry.key_span.start).filter(|_| is_empty)
    }

    fn below(&self, entry: &Entry, column: usize, rest: &[&str], leaf: Leaf<'_>) -> Option<String> {
        let colon = self.colon(entry)?;
        let end = self.line_end(colon);
        let line = self.text.get(colon..end)?;
        let (written, comment) = line.find(" #").map_or((line, ""), |at| line.split_at(at));
        if !matches!(
            written.trim(),
            "" | "~" | "null" | "{}" | "[]" | "{ }" | "[ ]"
        ) {
            return None;
        }
        let lines = self.block(column + 2, rest, leaf);
        Some(self.with(colon, end, &format!("{}{lines}", comment.trim_end())))
    }

    fn add_to_flow(&self, node: &Node, last: Option<&Node>, more: &str) -> String {
        let (at, more) = match last {
            Some(last) => (self.end(last), format!(", {more}")),
            None => (node.span.start + 1, more.to_owned()),
        };
        self.with(at, at, &more)
    }

    fn remove(&self, root: &Node, path: &[&str], index: usize) -> Option<String> {
        let mut found: Option<&Entry> = None;
        let mut node = root;
        for key in path {
            let Kind::Map(entries) = &node.kind else {
                return None;
            };
            let entry = entries.iter().find(|entry| entry.key == *key)?;
            (node, found) = (&entry.value, Some(entry));
        }
        let Kind::List(items) = &node.kind else {
            return None;
        };
        let item = items.get(index)?;
        if self.is_flow(node) {
            let (from, to) = if let Some(next) = items.get(index + 1) {
                (item.span.start, next.span.start)
            } else if index > 0 {
                (self.end(&items[index - 1]), self.end(item))
            } else {
                (item.span.start, self.end(item))
            };
            return Some(self.with(from, to, ""));
        }
        self.dash(item)?;
        let from = self.line_start(item.span.start);
        let end = self.line_end(self.end(item));
        let to = self.text[end..].find('\n').map_or(end, |at| end + at + 1);
        let left = self.with(from, to, "");
        if items.len() > 1 {
            return Some(left);
        }
        // The key stands before the item, so its place is the same.
        let colon = self.colon(found?)?;
        Some(format!("{} []{}", &left[..colon], &left[colon..]))
    }

    /// One past the colon of a key.
    fn colon(&self, entry: &Entry) -> Option<usize> {
        let after = self.text.get(entry.key_span.end..)?;
        let spaces = after.len() - after.trim_start_matches(' ').len();
        let at = entry.key_span.end + spaces;
        self.text[at..].starts_with(':').then_some(at + 1)
    }

    /// The column of the dash of an item that begins on the dash's line.
    fn dash(&self, item: &Node) -> Option<usize> {
        let start = self.line_start(item.span.start);
        let before = self.text.get(start..item.span.start)?;
        let spaces = before.trim_end().strip_suffix('-')?;
        spaces.bytes().all(|b| b == b' ').then_some(spaces.len())
    }

    /// The column of what stands first on its line.
    fn column(&self, at: usize) -> Option<usize> {
        let before = self.text.get(self.line_start(at)..at)?;
        before.bytes().all(|b| b == b' ').then_some(before.len())
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text
            .get(node.span.start..)
            .is_some_and(|text| text.starts_with(['[', '{']))
    }

    /// One past the last byte of a value; comments and empty lines after it are not its.
    fn end(&self, node: &Node) -> usize {
        let last = match &node.kind {
            Kind::List(items) if !self.is_flow(node) => items.last().map(|item| self.end(item)),
            Kind::Map(entries) if !self.is_flow(node) => entries
                .last()
                .map(|entry| self.end(&entry.value).max(entry.key_span.end)),
            _ => None,
        };
        let end = last.unwrap_or(node.span.end).min(self.text.len());
        self.text
            .get(..end)
            .map_or(end, |text| text.trim_end().len())
    }

    /// The text with lines after the one on which a value ends.
    fn after_line(&self, node: &Node, lines: &str) -> String {
        let at = self.line_end(self.end(node));
        self.with(at, at, lines)
    }

    fn with(&self, from: usize, to: usize, new: &str) -> String {
        let (from, to) = (self.boundary(from), self.boundary(to));
        format!("{}{new}{}", &self.text[..from], &self.text[to.max(from)..])
    }

    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }

    fn line_start(&self, at: usize) -> usize {
        let before = &self.text[..self.boundary(at)];
        before.rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        let at = self.boundary(at);
        let line = self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |length| at + length);
        at + self.text[at..line].trim_end_matches('\r').len()
    }

    fn new_line(&self, column: usize) -> String {
        let end = if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        format!("{end}{}", " ".repeat(column))
    }

    fn block(&self, column: usize, rest: &[&str], leaf: Leaf<'_>) -> String {
        let mut lines = String::new();
        for (depth, key) in rest.iter().enumerate() {
            lines += &self.new_line(column + 2 * depth);
            lines += &scalar(key);
            lines.push(':');
        }
        match leaf {
            Leaf::Item(item) => {
                lines += &self.new_line(column + 2 * rest.len());
                lines += "- ";
                lines += item;
            }
            Leaf::Value(value) => {
                lines.push(' ');
                lines += value;
            }
        }
        lines
    }
}

/// What is to be added, in one line.
fn inline(rest: &[&str], leaf: Leaf<'_>) -> String {
    let inner = match leaf {
        Leaf::Item(item) => format!("[{item}]"),
        Leaf::Value(value) => value.to_owned(),
    };
    let mut keys = rest.iter().rev();
    let last = keys.next().map_or_else(String::new, |key| scalar(key));
    keys.fold(format!("{last}: {inner}"), |inner, key| {
        format!("{}: {{ {inner} }}", scalar(key))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn push(text: &str, path: &str, item: &str) -> String {
        let path: Vec<&str> = path.split('.').collect();
        edit(text, &path, Change::Push(item)).unwrap_or_else(|| panic!("not changed:\n{text}"))
    }

    fn remove(text: &str, path: &str, index: usize) -> String {
        let path: Vec<&str> = path.split('.').collect();
        edit(text, &path, Change::Remove(index)).unwrap_or_else(|| panic!("not changed:\n{text}"))
    }

    #[test]
    fn an_item_is_added_where_it_belongs() {
        for (text, path, changed) in [
            (
                "a: # why\n  - x # x\n\n# end\n",
                "a",
                "a: # why\n  - x # x\n  - NEW\n\n# end\n",
            ),
            ("a:\n- x\nb: 1\n", "a", "a:\n- x\n- NEW\nb: 1\n"),
            ("a: [x]\n", "a", "a: [x, NEW]\n"),
            ("a: [x, ] # c\n", "a", "a: [x, NEW, ] # c\n"),
            ("a: []  # none\n", "a", "a: # none\n  - NEW\n"),
            ("a:\n", "a", "a:\n  - NEW\n"),
            ("a:", "a", "a:\n  - NEW"),
            ("a: ~\nb: 1\n", "a", "a:\n  - NEW\nb: 1\n"),
            ("b: 1\n# end", "a", "b: 1\na:\n  - NEW\n# end"),
            ("b:\n  c: 1\n", "b.a", "b:\n  c: 1\n  a:\n    - NEW\n"),
            ("b:\n", "b.a.c", "b:\n  a:\n    c:\n      - NEW\n"),
            ("b: { c: 1 }\n", "b.a", "b: { c: 1, a: [NEW] }\n"),
            ("b: {c: {}, d: 1}\n", "b.c.e", "b: {c: {e: [NEW]}, d: 1}\n"),
            (
                "b:\n  c:\n  d:\n",
                "b.e",
                "b:\n  c:\n  d:\n  e:\n    - NEW\n",
            ),
            (
                "a:\r\n  - x\r\nb: 1\r\n",
                "a",
                "a:\r\n  - x\r\n  - NEW\r\nb: 1\r\n",
            ),
            ("\"a\" : \n", "a", "\"a\" :\n  - NEW\n"),
            (
                "a:\n  - x\n  - |\n    text\n\nb: 1\n",
                "a",
                "a:\n  - x\n  - |\n    text\n  - NEW\n\nb: 1\n",
            ),
            (
                "a:\n  - { x: 1,\n      y: 2 }\n",
                "a",
                "a:\n  - { x: 1,\n      y: 2 }\n  - NEW\n",
            ),
            ("{\"a\": {\"ü\": []}}", "a.ü", "{\"a\": {\"ü\": [NEW]}}"),
        ] {
            assert_eq!(push(text, path, "NEW"), changed);
        }
    }

    #[test]
    fn a_key_is_added() {
        let put = |text, path: &[&str]| edit(text, path, Change::Put("{ x: 1 }"));
        assert_eq!(
            put("a:\n  b: 1\n", &["a", "c"]).unwrap(),
            "a:\n  b: 1\n  c: { x: 1 }\n"
        );
        assert_eq!(
            put("a: {}\n", &["a", "true"]).unwrap(),
            "a:\n  \"true\": { x: 1 }\n"
        );
        assert_eq!(
            put("a: {b: 1}\n", &["a", "c"]).unwrap(),
            "a: {b: 1, c: { x: 1 }}\n"
        );
        assert_eq!(put("a: { b: 1 }\n", &["a", "b"]), None, "it is there");
    }

    #[test]
    fn an_item_is_taken_out() {
        for (text, path, index, changed) in [
            (
                "a: # why\n  # x\n  - x # x\n  - y\nb: 1\n",
                "a",
                0,
                "a: # why\n  # x\n  - y\nb: 1\n",
            ),
            (
                "a:\n  - x\n  - y # last\n# end\n",
                "a",
                1,
                "a:\n  - x\n# end\n",
            ),
            ("a:\n  - x\n", "a", 0, "a: []\n"),
            ("a: # c\n  - x", "a", 0, "a: [] # c\n"),
            (
                "a:\n  - id: 1\n    v: 2\n  - id: 3\n",
                "a",
                0,
                "a:\n  - id: 3\n",
            ),
            ("a: [x, y , z]\n", "a", 0, "a: [y , z]\n"),
            ("a: [x, y , z]\n", "a", 2, "a: [x, y]\n"),
            ("a: [x]\n", "a", 0, "a: []\n"),
            ("a: [{ x: 1 }, 'y'] # c\n", "a", 1, "a: [{ x: 1 }] # c\n"),
        ] {
            assert_eq!(remove(text, path, index), changed);
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_left_alone() {
        for (text, path) in [
            ("a: &x [1]\nb: *x\n", "a"),
            ("a: &x [1]\nb: *x\n", "b"),
            ("base: &m\n  a: [1]\nb:\n  <<: *m\n", "b.a"),
            ("a: text\n", "a"),
            ("a: { b: 1 }\n", "a"),
            ("? a\n: [1, 2]\n? b\n", "b"),
            ("", "a"),
            ("# nothing\n", "a"),
            ("- a\n", "a"),
            ("a: [1\n", "a"),
            ("a: {b: , c: 1}\n", "a.b"),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            assert_eq!(edit(text, &path, Change::Push("NEW")), None, "{text}");
        }
        assert_eq!(edit("a: [1]\n", &["a"], Change::Remove(1)), None);
        assert_eq!(edit("a: [1]\n", &["b"], Change::Remove(0)), None);
    }

    proptest! {
        #[test]
        fn a_scalar_is_the_text(text in "[ -~äß\u{85}\\n\\t]{0,12}") {
            for yaml in [scalar(&text), format!("[{}, x]", scalar(&text))] {
                let read = tree(&yaml).map(|node| node.to_value());
                let read = read.map(|value| value.get(0).cloned().unwrap_or(value));
                prop_assert_eq!(read, Some(Value::from(text.as_str())));
            }
        }

        /// Whatever the text is: nothing panics, and all that was there is still there.
        #[test]
        fn any_text_is_survived(text in "(a|b|: |\\n|  |- |\\[|\\]|\\{|\\}|, |#|&x |\\*x|~|'|\"|\\||ü){0,24}", index in 0..3_usize) {
            for change in [Change::Push("NEW"), Change::Put("NEW"), Change::Remove(index)] {
                for path in [&["a"][..], &["a", "b"], &["b", "a"]] {
                    if let Some(changed) = edit(&text, path, change) {
                        prop_assert!(tree(&changed).is_some());
                    }
                }
            }
        }
    }
}

//! Events → tree: anchors, aliases, merge keys, duplicate keys and the budget for all of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Tag};

use super::node::{Entry, Kind, Node};
use super::scalar::Scalars;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::value::Value;

/// The largest flow file that is read: 100,000 nodes are about 15 MB.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// How many values aliases and merge keys may copy in one file.
const ALIAS_BUDGET: usize = 100_000;
/// How deep values may nest; the tree is walked recursively afterwards.
const MAX_DEPTH: usize = 100;

/// Decodes a file's bytes, refusing what is too large or not UTF-8.
///
/// # Errors
/// One diagnostic; of text that is not UTF-8, it points at the first bad byte.
pub fn decode(path: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Diagnostics> {
    if bytes.len() > MAX_BYTES {
        let source = Arc::new(Source::new(path, ""));
        let message = format!("the file has more than {MAX_BYTES} bytes");
        return Err(
            Diagnostic::error(Code::FileTooLarge, message, &source, Span::default())
                .help("split the flow into sub-flows (`type: flow`)")
                .into(),
        );
    }
    String::from_utf8(bytes)
        .map(|text| Arc::new(Source::new(path, text)))
        .map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let bad = bytes[valid];
            let source = Arc::new(Source::new(path, String::from_utf8_lossy(&bytes)));
            Diagnostic::error(
                Code::FileNotUtf8,
                "the file is not UTF-8",
                &source,
                Span::new(valid, valid + 3),
            )
            .label(format!("byte {valid} is 0x{bad:02x}"))
            .help("save the file as UTF-8, for example with `iconv -t UTF-8`")
            .into()
        })
}

/// Reads a document. Problems are pushed, and as much of a tree as there is comes back, so that
/// one duplicate key does not hide what is wrong elsewhere; `None` after a syntax error.
pub fn load(source: &Arc<Source>, problems: &mut Diagnostics) -> Option<Node> {
    load_as(source, Scalars::Core, problems)
}

/// The same, with plain scalars read by other rules.
pub fn load_as(source: &Arc<Source>, scalars: Scalars, problems: &mut Diagnostics) -> Option<Node> {
    let mut loader = Loader {
        source,
        scalars,
        problems,
        anchors: HashMap::new(),
        stack: Vec::new(),
        copied: 0,
        root: None,
    };
    let mut options = Options::default();
    options.emit_comments = false;
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(&source.text, options) {
        let (event, span) = match next {
            Ok((event, span)) => (event, span),
            Err(error) => {
                loader.problems.push(syntax_error(source, &error));
                return None;
            }
        };
        let span = span
            .byte_range()
            .map_or_else(Span::default, |range| Span::new(range.start, range.end));
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                loader.problems.push(
                    Diagnostic::error(Code::YamlMultipleDocuments, "a second YAML document begins here", source, span)
                        .help("keep one document in a file; a sub-flow is a file of its own (`type: flow`)"),
                );
                break;
            }
        }
        if loader.event(event, span).is_err() {
            return None;
        }
    }
    Some(loader.root.unwrap_or(Node {
        span: Span::default(),
        kind: Kind::Scalar(Value::Null),
    }))
}

fn syntax_error(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let offset = error.marker().byte_offset().unwrap_or(source.text.len());
    let end = source.text[source.floor(offset)..]
        .chars()
        .next()
        .map_or(offset, |c| offset + c.len_utf8());
    let diagnostic = Diagnostic::error(
        Code::YamlSyntax,
        error.info(),
        source,
        Span::new(offset, end),
    );
    let line = source.text[..source.floor(offset)]
        .rsplit('\n')
        .next()
        .unwrap_or_default();
    if line.contains('\t') {
        return diagnostic.help("indent with spaces: YAML does not allow tabs there");
    }
    diagnostic
}

/// A collection that is still open.
struct Open {
    span: Span,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        index: Index,
        merges: Vec<Node>,
        key: Option<(String, Span)>,
    },
}

/// Finds the keys of a mapping. Most have a few, for which looking at each is faster than a table.
#[derive(Default)]
struct Index(HashMap<String, usize>);

impl Index {
    const FEW: usize = 16;

    fn find(&mut self, key: &str, entries: &[Entry]) -> Option<usize> {
        if entries.len() < Self::FEW {
            return entries.iter().position(|entry| entry.key == key);
        }
        if self.0.is_empty() {
            let keys = entries.iter().enumerate();
            self.0 = keys.map(|(at, entry)| (entry.key.clone(), at)).collect();
        }
        self.0.get(key).copied()
    }

    /// Notes a key that is about to stand at the end.
    fn note(&mut self, key: &str, at: usize) {
        if !self.0.is_empty() {
            self.0.insert(key.to_owned(), at);
        }
    }
}

struct Loader<'a> {
    source: &'a Arc<Source>,
    scalars: Scalars,
    problems: &'a mut Diagnostics,
    anchors: HashMap<usize, Node>,
    stack: Vec<Open>,
    copied: usize,
    root: Option<Node>,
}

/// Reading cannot go on; the reason is among the problems.
struct Stop;

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(text, style, tag.as_deref(), span);
                self.finish(Node { span, kind }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), span);
                self.open(span, anchor, OpenKind::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), span);
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    index: Index::default(),
                    merges: Vec::new(),
                    key: None,
                };
                self.open(span, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self
                    .stack
                    .pop()
                    .expect("the parser balances starts and ends");
                let node_span = Span::new(open.span.start, span.end.max(open.span.end));
                let kind = match open.kind {
                    OpenKind::List(items) => Kind::List(items),
                    OpenKind::Map {
                        mut entries,
                        merges,
                        ..
                    } => {
                        self.merge(&mut entries, merges)?;
                        // Most mappings have one key or two, and a vector grows by four.
                        entries.shrink_to_fit();
                        Kind::Map(entries)
                    }
                };
                self.finish(
                    Node {
                        span: node_span,
                        kind,
                    },
                    open.anchor,
                )
            }
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    self.problems.push(Diagnostic::error(
                        Code::YamlSyntax,
                        "this alias stands inside the value that it names",
                        self.source,
                        span,
                    ));
                    return Err(Stop);
                };
                self.spend(&node, span)?;
                self.finish(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, span: Span, anchor: usize, kind: OpenKind) -> Result<(), Stop> {
        if self.stack.len() >= MAX_DEPTH {
            self.problems.push(Diagnostic::error(
                Code::YamlTooDeep,
                format!("values nest deeper than {MAX_DEPTH} levels"),
                self.source,
                span,
            ));
            return Err(Stop);
        }
        self.stack.push(Open { span, anchor, kind });
        Ok(())
    }

    /// Puts a finished node where it belongs: as a key, a value, an item or the root.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map {
                entries,
                index,
                merges,
                key,
            } => match key.take() {
                None => match key_text(node) {
                    Ok(named) => *key = Some(named),
                    Err(node) => {
                        self.problems.push(
                            Diagnostic::error(
                                Code::YamlNotJson,
                                "a key must be a string",
                                self.source,
                                node.span,
                            )
                            .label(format!("this is {}", node.type_name())),
                        );
                        return Err(Stop);
                    }
                },
                Some((text, _)) if text == "<<" => merges.push(node),
                Some((text, key_span)) => {
                    if let Some(first) = index.find(&text, entries) {
                        self.problems.push(
                            Diagnostic::error(
                                Code::YamlDuplicateKey,
                                format!("the key `{text}` stands here twice"),
                                self.source,
                                key_span,
                            )
                            .label("second")
                            .also(self.source, entries[first].key_span, "first")
                            .help("remove one of the two"),
                        );
                    } else {
                        index.note(&text, entries.len());
                        entries.push(Entry {
                            key: text,
                            key_span,
                            value: node,
                        });
                    }
                }
            },
        }
        Ok(())
    }

    /// Carries out `<<:`; keys written in the mapping itself win, then earlier merges.
    fn merge(&mut self, entries: &mut Vec<Entry>, merges: Vec<Node>) -> Result<(), Stop> {
        if merges.is_empty() {
            return Ok(());
        }
        let mut present: std::collections::HashSet<String> =
            entries.iter().map(|entry| entry.key.clone()).collect();
        for merge in merges {
            let span = merge.span;
            let maps = match merge.kind {
                Kind::List(items) => items,
                kind => vec![Node { span, kind }],
            };
            for map in maps {
                let Kind::Map(merged) = map.kind else {
                    self.problems.push(Diagnostic::error(
                        Code::YamlSyntax,
                        "`<<` merges mappings only",
                        self.source,
                        map.span,
                    ));
                    return Err(Stop);
                };
                for entry in merged {
                    if present.insert(entry.key.clone()) {
                        self.spend(&entry.value, span)?;
                        entries.push(entry);
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts copied values, so that nine lines of aliases cannot fill the memory.
    fn spend(&mut self, node: &Node, span: Span) -> Result<(), Stop> {
        let room = ALIAS_BUDGET.saturating_sub(self.copied);
        let size = size(node, room + 1);
        self.copied += size;
        if size > room {
            self.problems.push(
                Diagnostic::error(
                    Code::YamlAliasBomb,
                    format!("aliases expand to more than {ALIAS_BUDGET} values"),
                    self.source,
                    span,
                )
                .label("this alias goes over the limit")
                .help("write the values out, or move them to a data file that a node reads"),
            );
            return Err(Stop);
        }
        if depth(node) + self.stack.len() > MAX_DEPTH {
            self.problems.push(Diagnostic::error(
                Code::YamlTooDeep,
                format!("aliases nest values deeper than {MAX_DEPTH} levels"),
                self.source,
                span,
            ));
            return Err(Stop);
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Kind {
        if let Some(tag) = tag {
            match tag.core_suffix() {
                Some("str") => return Kind::Text(text.into_owned()),
                Some("int" | "float" | "bool" | "null") => {}
                _ => self.tagged(Some(tag), span),
            }
        } else if style != ScalarStyle::Plain {
            return Kind::Text(text.into_owned());
        }
        match self.scalars.resolve(&text) {
            Ok(Some(value)) => Kind::Scalar(value),
            Ok(None) => Kind::Text(text.into_owned()),
            Err(()) => {
                self.problems.push(
                    Diagnostic::error(
                        Code::YamlNotJson,
                        format!("`{text}` has no JSON form"),
                        self.source,
                        span,
                    )
                    .help("quote it to mean the text"),
                );
                Kind::Text(text.into_owned())
            }
        }
    }

    fn tagged(&mut self, tag: Option<&Tag>, span: Span) {
        let Some(tag) = tag else { return };
        if matches!(
            tag.core_suffix(),
            Some("map" | "seq" | "str" | "int" | "float" | "bool" | "null")
        ) {
            return;
        }
        let written = tag.original();
        // The parser gives the place of the value; the tag stands before it.
        let at = self.source.text[..self.source.floor(span.start)].rfind(&written);
        let span = at
            .filter(|at| !self.source.text[*at..span.start].contains('\n'))
            .map_or(span, |at| Span::new(at, at + written.len()));
        self.problems.push(
            Diagnostic::error(
                Code::YamlNotJson,
                format!("the tag `{written}` means nothing here"),
                self.source,
                span,
            )
            .help("remove the tag"),
        );
    }
}

/// A key as text, and where it stands; gives back what cannot be one.
fn key_text(node: Node) -> Result<(String, Span), Node> {
    let text = match node.kind {
        Kind::Text(text) => text,
        Kind::Scalar(Value::Null) => "null".to_owned(),
        Kind::Scalar(value) => value.to_string(),
        Kind::List(_) | Kind::Map(_) => return Err(node),
    };
    Ok((text, node.span))
}

/// The number of values in a node, counted no further than `limit`.
fn size(node: &Node, limit: usize) -> usize {
    let mut total = 1;
    let mut add = |child: &Node| {
        if total <= limit {
            total += size(child, limit - total.min(limit));
        }
    };
    match &node.kind {
        Kind::List(items) => items.iter().for_each(&mut add),
        Kind::Map(entries) => entries.iter().for_each(|entry| add(&entry.value)),
        Kind::Scalar(_) | Kind::Text(_) => {}
    }
    total
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| depth(&entry.value))
                .max()
                .unwrap_or(0)
        }
        Kind::Scalar(_) | Kind::Text(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Option<Value>, Vec<(Code, String)>) {
        let source = Arc::new(Source::new("test.yaml", text));
        let mut problems = Diagnostics::default();
        let node = load(&source, &mut problems);
        let found = problems
            .iter()
            .map(|d| {
                let at = source.position(d.primary.span.start);
                (d.code, format!("{}:{}", at.line, at.column))
            })
            .collect();
        (node.map(|node| node.to_value()), found)
    }

    #[test]
    fn values_anchors_and_merges() {
        let (value, problems) =
            read("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nlist: [*b, yes, '1']\nempty:\n");
        assert_eq!(problems, []);
        assert_eq!(
            value,
            Some(json!({
                "base": {"x": 1, "y": 2}, "use": {"y": 3, "x": 1},
                "list": [{"x": 1, "y": 2}, "yes", "1"], "empty": null
            }))
        );
    }

    #[test]
    fn all_duplicates_are_reported_where_they_stand() {
        let (value, problems) = read("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n");
        assert_eq!(value, Some(json!({"a": 1, "b": {"c": 1}})));
        assert_eq!(
            problems,
            [
                (Code::YamlDuplicateKey, "4:3".to_owned()),
                (Code::YamlDuplicateKey, "5:1".to_owned())
            ]
        );
    }

    #[test]
    fn bombs_stop_early() {
        use std::fmt::Write as _;
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}, ", level - 1).repeat(9);
            writeln!(text, "a{level}: &a{level} [{alias}]")
                .expect("writing to a String cannot fail");
        }
        let (_, problems) = read(&text);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].0, Code::YamlAliasBomb);
    }

    #[test]
    fn nesting_is_limited() {
        let (_, problems) = read(&format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)));
        assert_eq!(problems.len(), 1);
        assert!(
            matches!(problems[0].0, Code::YamlTooDeep | Code::YamlSyntax),
            "{problems:?}"
        );
    }

    #[test]
    fn syntax_and_documents() {
        assert_eq!(read("a: [1, 2\nb: 3").1[0].0, Code::YamlSyntax);
        assert_eq!(
            read("a: 1\n---\nb: 2\n").1[0].0,
            Code::YamlMultipleDocuments
        );
        assert_eq!(read("a: !thing 1\n").1[0].0, Code::YamlNotJson);
        assert_eq!(read("a: &x [*x]\n").1[0].0, Code::YamlSyntax);
        assert_eq!(read(""), (Some(json!(null)), vec![]));
    }

    #[test]
    fn parts_of_strings_are_found_where_they_were_written() {
        let text = "a: \"\\u00e9 ${x.y} ${x.y}\"\nb: |\n  line\n  ${z}\n";
        let source = Arc::new(Source::new("t", text));
        let node = load(&source, &mut Diagnostics::default()).expect("it is YAML");
        let string = node.descend(["a"]);
        let decoded = string.to_value().as_str().expect("a string").to_owned();
        let second = decoded.rfind("${x.y}").expect("it is there");
        let span = string.locate(&source, second, second + 6);
        assert_eq!(source.slice(span), "${x.y}");
        assert_eq!(span.start, text.rfind("${x.y}").expect("it is there"));
        let block = node.descend(["b"]);
        let span = block.locate(&source, 5, 9);
        assert_eq!(source.slice(span), "${z}");
    }
}

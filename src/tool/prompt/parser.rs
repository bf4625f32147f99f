//! Tokens to the tree: tags. Expressions are in [`super::expressions`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lexer::{Kind as Word, Problem, Token, lex};
use super::syntax::{Applied, Arguments, Block, Expression, For, Kind, Macro, Statement, Target};
use super::variables::names_in;
use crate::diagnostic::Span;

/// Deeper templates are refused, so that nothing overflows.
const DEEPEST: usize = 64;
/// So many operators, filters, calls and dots may be in one tag: each can be a level of the tree.
const LONGEST: usize = 500;

/// A template's tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) body: Vec<Statement>,
    pub(super) blocks: BTreeMap<String, Arc<Block>>,
}

/// Reads a text, whose newlines are `\n`.
pub(super) fn parse(text: &str) -> Result<Tree, Problem> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        depth: 0,
        steps: 0,
        open: Vec::new(),
        blocks: BTreeMap::new(),
        soft: 0,
        unknown: Vec::new(),
    };
    let body = parser.body(&[])?;
    if !parser.unknown.is_empty() {
        return Err(parser.unknown.remove(0));
    }
    Ok(Tree {
        body,
        blocks: parser.blocks,
    })
}

/// The place in the tokens.
pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    depth: usize,
    steps: usize,
    /// The tags that are open: what they are and how they end.
    open: Vec<(String, Span)>,
    blocks: BTreeMap<String, Arc<Block>>,
    /// How many conditions are around: what is only there under one may name filters that are not.
    pub(super) soft: usize,
    /// Filters and tests that are not there, unless a condition around them turns up.
    pub(super) unknown: Vec<Problem>,
}

impl Parser {
    pub(super) fn token(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.token().clone();
        self.at += 1;
        token
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.token().kind, Word::Operator(found) if found == operator)
    }

    pub(super) fn take_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(&self.token().kind, Word::Name(found) if found == name)
    }

    pub(super) fn take_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<(), Problem> {
        if self.take_operator(operator) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{operator}`")))
    }

    pub(super) fn expect_name(&mut self) -> Result<(String, Span), Problem> {
        let Token {
            kind: Word::Name(name),
            span,
        } = self.token().clone()
        else {
            return Err(self.unexpected("a name"));
        };
        self.at += 1;
        Ok((name, span))
    }

    /// What stands here is not what must stand here.
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        let token = self.token();
        let found = match &token.kind {
            Word::End => "the end of the template".to_owned(),
            Word::VariableEnd => "the end of the tag, `}}`".to_owned(),
            Word::BlockEnd => "the end of the tag, `%}`".to_owned(),
            Word::Name(name) => format!("`{name}`"),
            Word::Operator(operator) => format!("`{operator}`"),
            Word::Integer(_) | Word::Float(_) => "a number".to_owned(),
            Word::Text(_) => "a string".to_owned(),
            Word::Data(_) | Word::VariableBegin | Word::BlockBegin => "text".to_owned(),
        };
        Problem::new(format!("{found} where {expected} must stand"), token.span)
    }

    /// Goes one level down.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.depth >= DEEPEST {
            return Err(Problem::new(
                format!("more than {DEEPEST} levels are nested here"),
                self.token().span,
            ));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Counts one operator, filter, call or dot.
    pub(super) fn step(&mut self) -> Result<(), Problem> {
        self.steps += 1;
        if self.steps > LONGEST {
            return Err(Problem::new(
                format!("more than {LONGEST} operators are in this tag"),
                self.token().span,
            ));
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), Problem> {
        if self.token().kind == Word::BlockEnd {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("the end of the tag, `%}`"))
    }

    /// Reads up to a tag that begins with one of these words, or to the end when there is none.
    /// The word itself is the next token then.
    fn body(&mut self, ends: &[&str]) -> Result<Vec<Statement>, Problem> {
        let mut statements = Vec::new();
        loop {
            let token = self.next();
            self.steps = 0;
            match token.kind {
                Word::Data(text) => statements.push(Statement::Data(text)),
                Word::VariableBegin => {
                    let value = self.tuple(true, &[])?;
                    if self.token().kind != Word::VariableEnd {
                        return Err(self.unexpected("the end of the tag, `}}`"));
                    }
                    self.at += 1;
                    statements.push(Statement::Output(vec![value]));
                }
                Word::BlockBegin => {
                    let (name, span) = self.expect_name()?;
                    if ends.contains(&name.as_str()) {
                        self.at -= 1;
                        return Ok(statements);
                    }
                    let statement = self.deeper(|parser| parser.statement(&name, span))?;
                    statements.push(statement);
                }
                _ if ends.is_empty() => return Ok(statements),
                _ => {
                    let (tag, span) = self
                        .open
                        .last()
                        .cloned()
                        .unwrap_or((String::new(), token.span));
                    return Err(Problem::new(format!("this `{tag}` is never ended"), span)
                        .help(format!("end it with `{{% end{tag} %}}`")));
                }
            }
        }
    }

    /// Reads the body of a tag and the tag that ends it.
    fn block(&mut self, tag: &str, span: Span) -> Result<Vec<Statement>, Problem> {
        self.end_block()?;
        let end = format!("end{tag}");
        self.open.push((tag.to_owned(), span));
        let body = self.body(&[&end])?;
        self.open.pop();
        self.at += 1;
        if tag == "block" {
            self.at += usize::from(matches!(self.token().kind, Word::Name(_)));
        }
        self.end_block()?;
        Ok(body)
    }

    fn statement(&mut self, tag: &str, span: Span) -> Result<Statement, Problem> {
        match tag {
            "for" => self.for_loop(span),
            "if" => self.condition(span),
            "set" => self.set(span),
            "with" => self.with(span),
            "macro" => {
                let (name, _) = self.expect_name()?;
                let parameters = self.parameters()?;
                let body = self.block("macro", span)?;
                Ok(Statement::Macro(Arc::new(new_macro(
                    name, parameters, body,
                ))))
            }
            "call" => {
                let parameters = if self.is_operator("(") {
                    self.parameters()?
                } else {
                    Vec::new()
                };
                let call = self.expression()?;
                if !matches!(call.kind, Kind::Call(..)) {
                    return Err(Problem::new("`call` takes a call", call.span)
                        .help("for example `{% call box(title) %}…{% endcall %}`"));
                }
                let body = self.block("call", span)?;
                let body = Arc::new(new_macro("caller".to_owned(), parameters, body));
                Ok(Statement::Call { call, body })
            }
            "filter" => {
                let filters = self.filters(true)?;
                let body = self.block("filter", span)?;
                Ok(Statement::Filter { filters, body })
            }
            "block" => self.named_block(span),
            "autoescape" => {
                let enabled = self.expression()?;
                let body = self.block("autoescape", span)?;
                Ok(Statement::Autoescape { enabled, body })
            }
            "print" => {
                let mut values = vec![self.expression()?];
                while self.take_operator(",") {
                    values.push(self.expression()?);
                }
                self.end_block()?;
                Ok(Statement::Output(values))
            }
            "include" | "import" | "from" | "extends" => {
                if self.token().kind == Word::BlockEnd {
                    return Err(self.unexpected("the name of a template"));
                }
                // What it names is read only to be read: there is nothing to load from.
                while self.token().kind != Word::BlockEnd {
                    self.at += 1;
                }
                self.end_block()?;
                Ok(Statement::Load(span))
            }
            _ => Err(self.unknown_tag(tag, span)),
        }
    }

    fn unknown_tag(&self, tag: &str, span: Span) -> Problem {
        let problem = Problem::new(format!("there is no tag `{tag}`"), span);
        match (self.open.last(), tag) {
            (_, "do") => problem.help("write `{% set _ = … %}`, as Prompt Flow has no `do`"),
            (_, "break" | "continue") => {
                problem.help("Prompt Flow's loops have no such thing; filter them: `{% for x in xs if … %}`")
            }
            (Some((open, _)), _) if tag.starts_with("end") || tag.starts_with("el") => {
                problem.help(format!("the innermost open tag is `{open}`"))
            }
            (None, _) if tag.starts_with("end") => problem.help("no tag is open here"),
            _ => problem.help(
                "tags are `for`, `if`, `set`, `with`, `macro`, `call`, `filter`, `block`, `raw`, `print` and `autoescape`",
            ),
        }
    }

    fn for_loop(&mut self, span: Span) -> Result<Statement, Problem> {
        let target = self.target(&["in"], false)?;
        if !self.take_name("in") {
            return Err(self.unexpected("`in`"));
        }
        let items = self.tuple(false, &["recursive"])?;
        let condition = if self.take_name("if") {
            Some(self.expression()?)
        } else {
            None
        };
        let is_recursive = self.take_name("recursive");
        self.end_block()?;
        self.open.push(("for".to_owned(), span));
        let body = self.body(&["endfor", "else"])?;
        let otherwise = if self.take_name("else") {
            self.end_block()?;
            self.body(&["endfor"])?
        } else {
            Vec::new()
        };
        self.open.pop();
        self.at += 1;
        self.end_block()?;
        Ok(Statement::For(Arc::new(For {
            target,
            items,
            condition,
            is_recursive,
            body,
            otherwise,
        })))
    }

    fn condition(&mut self, span: Span) -> Result<Statement, Problem> {
        self.open.push(("if".to_owned(), span));
        self.soft += 1;
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.tuple(false, &[])?;
            self.end_block()?;
            let body = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            if self.take_name("elif") {
                continue;
            }
            if self.take_name("else") {
                self.end_block()?;
                otherwise = self.body(&["endif"])?;
            }
            break;
        }
        self.soft -= 1;
        self.open.pop();
        self.at += 1;
        self.end_block()?;
        Ok(Statement::If {
            branches,
            otherwise,
        })
    }

    fn set(&mut self, span: Span) -> Result<Statement, Problem> {
        let target = self.target(&[], true)?;
        if self.take_operator("=") {
            let value = self.tuple(true, &[])?;
            self.end_block()?;
            return Ok(Statement::Set { target, value });
        }
        let filters = self.filters(false)?;
        let body = self.block("set", span)?;
        Ok(Statement::SetBlock {
            target,
            filters,
            body,
        })
    }

    fn with(&mut self, span: Span) -> Result<Statement, Problem> {
        let mut variables = Vec::new();
        while self.token().kind != Word::BlockEnd {
            if !variables.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect_operator("=")?;
            variables.push((target, self.expression()?));
        }
        let body = self.block("with", span)?;
        Ok(Statement::With { variables, body })
    }

    fn named_block(&mut self, span: Span) -> Result<Statement, Problem> {
        let (name, at) = self.expect_name()?;
        let is_scoped = self.take_name("scoped");
        self.take_name("required");
        let body = self.block("block", span)?;
        let block = Arc::new(Block {
            name: name.clone(),
            is_scoped,
            body,
        });
        if self
            .blocks
            .insert(name.clone(), Arc::clone(&block))
            .is_some()
        {
            return Err(Problem::new(format!("there are two blocks `{name}`"), at));
        }
        Ok(Statement::Block { block, span })
    }

    fn parameters(&mut self) -> Result<Vec<(String, Option<Expression>)>, Problem> {
        self.expect_operator("(")?;
        let mut parameters: Vec<(String, Option<Expression>)> = Vec::new();
        while !self.is_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
                // A comma may end the list.
                if self.is_operator(")") {
                    break;
                }
            }
            let (name, span) = self.expect_name()?;
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Problem::new(
                    format!("there are two parameters `{name}`"),
                    span,
                ));
            }
            let default = if self.take_operator("=") {
                Some(self.expression()?)
            } else {
                None
            };
            if default.is_none() && parameters.iter().any(|(_, default)| default.is_some()) {
                return Err(Problem::new(
                    format!("`{name}` has no default, and stands behind one that has"),
                    span,
                ));
            }
            parameters.push((name, default));
        }
        self.expect_operator(")")?;
        Ok(parameters)
    }

    /// What is assigned to: a name, several, or an attribute of a namespace.
    fn target(&mut self, ends: &[&str], with_attribute: bool) -> Result<Target, Problem> {
        let start = self.token().span;
        let parenthesised = self.take_operator("(");
        let mut targets = Vec::new();
        let mut is_tuple = parenthesised;
        loop {
            let is_end = self.is_operator(")")
                || self.is_operator("=")
                || self.token().kind == Word::BlockEnd
                || ends.iter().any(|end| self.is_name(end));
            if is_end && !targets.is_empty() {
                break;
            }
            let target = if self.is_operator("(") {
                self.deeper(|parser| parser.target(&[], with_attribute))?
            } else {
                let (name, span) = self.expect_name()?;
                if matches!(
                    name.as_str(),
                    "true" | "false" | "none" | "True" | "False" | "None"
                ) {
                    return Err(Problem::new(
                        format!("nothing can be assigned to `{name}`"),
                        span,
                    ));
                }
                if with_attribute && self.take_operator(".") {
                    let (attribute, end) = self.expect_name()?;
                    Target::Attribute(name, attribute, Span::new(span.start, end.end))
                } else {
                    Target::Name(name)
                }
            };
            targets.push(target);
            if !self.take_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if parenthesised {
            self.expect_operator(")")?;
            // `(a), b` is several in turn.
            if self.is_operator(",") {
                let first = collapse(targets, is_tuple, start);
                let mut targets = vec![first];
                while self.take_operator(",") {
                    if self.is_operator("=") || ends.iter().any(|end| self.is_name(end)) {
                        break;
                    }
                    targets.push(self.deeper(|parser| parser.target_item(with_attribute))?);
                }
                return Ok(Target::Several(targets, start));
            }
        }
        Ok(collapse(targets, is_tuple, start))
    }

    fn target_item(&mut self, with_attribute: bool) -> Result<Target, Problem> {
        if self.is_operator("(") {
            return self.target(&[], with_attribute);
        }
        let (name, _) = self.expect_name()?;
        Ok(Target::Name(name))
    }

    /// Filters one after another; the first without its bar when it is one of a `filter` tag.
    pub(super) fn filters(&mut self, mut inline: bool) -> Result<Vec<Applied>, Problem> {
        let mut filters = Vec::new();
        while inline || self.take_operator("|") {
            inline = false;
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    pub(super) fn filter(&mut self) -> Result<Applied, Problem> {
        let (mut name, mut span) = self.expect_name()?;
        while self.take_operator(".") {
            let (part, end) = self.expect_name()?;
            name = format!("{name}.{part}");
            span = Span::new(span.start, end.end);
        }
        if self.soft == 0 && !super::filters::exists(&name) {
            self.unknown.push(super::filters::unknown(&name, span));
        }
        let arguments = if self.is_operator("(") {
            self.arguments()?
        } else {
            Arguments::default()
        };
        Ok(Applied {
            name,
            arguments,
            span,
        })
    }
}

fn collapse(mut targets: Vec<Target>, is_tuple: bool, span: Span) -> Target {
    match targets.len() {
        1 if !is_tuple => targets.remove(0),
        _ => Target::Several(targets, span),
    }
}

fn new_macro(
    name: String,
    parameters: Vec<(String, Option<Expression>)>,
    body: Vec<Statement>,
) -> Macro {
    let names = names_in(&body);
    let takes = |name: &str| {
        names.contains(name) && !parameters.iter().any(|(parameter, _)| parameter == name)
    };
    Macro {
        takes_more: takes("varargs"),
        takes_more_named: takes("kwargs"),
        takes_caller: names.contains("caller"),
        name,
        parameters,
        body,
    }
}

//! Tokens to the tree: expressions, with the precedence of Jinja2.

use super::lexer::{Kind as Word, Problem};
use super::parser::Parser;
use super::syntax::{Applied, Arguments, Expression, Kind};
use crate::diagnostic::Span;

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn join(left: &Expression, right: &Expression) -> Span {
    Span::new(left.span.start, right.span.end)
}

impl Parser {
    /// Since the last token that was taken.
    fn since(&self, start: usize) -> Span {
        let end = self.tokens[self.at.saturating_sub(1)].span.end;
        Span::new(start, end)
    }

    /// `a, b` or `a`: a tuple needs no parentheses. `ends` are words that may stand behind a comma.
    pub(super) fn tuple(
        &mut self,
        with_condition: bool,
        ends: &[&str],
    ) -> Result<Expression, Problem> {
        let start = self.token().span.start;
        let read = |parser: &mut Self| {
            if with_condition {
                parser.expression()
            } else {
                parser.deeper(Self::or)
            }
        };
        let first = read(self)?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_operator(",") {
            let is_end = matches!(self.token().kind, Word::VariableEnd | Word::BlockEnd)
                || self.is_operator(")")
                || ends.iter().any(|end| self.is_name(end));
            if is_end {
                break;
            }
            items.push(read(self)?);
        }
        Ok(Expression {
            kind: Kind::Tuple(items),
            span: self.since(start),
        })
    }

    pub(super) fn expression(&mut self) -> Result<Expression, Problem> {
        self.deeper(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expression, Problem> {
        let unknown = self.unknown.len();
        let mut value = self.or()?;
        while self.take_name("if") {
            self.unknown.truncate(unknown);
            self.soft += 1;
            let test = self.or()?;
            let otherwise = if self.take_name("else") {
                Some(self.expression()?)
            } else {
                None
            };
            self.soft -= 1;
            let span = self.since(value.span.start);
            let kind = Kind::Conditional(Box::new((test, value, otherwise)));
            value = Expression { kind, span };
            self.step()?;
        }
        Ok(value)
    }

    fn or(&mut self) -> Result<Expression, Problem> {
        let mut left = self.and()?;
        while self.take_name("or") {
            let right = self.and()?;
            let span = join(&left, &right);
            let kind = Kind::Or(Box::new((left, right)));
            left = Expression { kind, span };
            self.step()?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, Problem> {
        let mut left = self.not()?;
        while self.take_name("and") {
            let right = self.not()?;
            let span = join(&left, &right);
            let kind = Kind::And(Box::new((left, right)));
            left = Expression { kind, span };
            self.step()?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, Problem> {
        if !self.is_name("not") {
            return self.comparison();
        }
        let start = self.next().span.start;
        let value = self.deeper(Self::not)?;
        let span = Span::new(start, value.span.end);
        let kind = Kind::Not(Box::new(value));
        Ok(Expression { kind, span })
    }

    fn comparison(&mut self) -> Result<Expression, Problem> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.token().kind {
                Word::Operator(operator) if COMPARISONS.contains(&operator) => operator,
                _ if self.is_name("in") => "in",
                _ if self.is_name("not") && self.is_name_at(self.at + 1, "in") => {
                    self.at += 1;
                    "not in"
                }
                _ => break,
            };
            self.at += 1;
            rest.push((operator, self.sum()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let span = self.since(first.span.start);
        let kind = Kind::Compare(Box::new(first), rest);
        Ok(Expression { kind, span })
    }

    fn is_name_at(&self, at: usize, name: &str) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| matches!(&token.kind, Word::Name(found) if found == name))
    }

    fn operator_of(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let Word::Operator(found) = self.token().kind else {
            return None;
        };
        let operator = operators.iter().find(|operator| **operator == found)?;
        self.at += 1;
        Some(operator)
    }

    fn binary(
        &mut self,
        operators: &[&'static str],
        operand: fn(&mut Self) -> Result<Expression, Problem>,
    ) -> Result<Expression, Problem> {
        let mut left = operand(self)?;
        while let Some(operator) = self.operator_of(operators) {
            let right = operand(self)?;
            let span = join(&left, &right);
            let kind = Kind::Binary(operator, Box::new((left, right)));
            left = Expression { kind, span };
            self.step()?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression, Problem> {
        self.binary(&["+", "-"], Self::concatenation)
    }

    fn concatenation(&mut self) -> Result<Expression, Problem> {
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let start = first.span.start;
        let mut parts = vec![first];
        while self.take_operator("~") {
            parts.push(self.product()?);
        }
        let span = self.since(start);
        let kind = Kind::Concat(parts);
        Ok(Expression { kind, span })
    }

    fn product(&mut self) -> Result<Expression, Problem> {
        self.binary(&["*", "/", "//", "%"], Self::power)
    }

    fn power(&mut self) -> Result<Expression, Problem> {
        self.binary(&["**"], |parser| parser.unary(true))
    }

    fn unary(&mut self, with_filters: bool) -> Result<Expression, Problem> {
        let start = self.token().span.start;
        let sign = match self.token().kind {
            Word::Operator("-") => Some('-'),
            Word::Operator("+") => Some('+'),
            _ => None,
        };
        let value = match sign {
            Some(sign) => {
                self.at += 1;
                let value = self.deeper(|parser| parser.unary(false))?;
                Expression {
                    kind: Kind::Sign(sign, Box::new(value)),
                    span: self.since(start),
                }
            }
            None => self.primary()?,
        };
        let value = self.postfix(value)?;
        if with_filters {
            return self.filtered(value);
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expression, Problem> {
        let token = self.token().clone();
        let kind = match token.kind {
            Word::Name(name) => {
                self.at += 1;
                match name.as_str() {
                    "true" | "True" => Kind::Bool(true),
                    "false" | "False" => Kind::Bool(false),
                    "none" | "None" => Kind::None,
                    _ => Kind::Name(name),
                }
            }
            Word::Text(mut text) => {
                self.at += 1;
                while let Word::Text(more) = &self.token().kind {
                    text.push_str(more);
                    self.at += 1;
                }
                Kind::Text(text)
            }
            Word::Integer(integer) => {
                self.at += 1;
                Kind::Integer(integer)
            }
            Word::Float(float) => {
                self.at += 1;
                Kind::Float(float)
            }
            Word::Operator("(") => {
                self.at += 1;
                if self.take_operator(")") {
                    Kind::Tuple(Vec::new())
                } else {
                    let inner = self.tuple(true, &[])?;
                    self.expect_operator(")")?;
                    inner.kind
                }
            }
            Word::Operator("[") => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.is_operator("]") {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                        if self.is_operator("]") {
                            break;
                        }
                    }
                    items.push(self.expression()?);
                }
                self.expect_operator("]")?;
                Kind::List(items)
            }
            Word::Operator("{") => {
                self.at += 1;
                let mut entries = Vec::new();
                while !self.is_operator("}") {
                    if !entries.is_empty() {
                        self.expect_operator(",")?;
                        if self.is_operator("}") {
                            break;
                        }
                    }
                    let key = self.expression()?;
                    self.expect_operator(":")?;
                    entries.push((key, self.expression()?));
                }
                self.expect_operator("}")?;
                Kind::Dict(entries)
            }
            _ => return Err(self.unexpected("an expression")),
        };
        Ok(Expression {
            kind,
            span: self.since(token.span.start),
        })
    }

    fn postfix(&mut self, mut value: Expression) -> Result<Expression, Problem> {
        let start = value.span.start;
        loop {
            let kind = if self.take_operator(".") {
                self.after_dot(value)?
            } else if self.take_operator("[") {
                let item = self.subscript()?;
                Kind::Item(Box::new((value, item)))
            } else if self.is_operator("(") {
                let arguments = self.arguments()?;
                Kind::Call(Box::new(value), arguments)
            } else {
                return Ok(value);
            };
            let span = self.since(start);
            value = Expression { kind, span };
            self.step()?;
        }
    }

    fn after_dot(&mut self, value: Expression) -> Result<Kind, Problem> {
        let token = self.next();
        match token.kind {
            Word::Name(name) => Ok(Kind::Attribute(Box::new(value), name)),
            Word::Integer(integer) => {
                let item = Expression {
                    kind: Kind::Integer(integer),
                    span: token.span,
                };
                Ok(Kind::Item(Box::new((value, item))))
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected("a name or a number"))
            }
        }
    }

    /// What stands between `[` and `]`.
    fn subscript(&mut self) -> Result<Expression, Problem> {
        let start = self.token().span.start;
        let mut items = vec![self.subscripted()?];
        while self.take_operator(",") {
            items.push(self.subscripted()?);
        }
        self.expect_operator("]")?;
        if items.len() == 1 {
            return Ok(items.remove(0));
        }
        Ok(Expression {
            kind: Kind::Tuple(items),
            span: self.since(start),
        })
    }

    fn subscripted(&mut self) -> Result<Expression, Problem> {
        let start = self.token().span.start;
        let mut parts = [None, None, None];
        let mut at = 0;
        let mut is_slice = false;
        loop {
            if self.is_operator(":") && at < 2 {
                self.at += 1;
                is_slice = true;
                at += 1;
            } else if self.is_operator("]") || self.is_operator(",") {
                break;
            } else if parts[at].is_none() {
                parts[at] = Some(self.expression()?);
            } else {
                return Err(self.unexpected("`]`"));
            }
        }
        if is_slice {
            return Ok(Expression {
                kind: Kind::Slice(Box::new(parts)),
                span: self.since(start),
            });
        }
        let [first, ..] = parts;
        first.ok_or_else(|| self.unexpected("an expression"))
    }

    fn filtered(&mut self, mut value: Expression) -> Result<Expression, Problem> {
        let start = value.span.start;
        loop {
            if self.take_operator("|") {
                let filter = self.filter()?;
                let kind = Kind::Filter(Box::new(value), Box::new(filter));
                let span = self.since(start);
                value = Expression { kind, span };
                self.step()?;
            } else if self.take_name("is") {
                value = self.test(value, start)?;
                self.step()?;
            } else if self.is_operator("(") {
                let arguments = self.arguments()?;
                let kind = Kind::Call(Box::new(value), arguments);
                let span = self.since(start);
                value = Expression { kind, span };
                self.step()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn test(&mut self, value: Expression, start: usize) -> Result<Expression, Problem> {
        let negated = self.take_name("not");
        let (name, span) = self.expect_name()?;
        if self.soft == 0 && !super::tests::exists(&name) {
            self.unknown.push(super::tests::unknown(&name, span));
        }
        let mut arguments = Arguments::default();
        let is_argument = match &self.token().kind {
            Word::Name(word) => !matches!(word.as_str(), "else" | "or" | "and" | "if" | "in"),
            Word::Text(_) | Word::Integer(_) | Word::Float(_) => true,
            Word::Operator(operator) => matches!(*operator, "[" | "{"),
            _ => false,
        };
        if self.is_operator("(") {
            arguments = self.arguments()?;
        } else if is_argument && !self.is_name("not") {
            if self.is_name("is") {
                return Err(self.unexpected("one test at a time"));
            }
            let argument = self.primary()?;
            arguments.positional.push(self.postfix(argument)?);
        }
        let applied = Applied {
            name,
            arguments,
            span,
        };
        let kind = Kind::Test(Box::new(value), Box::new(applied));
        let span = self.since(start);
        let test = Expression { kind, span };
        if !negated {
            return Ok(test);
        }
        let kind = Kind::Not(Box::new(test));
        Ok(Expression { kind, span })
    }

    pub(super) fn arguments(&mut self) -> Result<Arguments, Problem> {
        self.expect_operator("(")?;
        let mut arguments = Arguments::default();
        let mut is_first = true;
        while !self.is_operator(")") {
            if !is_first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            is_first = false;
            let place = self.token().span;
            if self.take_operator("**") {
                if arguments.star_star.is_some() {
                    return Err(Problem::new("`**` stands once in a call", place));
                }
                arguments.star_star = Some(Box::new(self.expression()?));
                continue;
            }
            if self.take_operator("*") {
                if arguments.star.is_some() || arguments.star_star.is_some() {
                    return Err(Problem::new(
                        "`*` stands once in a call, before `**`",
                        place,
                    ));
                }
                arguments.star = Some(Box::new(self.expression()?));
                continue;
            }
            let is_keyword = matches!(self.token().kind, Word::Name(_))
                && matches!(
                    self.tokens.get(self.at + 1).map(|token| &token.kind),
                    Some(Word::Operator("="))
                );
            if is_keyword {
                let (name, span) = self.expect_name()?;
                self.at += 1;
                if arguments.keyword.iter().any(|(known, _)| *known == name) {
                    return Err(Problem::new(format!("`{name}` is given twice"), span));
                }
                arguments.keyword.push((name, self.expression()?));
                continue;
            }
            if !arguments.keyword.is_empty() || arguments.star_star.is_some() {
                return Err(Problem::new(
                    "an argument without a name behind one with a name",
                    place,
                )
                .help("put it first"));
            }
            arguments.positional.push(self.expression()?);
        }
        self.expect_operator(")")?;
        Ok(arguments)
    }
}

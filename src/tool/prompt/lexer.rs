//! Text to tokens, as Jinja2 cuts it with `trim_blocks` on, `lstrip_blocks` off and the last newline kept.

use crate::diagnostic::Span;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text between tags.
    Data(String),
    /// `{{`
    VariableBegin,
    /// `}}`
    VariableEnd,
    /// `{%`
    BlockBegin,
    /// `%}`
    BlockEnd,
    /// A word.
    Name(String),
    /// A string, decoded.
    Text(String),
    /// An integer.
    Integer(i128),
    /// A float.
    Float(f64),
    /// An operator or a bracket.
    Operator(&'static str),
    /// The end of the template.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// What is wrong with a text, and where.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) span: Span,
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, span: Span) -> Self {
        Self {
            message: message.into(),
            span,
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Longer ones first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// Cuts a text, whose newlines are `\n`, into tokens.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
    };
    lexer.template()?;
    lexer.push(Kind::End, text.len());
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let span = Span::new(start, self.at);
        self.tokens.push(Token { kind, span });
    }

    fn data(&mut self, end: usize, strip: bool) {
        let text = &self.text[self.at..end];
        let text = if strip { text.trim_end() } else { text };
        let start = self.at;
        self.at = end;
        if !text.is_empty() {
            let span = Span::new(start, start + text.len());
            let kind = Kind::Data(text.to_owned());
            self.tokens.push(Token { kind, span });
        }
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes the end of a tag: the closing mark, with what its sign or `trim_blocks` takes away.
    fn close(&mut self, mark: &str, trims: bool) -> bool {
        if let Some(rest) = self.rest().strip_prefix('-')
            && rest.starts_with(mark)
        {
            self.at += 1 + mark.len();
            self.skip_spaces();
            return true;
        }
        if trims
            && let Some(rest) = self.rest().strip_prefix('+')
            && rest.starts_with(mark)
        {
            self.at += 1 + mark.len();
            return true;
        }
        if !self.rest().starts_with(mark) {
            return false;
        }
        self.at += mark.len();
        if trims && self.rest().starts_with('\n') {
            self.at += 1;
        }
        true
    }

    fn template(&mut self) -> Result<(), Problem> {
        loop {
            let found = self
                .rest()
                .match_indices('{')
                .map(|(at, _)| self.at + at)
                .find(|&at| matches!(self.text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')));
            let Some(start) = found else {
                self.data(self.text.len(), false);
                return Ok(());
            };
            let sign = self.text.as_bytes().get(start + 2);
            self.data(start, sign == Some(&b'-'));
            let mark = self.text.as_bytes()[start + 1];
            self.at = start + 2 + usize::from(matches!(sign, Some(b'-' | b'+')));
            match mark {
                b'#' => self.comment(start)?,
                b'%' if self.is_raw() => self.raw(start)?,
                b'%' => {
                    self.push(Kind::BlockBegin, start);
                    self.tag(start, "%}", true)?;
                }
                _ => {
                    self.push(Kind::VariableBegin, start);
                    self.tag(start, "}}", false)?;
                }
            }
        }
    }

    fn comment(&mut self, start: usize) -> Result<(), Problem> {
        let Some(end) = self.rest().find("#}") else {
            return Err(
                Problem::new("this comment is never closed", Span::new(start, start + 2))
                    .help("close it with `#}`"),
            );
        };
        let end = self.at + end;
        let signed = end > self.at && matches!(self.text.as_bytes()[end - 1], b'-' | b'+');
        self.at = end - usize::from(signed);
        self.close("#}", true);
        Ok(())
    }

    /// Whether a `raw` tag begins here, behind its opening mark.
    fn is_raw(&self) -> bool {
        let Some(rest) = self.rest().trim_start().strip_prefix("raw") else {
            return false;
        };
        let rest = rest.trim_start();
        rest.starts_with("%}") || rest.starts_with("-%}")
    }

    fn raw(&mut self, start: usize) -> Result<(), Problem> {
        self.skip_spaces();
        self.at += "raw".len();
        self.skip_spaces();
        // Unlike other tags, this one keeps the newline behind it.
        if self.rest().starts_with('-') {
            self.at += 3;
            self.skip_spaces();
        } else {
            self.at += 2;
        }
        let mut from = self.at;
        while let Some(found) = self.text[from..].find("{%") {
            let begin = from + found;
            from = begin + 2;
            let sign = self.text.as_bytes().get(from);
            let inner = from + usize::from(matches!(sign, Some(b'-' | b'+')));
            let Some(rest) = self.text[inner..].trim_start().strip_prefix("endraw") else {
                continue;
            };
            let close = self.text.len() - rest.trim_start().len();
            let content = self.at;
            self.at = close;
            if self.close("%}", true) {
                let after = self.at;
                self.at = content;
                self.data(begin, sign == Some(&b'-'));
                self.at = after;
                return Ok(());
            }
            self.at = content;
        }
        Err(
            Problem::new("this `raw` is never ended", Span::new(start, start + 2))
                .help("end it with `{% endraw %}`"),
        )
    }

    /// What stands inside of a tag, up to its end.
    fn tag(&mut self, start: usize, end: &str, is_block: bool) -> Result<(), Problem> {
        let mut brackets: Vec<(&str, usize)> = Vec::new();
        loop {
            self.skip_spaces();
            let at = self.at;
            if brackets.is_empty() && self.close(end, is_block) {
                let kind = if is_block {
                    Kind::BlockEnd
                } else {
                    Kind::VariableEnd
                };
                self.push(kind, at);
                return Ok(());
            }
            let Some(c) = self.rest().chars().next() else {
                let (what, place) = match brackets.last() {
                    Some((bracket, place)) => (format!("this `{bracket}`"), *place),
                    None => (format!("this `{}`", &self.text[start..start + 2]), start),
                };
                return Err(Problem::new(
                    format!("{what} is never closed"),
                    Span::new(place, place + 1),
                )
                .help(format!("a tag ends with `{end}`")));
            };
            if c.is_ascii_digit() {
                self.number()?;
            } else if c == '_' || c.is_alphanumeric() {
                let length = self
                    .rest()
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(self.rest().len());
                let word = self.rest()[..length].to_owned();
                self.at += length;
                self.push(Kind::Name(word), at);
            } else if matches!(c, '"' | '\'') {
                self.string(c)?;
            } else if let Some(operator) = OPERATORS
                .iter()
                .find(|operator| self.rest().starts_with(**operator))
            {
                self.at += operator.len();
                match *operator {
                    "(" | "[" | "{" => brackets.push((operator, at)),
                    ")" | "]" | "}" => {
                        let expected = match brackets.pop() {
                            Some(("(", _)) => ")",
                            Some(("[", _)) => "]",
                            Some(_) => "}",
                            None => {
                                return Err(Problem::new(
                                    format!("`{operator}` closes nothing"),
                                    Span::new(at, self.at),
                                ));
                            }
                        };
                        if expected != *operator {
                            return Err(Problem::new(
                                format!("`{operator}` where `{expected}` must stand"),
                                Span::new(at, self.at),
                            ));
                        }
                    }
                    _ => {}
                }
                self.push(Kind::Operator(operator), at);
            } else {
                return Err(Problem::new(
                    format!("`{c}` means nothing in a tag"),
                    Span::new(at, at + c.len_utf8()),
                ));
            }
        }
    }

    fn digits(&self, from: usize, is_digit: impl Fn(&u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        let mut end = from;
        while bytes.get(end).is_some_and(&is_digit)
            || (end > from
                && bytes.get(end) == Some(&b'_')
                && bytes.get(end + 1).is_some_and(&is_digit))
        {
            end += 1;
        }
        end
    }

    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let radix = match bytes.get(start..start + 2) {
            Some(b"0x" | b"0X") => 16,
            Some(b"0o" | b"0O") => 8,
            Some(b"0b" | b"0B") => 2,
            _ => 10,
        };
        let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
        if radix != 10 {
            let end = self.digits(start + 2, is_digit);
            if end > start + 2 {
                return self.integer(start + 2, end, radix);
            }
        }
        let is_digit = u8::is_ascii_digit;
        let whole = self.digits(start, is_digit);
        let mut end = whole;
        // `x.0.1` is an item of an item, not a float.
        let after_dot = start > 0 && bytes[start - 1] == b'.';
        if !after_dot {
            if bytes.get(end) == Some(&b'.') && self.digits(end + 1, is_digit) > end + 1 {
                end = self.digits(end + 1, is_digit);
            }
            if matches!(bytes.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                let exponent = self.digits(end + 1 + sign, is_digit);
                if exponent > end + 1 + sign {
                    end = exponent;
                }
            }
        }
        if end == whole {
            return self.integer(start, end, 10);
        }
        let text = self.text[start..end].replace('_', "");
        self.at = end;
        match text.parse() {
            Ok(float) => self.push(Kind::Float(float), start),
            Err(_) => {
                return Err(Problem::new(
                    format!("`{text}` is no number"),
                    Span::new(start, end),
                ));
            }
        }
        Ok(())
    }

    fn integer(&mut self, from: usize, end: usize, radix: u32) -> Result<(), Problem> {
        let start = self.at;
        let text = self.text[from..end].replace('_', "");
        self.at = end;
        let Ok(integer) = i128::from_str_radix(&text, radix) else {
            return Err(Problem::new(
                "this integer has more than 128 bits",
                Span::new(start, end),
            ));
        };
        self.push(Kind::Integer(integer), start);
        Ok(())
    }

    fn string(&mut self, mark: char) -> Result<(), Problem> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.text[start + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            if c == mark {
                self.at = start + 1 + offset + 1;
                self.push(Kind::Text(text), start);
                return Ok(());
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let Some((_, escaped)) = chars.next() else {
                break;
            };
            match escaped {
                '\n' => {}
                '\\' | '\'' | '"' => text.push(escaped),
                'a' => text.push('\x07'),
                'b' => text.push('\x08'),
                'f' => text.push('\x0c'),
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'v' => text.push('\x0b'),
                'x' | 'u' | 'U' => {
                    let length = match escaped {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let rest = chars.as_str();
                    let code = rest
                        .get(..length)
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                        .and_then(char::from_u32);
                    let Some(decoded) = code else {
                        let at = start + 1 + offset;
                        return Err(Problem::new(
                            format!(
                                "`\\{escaped}` takes {length} hexadecimal digits of a character"
                            ),
                            Span::new(at, at + 2),
                        ));
                    };
                    text.push(decoded);
                    for _ in 0..length {
                        chars.next();
                    }
                }
                '0'..='7' => {
                    let mut code = escaped.to_digit(8).unwrap_or(0);
                    for _ in 0..2 {
                        let Some(digit) = chars.as_str().chars().next().and_then(|c| c.to_digit(8))
                        else {
                            break;
                        };
                        code = code * 8 + digit;
                        chars.next();
                    }
                    text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                other => {
                    text.push('\\');
                    text.push(other);
                }
            }
        }
        Err(Problem::new(
            "this string is never closed",
            Span::new(start, start + 1),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = lex(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect();
        assert_eq!(kinds.pop(), Some(Kind::End));
        kinds
    }

    fn data(text: &str) -> String {
        kinds(text)
            .into_iter()
            .filter_map(|kind| match kind {
                Kind::Data(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn blocks_and_comments_take_the_newline_behind_them() {
        assert_eq!(data("a{% x %}\nb"), "ab");
        assert_eq!(data("a{% x +%}\nb"), "a\nb");
        assert_eq!(data("a  {%- x -%}\n\n b"), "ab");
        assert_eq!(data("a{{ x }}\nb"), "a\nb");
        assert_eq!(data("a {{- x -}} \n b"), "ab");
        assert_eq!(data("a{# c #}\nb{#- c -#} \n c"), "abc");
        assert_eq!(data("a{#+#}b{#-#} c{##}"), "ab c");
        assert_eq!(data("{% raw %}\n{{x}}\n{% endraw %}\nz"), "\n{{x}}\nz");
        assert_eq!(
            data("{%- raw -%}\n {% endraw x %}{{x}} {%- endraw -%} z"),
            "{% endraw x %}{{x}}z"
        );
        assert_eq!(data("{ { # %} }} a\n"), "{ { # %} }} a\n");
    }

    #[test]
    fn braces_inside_of_a_tag_are_not_its_end() {
        assert_eq!(kinds("{{ {'a': {}} }}").len(), 8);
        assert_eq!(kinds("{{ '}}' }}")[1], Kind::Text("}}".to_owned()));
    }

    #[test]
    fn numbers_and_strings_are_pythons() {
        let first = |text: &str| kinds(&format!("{{{{ {text} }}}}"))[1].clone();
        assert_eq!(first("1_000"), Kind::Integer(1000));
        assert_eq!(first("0x1F"), Kind::Integer(31));
        assert_eq!(first("0b1_1"), Kind::Integer(3));
        assert_eq!(first("1e3"), Kind::Float(1000.0));
        assert_eq!(first("2.5"), Kind::Float(2.5));
        assert_eq!(first(r#""a\n\x41é\q""#), Kind::Text("a\nAé\\q".to_owned()));
        assert_eq!(kinds("{{ a.0.1 }}")[5], Kind::Integer(1));
    }

    #[test]
    fn what_is_never_closed_says_where_it_began() {
        for (text, message) in [
            ("a {{ x", "this `{{` is never closed"),
            ("{{ (x", "this `(` is never closed"),
            ("{# x", "this comment is never closed"),
            ("{% raw %} x", "this `raw` is never ended"),
            ("{{ 'x }}", "this string is never closed"),
            ("{{ x) }}", "`)` closes nothing"),
            ("{{ (x] }}", "`]` where `)` must stand"),
            ("{{ x ? y }}", "`?` means nothing in a tag"),
            (
                r"{{ '\x4' }}",
                "`\\x` takes 2 hexadecimal digits of a character",
            ),
        ] {
            assert_eq!(lex(text).unwrap_err().message, message, "{text}");
        }
    }
}

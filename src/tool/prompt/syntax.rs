//! The tree of a template.

use std::sync::Arc;

use crate::diagnostic::Span;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Statement {
    /// Text as it stands.
    Data(String),
    /// `{{ … }}`
    Output(Vec<Expression>),
    /// `{% for %}`
    For(Arc<For>),
    /// `{% if %}`: the branches in order, and what stands behind `else`.
    If {
        branches: Vec<(Expression, Vec<Self>)>,
        otherwise: Vec<Self>,
    },
    /// `{% set x = … %}`
    Set { target: Target, value: Expression },
    /// `{% set x %}…{% endset %}`
    SetBlock {
        target: Target,
        filters: Vec<Applied>,
        body: Vec<Self>,
    },
    /// `{% with %}`
    With {
        variables: Vec<(Target, Expression)>,
        body: Vec<Self>,
    },
    /// `{% macro %}`
    Macro(Arc<Macro>),
    /// `{% call %}`: the body is a macro that the called one knows as `caller`.
    Call { call: Expression, body: Arc<Macro> },
    /// `{% filter %}`
    Filter {
        filters: Vec<Applied>,
        body: Vec<Self>,
    },
    /// `{% block %}`
    Block { block: Arc<Block>, span: Span },
    /// `{% autoescape %}`
    Autoescape {
        enabled: Expression,
        body: Vec<Self>,
    },
    /// `include`, `import`, `from` or `extends`, which have nothing to load from.
    Load(Span),
}

/// `{% for %}`
#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expression,
    pub(super) condition: Option<Expression>,
    pub(super) is_recursive: bool,
    pub(super) body: Vec<Statement>,
    pub(super) otherwise: Vec<Statement>,
}

/// `{% macro %}`, and the body of a `{% call %}`.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expression>)>,
    pub(super) body: Vec<Statement>,
    pub(super) takes_more: bool,
    pub(super) takes_more_named: bool,
    pub(super) takes_caller: bool,
}

/// `{% block %}`
#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) is_scoped: bool,
    pub(super) body: Vec<Statement>,
}

/// What a value is given to.
#[derive(Debug)]
pub(super) enum Target {
    /// A variable.
    Name(String),
    /// An attribute of a namespace.
    Attribute(String, String, Span),
    /// One each.
    Several(Vec<Self>, Span),
}

/// A filter or test without the value that it is for.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) name: String,
    pub(super) arguments: Arguments,
    pub(super) span: Span,
}

/// What stands between the parentheses of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expression>,
    pub(super) keyword: Vec<(String, Expression)>,
    pub(super) star: Option<Box<Expression>>,
    pub(super) star_star: Option<Box<Expression>>,
}

/// An expression and where it stands.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// What an expression is.
#[derive(Debug)]
pub(super) enum Kind {
    None,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Name(String),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    /// `-` or `+`.
    Sign(char, Box<Expression>),
    /// Arithmetic.
    Binary(&'static str, Box<(Expression, Expression)>),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
    /// `a < b <= c`
    Compare(Box<Expression>, Vec<(&'static str, Expression)>),
    /// `a ~ b`
    Concat(Vec<Expression>),
    /// `a if b else c`: test, then, else.
    Conditional(Box<(Expression, Expression, Option<Expression>)>),
    Attribute(Box<Expression>, String),
    Item(Box<(Expression, Expression)>),
    Slice(Box<[Option<Expression>; 3]>),
    Call(Box<Expression>, Arguments),
    Filter(Box<Expression>, Box<Applied>),
    Test(Box<Expression>, Box<Applied>),
}

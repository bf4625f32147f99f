//! [`Connections`]: every connection there is, with what its fields come to.

use indexmap::IndexMap;

use super::connection::{Connection, shown};
use super::declared::{Declared, Text, Written};
use super::dotenv::Dotenv;
use super::environment::{plain_variable, variable_of, word};
use super::kind::{AUTH_MODE, Kind};
use super::listed::{Listed, ListedField};
use super::problem::ConnectionProblem;
use crate::diagnostic::{Diagnostics, nearest, or_list};

/// The connections of all places. Nothing of it shows a secret but [`Connections::get`].
#[derive(Clone)]
pub struct Connections {
    /// By name; of each the declarations, those that win first.
    pub(super) declared: IndexMap<String, Vec<Declared>>,
    /// `.env` files, those that win first.
    pub(super) dotenv: Vec<Dotenv>,
    pub(super) variable: fn(&str) -> Option<String>,
    pub(super) looked: Vec<String>,
    pub(super) warnings: Diagnostics,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_list()
            .entries(self.declared.keys())
            .finish()
    }
}

impl Connections {
    /// What is not right, and hinders nothing.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The names of all that were declared in files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(String::as_str)
    }

    /// A variable of the environment, else of a `.env` file.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).or_else(|| {
            let mut files = self.dotenv.iter();
            files.find_map(|file| file.get(name).map(str::to_owned))
        })
    }

    /// A connection with all its values.
    ///
    /// # Errors
    /// When there is none of the name, or it has no value where it needs one.
    pub fn get(&self, name: &str) -> Result<Connection, ConnectionProblem> {
        let (declared, others) = self.find(name)?;
        let fields = self.fields(&declared, &others);
        complete(&declared, &fields)
    }

    /// All of them, as people may see them.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        self.names()
            .filter_map(|name| self.show(name).ok())
            .collect()
    }

    /// One of them, as people may see it.
    ///
    /// # Errors
    /// When there is none of the name.
    pub fn show(&self, name: &str) -> Result<Listed, ConnectionProblem> {
        let (declared, others) = self.find(name)?;
        let fields = self.fields(&declared, &others);
        let problem = complete(&declared, &fields).err();
        Ok(Listed {
            problem,
            name: declared.name.clone(),
            kind: declared.kind,
            origin: declared.origin.clone(),
            hidden: others.iter().map(|other| other.origin.clone()).collect(),
            fields: fields
                .into_iter()
                .map(|field| ListedField {
                    set: field.value.is_some(),
                    value: field
                        .value
                        .filter(|_| !field.secret)
                        .map(|value| shown(&value)),
                    name: field.name,
                    secret: field.secret,
                    variable: field.variable,
                })
                .collect(),
        })
    }

    /// The declaration that wins, and the others.
    fn find(&self, name: &str) -> Result<(Declared, Vec<Declared>), ConnectionProblem> {
        match self.declared.get(name).map(Vec::as_slice) {
            Some([first, others @ ..]) => Ok((first.clone(), others.to_vec())),
            _ => match self.whole_from_environment(name) {
                Some(found) => found.map(|declared| (declared, Vec::new())),
                None => Err(self.unknown(name)),
            },
        }
    }

    fn unknown(&self, name: &str) -> ConnectionProblem {
        let mut help: Vec<String> = nearest(name, self.names())
            .map(|near| format!("did you mean `{near}`?"))
            .into_iter()
            .collect();
        if help.is_empty() && !self.declared.is_empty() {
            help.push(format!(
                "there are {}",
                or_list(self.names()).replace(" or ", " and ")
            ));
        }
        help.push(format!(
            "`flowctl connection set {} --type TYPE` makes it; `flowctl connection import` takes Prompt Flow's files",
            word(name)
        ));
        let places = match self.looked.as_slice() {
            [] => String::new(),
            looked => format!("{} and ", looked.join(", ")),
        };
        help.push(format!(
            "it was looked for in {places}the variables `{}` and `{}`",
            plain_variable(name),
            variable_of(name, "type")
        ));
        ConnectionProblem {
            message: format!("there is no connection `{name}`"),
            help,
        }
    }

    /// The fields of a connection with what they come to.
    fn fields(&self, declared: &Declared, others: &[Declared]) -> Vec<Resolved> {
        let mut written = declared.fields.clone();
        for field in declared.kind.fields {
            if declared.field(field.name).is_none() {
                written.push(Written {
                    name: field.name.to_owned(),
                    secret: field.secret,
                    value: Text::Open,
                });
            }
        }
        written
            .into_iter()
            .map(|field| self.resolve(declared, others, field))
            .collect()
    }

    fn resolve(&self, declared: &Declared, others: &[Declared], field: Written) -> Resolved {
        let Written {
            name,
            secret,
            value,
        } = field;
        let override_name = variable_of(&declared.name, &name);
        if let Some(value) = self.variable(&override_name) {
            return Resolved {
                name,
                secret,
                value: Some(value).filter(|value| !value.is_empty()),
                variable: Some(override_name),
            };
        }
        let mut value = value;
        if value == Text::Open {
            // A secret goes with the service that it was saved for, and nowhere else.
            let donor = others.iter().filter(|other| other.kind == declared.kind);
            let mut same = donor.filter(|other| match (declared.address(), other.address()) {
                (Some(here), Some(there)) => here == there,
                (Some(_), None) => false,
                (None, _) => true,
            });
            let found = same.find_map(|other| {
                let field = other.field(&name)?;
                (field.value != Text::Open).then(|| field.value.clone())
            });
            value = found.unwrap_or(Text::Open);
        }
        let default = declared.kind.field(&name).and_then(|field| field.default);
        let (value, variable) = match value {
            Text::Plain(text) => (Some(text), None),
            Text::Variable(variable) => (
                self.variable(&variable).filter(|value| !value.is_empty()),
                Some(variable),
            ),
            Text::Open => (default.map(str::to_owned), None),
        };
        Resolved {
            name,
            secret,
            value,
            variable,
        }
    }
}

/// Whether the key of this type is left out where a token is used in its place.
fn known_secret(kind: &Kind) -> bool {
    kind.field(AUTH_MODE).is_some()
}

struct Resolved {
    name: String,
    secret: bool,
    value: Option<String>,
    variable: Option<String>,
}

/// The connection, when nothing is missing.
fn complete(declared: &Declared, fields: &[Resolved]) -> Result<Connection, ConnectionProblem> {
    let kind = declared.kind;
    let name = &declared.name;
    let value_of = |key: &str| {
        let field = fields.iter().find(|field| field.name == key)?;
        field.value.as_deref()
    };
    let by_token = value_of(AUTH_MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("meid_token"));
    for field in fields {
        let known = kind.field(&field.name);
        // What a custom connection lists, it needs.
        let needed = known.is_none_or(|known| known.required) && !(by_token && field.secret);
        if field.value.is_some() || !needed {
            continue;
        }
        let what = if field.secret { "secret" } else { "field" };
        let own = variable_of(name, &field.name);
        return Err(match &field.variable {
            Some(variable) => ConnectionProblem {
                message: format!(
                    "the {what} `{}` of the connection `{name}` ({}) is in the variable `{variable}`, which is not set",
                    field.name, declared.origin
                ),
                help: vec![format!("set `{variable}`, in the environment or in `.env`")],
            },
            None => ConnectionProblem {
                message: format!(
                    "the connection `{name}` ({}) has no value for its {what} `{}`",
                    declared.origin, field.name
                ),
                help: vec![format!(
                    "`flowctl connection set {}` asks for it; or set the variable `{own}`",
                    word(name)
                )],
            },
        });
    }
    let pick = |secret: bool| {
        fields
            .iter()
            .filter(|field| field.secret == secret && !(secret && by_token && known_secret(kind)))
            .filter_map(|field| Some((field.name.clone(), field.value.clone()?)))
            .collect()
    };
    Ok(Connection {
        name: name.clone(),
        kind,
        configs: pick(false),
        secrets: pick(true),
        custom: declared.custom.clone(),
        origin: declared.origin.clone(),
    })
}

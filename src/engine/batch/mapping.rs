//! [`Mapping`]: which input of a line is which column.

use indexmap::IndexMap;
use serde_json::json;

use super::data::Row;
use super::results::Results;
use crate::flow::InputDecl;
use crate::value::{Object, Value};

/// Where the inputs of a line come from. What is not mapped is the flow's default; without one, the
/// column of the input's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping(IndexMap<String, Source>);

#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A column of the data.
    Data(String),
    /// An input of the same line of an earlier batch.
    RunInput(String),
    /// An output of it.
    RunOutput(String),
    Literal(String),
}

/// The lines of a batch, as the flow's input `rows`, and columns that no row has.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// `{line_number, inputs}` each.
    pub rows: Vec<Value>,
    /// What is wrong with the mapping, for all rows.
    pub missing: Vec<String>,
}

impl Mapping {
    /// Reads `NAME=${data.COLUMN}`, `NAME=${run.inputs.NAME}`, `NAME=${run.outputs.NAME}` and
    /// `NAME=text` pairs.
    ///
    /// # Errors
    /// A sentence fragment, for a pair that is none, and when no pair names a column.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut all = IndexMap::new();
        for pair in pairs {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(format!(
                    "`--map {pair}` has no `=`; write `--map 'NAME=${{data.COLUMN}}'`"
                ));
            };
            all.insert(name.trim().to_owned(), Source::read(value));
        }
        let literal = |source: &Source| matches!(source, Source::Literal(_));
        if !all.is_empty() && all.values().all(literal) {
            return Err(
                "the mapping holds fixed values only, so that all lines would be the same; write `--map 'NAME=${data.COLUMN}'`"
                    .to_owned(),
            );
        }
        Ok(Self(all))
    }

    /// Whether an earlier batch is asked for something.
    #[must_use]
    pub fn asks_run(&self) -> bool {
        let of_run = |source: &Source| matches!(source, Source::RunInput(_) | Source::RunOutput(_));
        self.0.values().any(of_run)
    }

    /// The lines: a row, or a line of the earlier batch that succeeded, or both, joined by number.
    #[must_use]
    pub fn lines(
        &self,
        data: Option<&[Row]>,
        earlier: Option<&Results>,
        inputs: &IndexMap<String, InputDecl>,
    ) -> Lines {
        let mut sources = self.0.clone();
        for (name, input) in inputs {
            if input.default.is_none() && !sources.contains_key(name) {
                sources.insert(name.clone(), Source::Data(name.clone()));
            }
        }
        let numbers: Vec<usize> = match (data, earlier) {
            (Some(rows), Some(earlier)) => rows
                .iter()
                .map(|row| row.number)
                .filter(|number| earlier.outputs_of(*number).is_some())
                .collect(),
            (Some(rows), None) => rows.iter().map(|row| row.number).collect(),
            (None, Some(earlier)) => earlier.succeeded().collect(),
            (None, None) => Vec::new(),
        };
        let columns: std::collections::HashMap<usize, &Object> = data
            .unwrap_or_default()
            .iter()
            .map(|row| (row.number, &row.columns))
            .collect();
        let mut found: IndexMap<&str, bool> =
            sources.keys().map(|name| (name.as_str(), false)).collect();
        let mut rows = Vec::with_capacity(numbers.len());
        for number in numbers {
            let mut line = Object::new();
            for (name, source) in &sources {
                let value = match source {
                    Source::Literal(text) => Some(Value::String(text.clone())),
                    Source::Data(column) => columns
                        .get(&number)
                        .and_then(|columns| columns.get(column))
                        .cloned(),
                    Source::RunInput(name) => earlier
                        .and_then(|earlier| earlier.inputs_of(number))
                        .and_then(|inputs| inputs.get(name))
                        .cloned(),
                    Source::RunOutput(name) => earlier
                        .and_then(|earlier| earlier.outputs_of(number))
                        .and_then(|outputs| outputs.get(name))
                        .cloned(),
                };
                // A line that lacks it fails by itself, and says what is missing.
                if let Some(value) = value {
                    found[name.as_str()] = true;
                    line.insert(name.clone(), value);
                }
            }
            line.retain(|name, _| inputs.contains_key(name));
            for (name, input) in inputs {
                if let (Some(default), false) = (&input.default, sources.contains_key(name)) {
                    line.insert(name.clone(), default.clone());
                }
            }
            rows.push(json!({ "line_number": number, "inputs": line }));
        }
        let missing = found
            .into_iter()
            .filter(|(_, found)| !found)
            .map(|(name, _)| format!("`{name}` = `{}`", sources[name].text()))
            .collect();
        Lines { rows, missing }
    }
}

impl Source {
    /// A whole reference; anything else is text.
    fn read(value: &str) -> Self {
        let inner = value
            .strip_prefix("${")
            .and_then(|text| text.strip_suffix('}'));
        let Some(inner) = inner else {
            return Self::Literal(value.to_owned());
        };
        for (prefix, make) in [
            ("data.", Self::Data as fn(String) -> Self),
            ("run.inputs.", Self::RunInput),
            ("run.outputs.", Self::RunOutput),
        ] {
            if let Some(name) = inner.strip_prefix(prefix) {
                return make(name.to_owned());
            }
        }
        Self::Literal(value.to_owned())
    }

    fn text(&self) -> String {
        match self {
            Self::Data(name) => format!("${{data.{name}}}"),
            Self::RunInput(name) => format!("${{run.inputs.{name}}}"),
            Self::RunOutput(name) => format!("${{run.outputs.{name}}}"),
            Self::Literal(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_references_name_columns_and_everything_else_is_text() {
        let mapping = Mapping::parse(["x=${data.a b}", "t=T-${data.x}", "y=${run.outputs.y}"]);
        let mapping = mapping.unwrap();
        assert_eq!(mapping.0["x"], Source::Data("a b".to_owned()));
        assert_eq!(mapping.0["t"], Source::Literal("T-${data.x}".to_owned()));
        assert!(mapping.asks_run());
        assert!(Mapping::parse(["x=1", "y=2"]).is_err());
        assert!(Mapping::parse(["x"]).is_err());
        assert_eq!(Mapping::parse([]), Ok(Mapping::default()));
    }
}

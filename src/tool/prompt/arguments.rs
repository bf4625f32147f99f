//! [`Args`]: what a call is given.

use super::raised::Raised;
use super::value::Py;

/// The arguments of a call.
#[derive(Clone, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Py>,
    pub(super) keyword: Vec<(String, Py)>,
}

impl Args {
    pub(super) fn of(positional: Vec<Py>) -> Self {
        Self {
            positional,
            keyword: Vec::new(),
        }
    }

    /// Gives each parameter its argument; the first `required` ones must have one.
    pub(super) fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<Py>; N], Raised> {
        let given = self.positional.len();
        if given > N {
            return Err(Raised::type_error(format!(
                "{function}() takes at most {N} arguments, {given} were given"
            )));
        }
        let mut positional = self.positional.into_iter();
        let mut bound: [Option<Py>; N] = std::array::from_fn(|_| positional.next());
        for (name, value) in self.keyword {
            let Some(at) = names.iter().position(|known| *known == name) else {
                return Err(Raised::type_error(format!(
                    "{function}() got an unexpected keyword argument '{name}'"
                )));
            };
            if bound[at].replace(value).is_some() {
                return Err(Raised::type_error(format!(
                    "{function}() got multiple values for argument '{name}'"
                )));
            }
        }
        for (name, value) in names.iter().zip(&bound).take(required) {
            if value.is_none() {
                return Err(Raised::type_error(format!(
                    "{function}() missing 1 required positional argument: '{name}'"
                )));
            }
        }
        Ok(bound)
    }

    /// For functions that take no keywords and any number of arguments.
    pub(super) fn only_positional(self, function: &str) -> Result<Vec<Py>, Raised> {
        match self.keyword.first() {
            None => Ok(self.positional),
            Some((name, _)) => Err(Raised::type_error(format!(
                "{function}() got an unexpected keyword argument '{name}'"
            ))),
        }
    }
}

/// An integer argument.
pub(super) fn int(value: &Py) -> Result<i128, Raised> {
    value.defined()?;
    value.as_int().ok_or_else(|| {
        Raised::type_error(format!(
            "'{}' object cannot be interpreted as an integer",
            value.type_name()
        ))
    })
}

/// An integer argument, or what stands for it.
pub(super) fn int_or(value: Option<&Py>, default: i128) -> Result<i128, Raised> {
    value.map_or(Ok(default), int)
}

/// A size: what is negative is nothing.
pub(super) fn size_or(value: Option<&Py>, default: usize) -> Result<usize, Raised> {
    let Some(value) = value else {
        return Ok(default);
    };
    Ok(usize::try_from(int(value)?.max(0)).unwrap_or(usize::MAX))
}

/// A text argument.
pub(super) fn text(value: &Py) -> Result<&str, Raised> {
    value.defined()?;
    value
        .as_str()
        .ok_or_else(|| Raised::type_error(format!("must be str, not {}", value.type_name())))
}

/// Whether an argument is given and true.
pub(super) fn flag(value: Option<&Py>) -> bool {
    value.is_some_and(Py::is_true)
}

//! [`Scope`]: variables, and those around them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::value::Py;

/// Variables of a template, a loop, a macro or a `with`.
#[derive(Default)]
pub(super) struct Scope {
    variables: RefCell<HashMap<String, Py>>,
    around: Option<Rc<Self>>,
}

impl Scope {
    pub(super) fn inside(around: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self {
            variables: RefCell::default(),
            around: Some(Rc::clone(around)),
        })
    }

    pub(super) fn set(&self, name: &str, value: Py) {
        self.variables.borrow_mut().insert(name.to_owned(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<Py> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.variables.borrow().get(name) {
                return Some(value.clone());
            }
            scope = scope.around.as_deref()?;
        }
    }

    /// Forgets what it holds: a macro or a loop in it may refer back to it.
    pub(super) fn clear(&self) {
        self.variables.take();
    }
}

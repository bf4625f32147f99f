//! Renders the skill folders of this repository for the personas' tests.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::testing::NoHost;
use crate::contracts;
use crate::port::{Command, Completed, Failure, Host, Outcome};
use crate::value::Object;

/// A host that renders from `skills/` and does nothing else.
pub(super) struct SkillHost;

// The personas know nothing of the registry; only here, where they are tested with the real skills.
static SKILLS: LazyLock<crate::tool::Registry> = LazyLock::new(|| {
    let library = crate::tool::Library::live(Path::new(env!("CARGO_MANIFEST_DIR")));
    crate::tool::Registry::new(library, Vec::new(), contracts::schema)
});

impl Host for SkillHost {
    fn render(&self, skill: &str, inputs: &Object) -> Result<Outcome, Failure> {
        SKILLS.render(skill, inputs)
    }

    fn staged_paths(&self) -> Result<Vec<String>, Failure> {
        NoHost.staged_paths()
    }

    fn staged_file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        NoHost.staged_file(path)
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        NoHost.scratch()
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        NoHost.run(command)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> String {
        NoHost.now()
    }
}

//! [`Engine`]: what every command starts from.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use jiff::Timestamp;

use super::away::Distance;
use super::compiled::Compiled;
use super::error::Error;
use super::secrets::SecretsFile;
use crate::diagnostic::Diagnostics;
use crate::flow::Part;
use crate::plan::Plan;
use crate::store::{Content, Layout, RunDir, SkillFiles, Snapshot};
use crate::tool::http::Web;
use crate::tool::{Contracts, Library, Registration, Registry, Surroundings};
use crate::value::Digest;

/// Who is at the keyboard, and where.
#[derive(Clone, Debug)]
pub struct Who {
    /// The operating-system user.
    pub user: String,
    /// The host name.
    pub host: String,
}

/// Where things lie, what tools there are, and how to ask for time and environment.
#[derive(Clone)]
pub struct Engine {
    /// The workspace.
    pub layout: Layout,
    /// The personas inside the program.
    pub personas: Vec<Registration>,
    /// The named contracts.
    pub contracts: Contracts,
    /// Who is at the keyboard.
    pub who: Who,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// Secrets that are not in the environment.
    pub secrets: SecretsFile,
    /// Who signs evidence; nobody when there is no key.
    pub signer: Option<Arc<crate::evidence::Signer>>,
    /// Reads an environment variable.
    pub variable: fn(&str) -> Option<String>,
    /// What code beside flows needs of the world.
    pub surroundings: Surroundings,
    /// How Restate is reached.
    pub distance: Distance,
}

/// A time in the precision of the journal.
pub(super) fn in_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

impl Engine {
    /// The time, in the precision of the journal.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        in_millis((self.clock)())
    }

    /// A registry over the workspace and the binary.
    #[must_use]
    pub fn live_registry(&self) -> Registry {
        Registry::new(
            Library::live(self.layout.workspace()),
            self.personas.clone(),
            self.contracts,
        )
        .surrounded(Surroundings {
            workspace: self.layout.workspace().to_owned(),
            ..self.surroundings.clone()
        })
        .reaching(Web::new(self.variable, self.clock))
    }

    /// Compiles a flow file as it is now; warnings come with the result.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(&self, path: &str) -> Result<(Compiled, Diagnostics), Diagnostics> {
        let registry = self.live_registry();
        let mut problems = Diagnostics::default();
        let plan = compile_with(&registry, path, &mut problems);
        match plan {
            Some(plan) => {
                let snapshot = Snapshot {
                    selection: self.surroundings.selection.clone(),
                    ports: registry.known(),
                    ..snapshot_of(path, registry.library())
                };
                Ok((Compiled::new(plan, registry, snapshot), problems))
            }
            None => Err(problems),
        }
    }

    /// Compiles what a run was started with, or last adopted.
    ///
    /// # Errors
    /// A snapshot that is gone, damaged or of another version.
    pub fn compile_kept(&self, run: &RunDir, digest: Digest) -> Result<Compiled, Error> {
        self.compile_snapshot(Snapshot::load(run, digest)?)
    }

    /// Compiles a snapshot.
    ///
    /// # Errors
    /// One of another version.
    pub(super) fn compile_snapshot(&self, snapshot: Snapshot) -> Result<Compiled, Error> {
        let flows = snapshot
            .flows
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
            .collect();
        let skills = snapshot
            .skills
            .iter()
            .map(|(name, skill)| {
                let files = skill
                    .files
                    .iter()
                    .map(|(path, content)| (path.clone(), content.bytes()))
                    .collect();
                (
                    name.clone(),
                    crate::tool::FoundSkill {
                        origin: skill.origin.clone(),
                        files,
                    },
                )
            })
            .collect();
        let registry = Registry::new(
            Library::kept(flows, skills),
            self.personas.clone(),
            self.contracts,
        )
        .surrounded(Surroundings {
            workspace: self.layout.workspace().to_owned(),
            processes: match snapshot.selection.part {
                // Whoever takes a batch up again takes it up at full speed.
                Part::Lines => std::thread::available_parallelism().map_or(1, NonZero::get),
                Part::Whole | Part::Node(_) => self.surroundings.processes,
            },
            selection: snapshot.selection.clone(),
            ..self.surroundings.clone()
        })
        .knowing(&snapshot.ports)
        .reaching(Web::new(self.variable, self.clock));
        let mut problems = Diagnostics::default();
        let plan = compile_with(&registry, &snapshot.root, &mut problems);
        match plan {
            Some(plan) => Ok(Compiled::new(plan, registry, snapshot)),
            None => Err(Error::Invalid(problems)),
        }
    }
}

fn compile_with(registry: &Registry, path: &str, problems: &mut Diagnostics) -> Option<Plan> {
    let source = match registry.library().flow(path) {
        Ok(bytes) => match crate::yaml::decode(path, bytes) {
            Ok(source) => source,
            Err(broken) => {
                problems.extend(broken);
                return None;
            }
        },
        Err(message) => {
            let source = Arc::new(crate::diagnostic::Source::new(path, ""));
            let code = crate::diagnostic::Code::FileUnreadable;
            problems.push(
                crate::diagnostic::Diagnostic::error(
                    code,
                    format!("cannot read the flow: {message}"),
                    &source,
                    crate::diagnostic::Span::default(),
                )
                .help("`flowctl init` writes the example flow `flows/infra-product.yaml`"),
            );
            return None;
        }
    };
    Plan::compile(&source, registry, problems)
}

fn snapshot_of(root: &str, library: &Library) -> Snapshot {
    let (flows, skills) = library.given();
    let flows = flows
        .into_iter()
        .map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned()))
        .collect();
    let skills = skills
        .into_iter()
        .map(|(name, found)| {
            let files: BTreeMap<String, Content> = found
                .files
                .into_iter()
                .map(|(path, bytes)| (path, Content::new(bytes)))
                .collect();
            (
                name,
                SkillFiles {
                    origin: found.origin,
                    files,
                },
            )
        })
        .collect();
    Snapshot {
        root: root.to_owned(),
        flows,
        skills,
        ..Snapshot::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tool::{FoundSkill, Library};

    /// What people and machines write into flow files, right and wrong.
    const WORDS: &[&str] = &[
        "${",
        "}",
        "{{",
        "}}",
        "{%",
        "%}",
        "$${",
        "${{",
        ".output",
        "[",
        "]",
        "[?@.x",
        "['",
        "\"",
        "'",
        "&a ",
        "*a ",
        "<<: ",
        "!!",
        "!x ",
        "|\n",
        ">\n",
        "\t",
        "---\n",
        "...\n",
        "#",
        ": ",
        "- ",
        "\n  ",
        "\n",
        "é",
        "\u{feff}",
        "\0",
        "nodes:",
        "inputs:",
        "${inputs.x}",
        "${n.output.y[0]}",
        "${nodes.n.outputs}",
        "when: ",
        "foreach: ",
        "{}",
        "[]",
        "null",
        "approval: {}",
        "type: flow\n  flow: f.yaml",
        "after: [n]",
        "999999999999999999999",
        "on_error: n",
    ];

    fn corpus() -> Vec<String> {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut found = Vec::new();
        for dir in ["flows", "examples", "examples/sub-flow"] {
            for entry in std::fs::read_dir(format!("{root}/{dir}"))
                .into_iter()
                .flatten()
                .flatten()
            {
                if entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "yaml")
                {
                    found.extend(std::fs::read_to_string(entry.path()));
                }
            }
        }
        assert!(found.len() > 5, "the examples are there");
        found.sort();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(600), ..ProptestConfig::default() })]

        /// Whatever is done to a flow file, the answer is a plan or diagnostics whose places are
        /// inside the file; drawing and rendering them never panics either.
        #[test]
        fn damaged_files_give_diagnostics(
            which in any::<prop::sample::Index>(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, any::<prop::sample::Index>()), 1..6),
        ) {
            let corpus = corpus();
            let mut text = which.get(&corpus).clone();
            for (at, cut, word) in edits {
                let start = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.ceil_char_boundary((start + cut % 20).min(text.len()));
                let insert = if cut % 2 == 0 { *word.get(WORDS) } else { "" };
                text.replace_range(start..end, insert);
            }
            let flows = BTreeMap::from([("f.yaml".to_owned(), text.clone().into_bytes())]);
            let library = Library::kept(flows, BTreeMap::<String, FoundSkill>::new());
            let registry = Registry::new(library, Vec::new(), |_| None);
            let mut problems = Diagnostics::default();
            let plan = compile_with(&registry, "f.yaml", &mut problems);
            prop_assert!(plan.is_some() || problems.has_errors());
            for problem in &problems {
                prop_assert!(problem.primary.span.start <= problem.primary.source.text.len() + 1);
                prop_assert!(!problem.message.is_empty());
            }
            if let Some(plan) = plan {
                for format in [crate::plan::Format::Text, crate::plan::Format::Dot, crate::plan::Format::Mermaid] {
                    prop_assert!(!plan.show(format).is_empty() || plan.root().nodes.is_empty());
                }
            }
        }
    }
}

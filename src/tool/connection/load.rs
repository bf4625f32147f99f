//! [`Connections::load`]: the places where connections are looked for, and in which order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::declared::Declared;
use super::dotenv::Dotenv;
use super::file::{Trust, connections, read, shown};
use super::found::Connections;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};

/// Where connections are looked for. Making one reads nothing.
#[derive(Clone, Debug)]
pub struct LoadFrom {
    /// Files and folders that were named (`--connections`), the first before the others.
    pub given: Vec<PathBuf>,
    /// The workspace.
    pub workspace: PathBuf,
    /// The folder of the flow.
    pub flow: Option<PathBuf>,
    /// The user's own file.
    pub user: Option<PathBuf>,
    /// Reads an environment variable.
    pub variable: fn(&str) -> Option<String>,
}

impl LoadFrom {
    /// The user's own file, by the variables that say where such files are.
    #[must_use]
    pub fn user_file(variable: fn(&str) -> Option<String>) -> Option<PathBuf> {
        let config = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let home = || {
            Some(PathBuf::from(variable("HOME").filter(|home| !home.is_empty())?).join(".config"))
        };
        Some(config.or_else(home)?.join("flowctl/connections.yaml"))
    }

    fn bases(&self) -> Vec<&Path> {
        let flow = self.flow.as_deref().filter(|flow| *flow != self.workspace);
        std::iter::once(self.workspace.as_path())
            .chain(flow)
            .collect()
    }
}

impl Connections {
    /// Reads every place. A flow without connections has no need of it.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn load(from: &LoadFrom) -> Result<Self, Diagnostics> {
        let mut loader = Loader {
            all: Self {
                declared: IndexMap::new(),
                dotenv: Vec::new(),
                variable: from.variable,
                looked: Vec::new(),
                warnings: Diagnostics::default(),
            },
            problems: Diagnostics::default(),
        };
        for path in &from.given {
            if path.is_dir() {
                loader.folder(path);
            } else {
                loader.file(path, Trust::Given);
            }
        }
        for base in from.bases() {
            loader.file(&base.join(".flowctl/connections.yaml"), Trust::Found);
            loader.file(&base.join("connections.yaml"), Trust::Found);
            loader.folder(&base.join("connections"));
        }
        if let Some(user) = &from.user {
            loader.file(user, Trust::Private);
        }
        // The flow's own says more about the flow.
        for base in from.bases().into_iter().rev() {
            loader.dotenv(&base.join(".env"));
        }
        let Loader { mut all, problems } = loader;
        if problems.has_errors() {
            return Err(problems);
        }
        all.warnings.extend(problems);
        Ok(all)
    }
}

struct Loader {
    all: Connections,
    problems: Diagnostics,
}

impl Loader {
    /// The files of a folder, by name.
    fn folder(&mut self, path: &Path) {
        let Ok(entries) = std::fs::read_dir(path) else {
            return;
        };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                matches!(extension, Some("yaml" | "yml" | "json"))
                    && !path
                        .file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
            })
            .collect();
        files.sort();
        self.all.looked.push(format!("`{}/`", shown(path)));
        let mut seen: IndexMap<String, (Arc<Source>, Span)> = IndexMap::new();
        for file in files {
            let Some((source, found)) = self.read(&file, Trust::Found) else {
                continue;
            };
            self.add(&source, found, &mut seen);
        }
    }

    fn file(&mut self, path: &Path, trust: Trust) {
        self.all.looked.push(format!("`{}`", shown(path)));
        if let Some((source, found)) = self.read(path, trust) {
            self.add(&source, found, &mut IndexMap::new());
        }
    }

    fn read(&mut self, path: &Path, trust: Trust) -> Option<(Arc<Source>, Vec<Declared>)> {
        let contents = match read(path, trust) {
            Ok(contents) => contents?,
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        let found = connections(&contents.source, &mut self.problems);
        if contents.exposed && found.iter().any(Declared::tells) {
            let unseen = Arc::new(Source::new(contents.source.path.clone(), ""));
            self.problems.push(
                Diagnostic::warning(
                    Code::ExposedConnections,
                    "the file has a secret in it, and others may read it",
                    &unseen,
                    Span::default(),
                )
                .help(format!(
                    "`chmod 600 {}`; or write `${{env:NAME}}` and keep the secret elsewhere",
                    unseen.path
                )),
            );
        }
        Some((contents.source, found))
    }

    /// Within one place a name stands once; further places are behind it.
    fn add(
        &mut self,
        source: &Arc<Source>,
        found: Vec<Declared>,
        seen: &mut IndexMap<String, (Arc<Source>, Span)>,
    ) {
        for declared in found {
            if let Some((other, span)) = seen.get(&declared.name) {
                let unseen = Arc::new(Source::new(source.path.clone(), ""));
                let line = other.position(span.start).line;
                self.problems.push(
                    Diagnostic::error(
                        Code::DuplicateConnection,
                        format!(
                            "the connection `{}` is here (line {}) and in `{}` (line {line})",
                            declared.name,
                            source.position(declared.span.start).line,
                            other.path
                        ),
                        &unseen,
                        Span::default(),
                    )
                    .help("remove one of them, or give it another name"),
                );
                continue;
            }
            seen.insert(declared.name.clone(), (Arc::clone(source), declared.span));
            let all = self.all.declared.entry(declared.name.clone()).or_default();
            all.push(declared);
        }
    }

    fn dotenv(&mut self, path: &Path) {
        match read(path, Trust::Found) {
            Ok(None) => {}
            Ok(Some(contents)) => {
                let known = self.all.clone();
                let (found, wrong) =
                    Dotenv::parse(&contents.source.text, &|name| known.variable(name));
                for line in wrong {
                    let unseen = Arc::new(Source::new(contents.source.path.clone(), ""));
                    self.problems.push(
                        Diagnostic::warning(
                            Code::BadValue,
                            format!("line {line} is not `NAME=value`"),
                            &unseen,
                            Span::default(),
                        )
                        .help("it is left out; a quote may be open"),
                    );
                }
                self.all.dotenv.push(found);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }
}

//! [`Failure`]: why a command stops, with its exit code.

use super::exit::Exit;
use super::output::Output;
use super::render;
use crate::diagnostic::Diagnostics;
use crate::{engine, evidence, store};

/// Why a command stops.
#[derive(Debug)]
pub(super) enum Failure {
    /// A message, perhaps with help.
    Message {
        exit: Exit,
        message: String,
        help: Option<String>,
    },
    /// What is wrong with the user's files.
    Diagnostics(Diagnostics),
    /// Nobody reads stdout any more, which is no error.
    BrokenPipe,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Message {
            exit,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::USAGE, message)
    }

    pub(super) fn help(self, text: impl Into<String>) -> Self {
        match self {
            Self::Message { exit, message, .. } => Self::Message {
                exit,
                message,
                help: Some(text.into()),
            },
            other => other,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Message { exit, .. } => *exit,
            Self::Diagnostics(_) => Exit::INVALID,
            Self::BrokenPipe => Exit::SUCCESS,
        }
    }

    pub(super) fn show(&self, output: &mut Output) -> Exit {
        match self {
            Self::Message { message, help, .. } => {
                output.say(&format!("error: {message}"));
                if let Some(help) = help {
                    output.say(&format!("help: {help}"));
                }
            }
            Self::Diagnostics(problems) => output.say_styled(render::text(problems).trim_end()),
            Self::BrokenPipe => {}
        }
        self.exit()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::new(Exit::UNEXPECTED, format!("cannot write to stdout: {error}"))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let message = error.to_string();
        match error {
            store::Error::NoSuchRun(_) => Self::usage(message),
            store::Error::Exists(_) => Self::usage(message).help("resume it, or give another `--run-id`"),
            store::Error::Locked { run, .. } => Self::new(Exit::LOCKED, message).help(format!("wait for it to end, or follow it with `flowctl logs {run} -f`")),
            store::Error::Diverged { .. } => Self::new(Exit::UNEXPECTED, message).help("nothing was changed; run it with the version of flowctl that began it"),
            store::Error::Damaged { .. } | store::Error::NotItsName { .. } => Self::new(Exit::UNEXPECTED, message)
                .help("nothing was changed; restore the file from a copy, for example the one in the run's evidence bundle"),
            store::Error::NewerFormat { .. } => Self::new(Exit::UNEXPECTED, message).help("use the newer flowctl that wrote it; nothing was changed"),
            store::Error::Writer(_) => Self::new(Exit::UNEXPECTED, message).help("what was acknowledged is safe; make room and resume the run"),
            store::Error::Io { source, .. } => {
                let failure = Self::new(Exit::UNEXPECTED, message);
                match what_to_do(source.kind()) {
                    Some(help) => failure.help(help),
                    None => failure,
                }
            }
        }
    }
}

/// What a person can do about a file system that refuses.
fn what_to_do(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind;
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "nothing that was acknowledged is lost; make room, then do the same again"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "nothing was changed; give the user who runs flowctl the right to write there, or choose another `--workspace`"
        }
        _ => return None,
    })
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Invalid(problems) => Self::Diagnostics(problems),
            engine::Error::Store(error) => error.into(),
            engine::Error::Refused(message) => Self::new(Exit::REFUSED, message),
            engine::Error::Evidence(error) => error.into(),
            engine::Error::Secrets(_) => Self::usage(error.to_string())
                .help("set the variables, or give `--secrets-file`; every node waits for them, so that none prints one unseen"),
            engine::Error::Away(_) => Self::new(Exit::UNEXPECTED, error.to_string())
                .help("`flowctl worker --doctor` looks at all that has to work for it, and says what to do"),
            engine::Error::Output { .. } => Self::new(Exit::UNEXPECTED, error.to_string()).help(
                "nothing was changed; put the file back from a copy: the evidence bundle of an ended run has it in `outputs/`",
            ),
            other => Self::new(Exit::UNEXPECTED, other.to_string()),
        }
    }
}

impl From<evidence::Error> for Failure {
    fn from(error: evidence::Error) -> Self {
        let message = error.to_string();
        match error {
            evidence::Error::Store(error) => error.into(),
            evidence::Error::Damaged { .. } | evidence::Error::Changed { .. } => {
                Self::new(Exit::UNEXPECTED, message).help(
                    "`flowctl evidence rebuild` makes it again from the journals, and keeps what is there now for whoever has to explain it; then resume the run",
                )
            }
            evidence::Error::Shortened { journal, longer, .. } => {
                Self::new(Exit::UNEXPECTED, message).help(match longer {
                    Some(longer) => format!(
                        "nothing was changed; the journal lost its end: `{longer}` has more of it, see that it is intact with `flowctl evidence verify`, and copy it to `{journal}`"
                    ),
                    None => format!(
                        "nothing was changed; the journal lost its end: put `{journal}` back from a copy"
                    ),
                })
            }
            evidence::Error::Unsigned { .. } => Self::new(Exit::UNEXPECTED, message)
                .help("give the same `--signing-key` again, or `flowctl evidence rebuild`"),
            evidence::Error::Run { .. } => Self::new(Exit::UNEXPECTED, message),
        }
    }
}

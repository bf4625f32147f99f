//! [`Output`]: the two streams. The only home of printing.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::printable::{printable, printable_json};

/// stdout for data, stderr for people.
#[derive(Debug)]
pub(super) struct Output {
    program: String,
    workspace: PathBuf,
    stdout: io::Stdout,
    stderr: io::Stderr,
    /// Whether stderr may carry colours, asked once: a run says a line for each of its nodes.
    choice: anstream::ColorChoice,
}

/// Whether stderr may carry colours.
pub(super) fn colours() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

impl Output {
    pub(super) fn new(program: String, workspace: PathBuf) -> Self {
        Self {
            program,
            workspace,
            stdout: io::stdout(),
            stderr: io::stderr(),
            choice: anstream::AutoStream::choice(&io::stderr()),
        }
    }

    /// Writes text for people, and a newline, to stdout.
    pub(super) fn data(&mut self, text: &str) -> io::Result<()> {
        self.line(&printable(text))
    }

    /// Writes JSON, and a newline, to stdout.
    pub(super) fn json(&mut self, text: &str) -> io::Result<()> {
        self.line(&printable_json(text))
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        let mut stdout = self.stdout.lock();
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Writes what others have printed to stdout: as it is, unless a person looks on.
    pub(super) fn foreign(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.stdout.is_terminal() {
            return self.bytes(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        self.bytes(printable(&text).as_bytes())
    }

    /// Writes bytes of our own as they are to stdout.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = self.stdout.lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Tells people something on stderr.
    pub(super) fn say(&mut self, text: &str) {
        self.say_styled(&printable(text));
    }

    /// The same for text that has colours, and in which everything else is [`printable`] already.
    pub(super) fn say_styled(&mut self, text: &str) {
        let mut stderr = anstream::AutoStream::new(self.stderr.lock(), self.choice);
        // When stderr is gone there is nobody to tell.
        stderr.write_all(format!("{text}\n").as_bytes()).ok();
    }

    /// Whether a person looks at stderr.
    pub(super) fn live(&self) -> bool {
        self.stderr.is_terminal()
    }

    /// What to type for a command of this program, as it was called this time.
    pub(super) fn next(&self, arguments: &str) -> String {
        let workspace = if self.workspace == Path::new(".") {
            String::new()
        } else {
            format!(" --workspace {}", quote(&self.workspace.to_string_lossy()))
        };
        format!("{}{workspace} {arguments}", quote(&self.program))
    }
}

/// Quotes a word for a shell, when it needs it.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | '@' | '=' | ',')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

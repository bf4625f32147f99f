//! [`Death`]: what ended a process, for the calls that it took with it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use crate::port::Failure;

/// The end of standard error that is kept.
pub(super) const STDERR_TAIL: usize = 64 * 1024;
/// How much of it is shown.
const LINES: usize = 5;
const LONGEST: usize = 500;

/// What is known of the end of a process.
#[derive(Clone, Debug)]
pub(super) struct Death {
    pub(super) interpreter: String,
    /// The version of a Python that is too old.
    pub(super) too_old: Option<String>,
    /// What it sent instead of an answer.
    pub(super) garbage: Option<String>,
    /// Whether only its pipe had ended, and it was ended for that.
    pub(super) closed: bool,
    pub(super) status: Option<ExitStatus>,
    /// Whether it was to end anyway.
    pub(super) retired: bool,
    pub(super) tail: String,
}

impl Death {
    /// The failure of a call that was in the process.
    pub(super) fn failure(&self) -> Failure {
        if let Some(version) = &self.too_old {
            return Failure::new(format!(
                "`{}` is Python {version}, and flowctl needs 3.9 or newer",
                self.interpreter
            ))
            .help("say which Python with `--python`, or make a `.venv` beside the flow");
        }
        let mut message = self.cause();
        if let Some(place) = crashed_at(&self.tail) {
            message.push_str("\n  in ");
            message.push_str(&place);
        }
        let lines = last_lines(&self.tail);
        if !lines.is_empty() {
            message.push('\n');
            message.push_str(&lines);
        }
        let failure = Failure::new(message);
        match self.signal() {
            _ if self.closed || self.garbage.is_some() => {
                failure.help("a tool must not write to, or close, descriptors that it did not open")
            }
            Some(9) if !self.retired => failure.help(
                "somebody ended it, or the system was out of memory (`dmesg` tells); \
                 `FLOWCTL_PYTHON_MEMORY` sets a limit that fails one call instead",
            ),
            _ => failure,
        }
    }

    fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }

    fn cause(&self) -> String {
        if let Some(garbage) = &self.garbage {
            return format!(
                "its Python process was ended: something wrote {garbage} into the pipe to flowctl"
            );
        }
        if self.closed {
            return "its Python process was ended: something closed the pipe to flowctl".to_owned();
        }
        if self.retired {
            return "its Python process was ended, because another call in it did not stop when it was told to".to_owned();
        }
        match (self.signal(), self.status.and_then(|status| status.code())) {
            (Some(number), _) => {
                format!("its Python process was ended by {}", signal_name(number))
            }
            (None, Some(code)) => format!("its Python process exited with code {code}"),
            (None, None) => "its Python process ended".to_owned(),
        }
    }
}

/// Where the interpreter says that it was: `file:line in function`.
fn crashed_at(tail: &str) -> Option<String> {
    let fatal = &tail[tail.find("Fatal Python error:")?..];
    // Other threads come before it and behind it.
    let after = &fatal[fatal.find("Current thread")?..];
    let frames = || {
        let lines = after.lines().skip(1).map(str::trim);
        lines
            .take_while(|line| line.starts_with("File "))
            .filter(|line| !line.contains("\"<flowctl_worker"))
    };
    // Where the author can do something, if there is such a place.
    let library = |line: &&str| line.contains("/lib/python") || line.contains("site-packages");
    let frame = frames()
        .find(|line| !library(line))
        .or_else(|| frames().next())?;
    let (file, rest) = frame.strip_prefix("File \"")?.split_once('"')?;
    let (line, function) = rest.strip_prefix(", line ")?.split_once(" in ")?;
    Some(format!("{file}:{line} in {function}"))
}

/// The numbers of these are the same everywhere.
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {number}"),
    };
    format!("signal {number} ({name})")
}

fn last_lines(text: &str) -> String {
    // The stacks of threads that have nothing to do with it say nothing.
    let text = text.find("Fatal Python error:").map_or(text, |at| {
        &text[..text[at..].find('\n').map_or(text.len(), |end| at + end)]
    });
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES)..]
        .iter()
        .map(|line| match line.char_indices().nth(LONGEST) {
            Some((cut, _)) => format!("  {}…", &line[..cut]),
            None => format!("  {line}"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(raw: i32, tail: &str) -> Death {
        Death {
            interpreter: "python3".to_owned(),
            too_old: None,
            garbage: None,
            closed: false,
            status: Some(ExitStatus::from_raw(raw)),
            retired: false,
            tail: tail.to_owned(),
        }
    }

    #[test]
    fn a_crash_says_where() {
        let tail = "before\nFatal Python error: Segmentation fault\n\nThread 0x1 (most recent call first):\n  File \"/w/b.py\", line 1 in g\n\nCurrent thread 0x2 (most recent call first):\n  File \"/usr/lib/python3.11/ctypes/__init__.py\", line 519 in string_at\n  File \"/w/t.py\", line 4 in f\n  File \"<flowctl_worker.calls>\", line 9 in x\n\nThread 0x3 (most recent call first):\n  File \"/w/c.py\", line 1 in h\n\nExtension modules: a\n";
        insta::assert_snapshot!(death(11, tail).failure().message, @r"
        its Python process was ended by signal 11 (SIGSEGV)
          in /w/t.py:4 in f
          before
          Fatal Python error: Segmentation fault
        ");
    }

    #[test]
    fn an_exit_and_a_kill() {
        insta::assert_snapshot!(death(3 << 8, "bye\n").failure().message, @r"
        its Python process exited with code 3
          bye
        ");
        let killed = death(9, "").failure();
        assert!(
            killed
                .help
                .is_some_and(|help| help.contains("out of memory"))
        );
    }
}

//! Who is at the keyboard; the one place that reads the environment.

use crate::engine::Who;

/// Reads an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one home of the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The operating-system user and the host.
pub(super) fn who() -> Who {
    let uid = rustix::process::getuid().as_raw();
    // The user database is asked, not `$USER`, which anybody may set.
    let user = std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
            })
        })
        .unwrap_or_else(|| format!("uid:{uid}"));
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Who { user, host }
}

/// Keeps what this process was given to itself: without it, every program that it starts could read its
/// variables, and so the secrets among them, from `/proc`. The system's administrator still can.
pub(super) fn keep_to_itself() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where it is not possible, it is as it always was.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn what_it_was_given_is_not_to_be_read() {
        super::keep_to_itself();
        let found = dumpable_behavior().expect("it is known");
        assert_eq!(found, DumpableBehavior::NotDumpable);
    }
}

//! [`Left`]: the sessions that people have left, until they would have ended. A cookie is signed and says
//! itself until when it holds, so that somebody who kept a copy could go on with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;

use super::session::Session;
use super::state::WebError;
use crate::engine::private_folder;
use crate::store::{Error, replace_private};

/// The sessions that people have left.
pub(super) struct Left {
    path: PathBuf,
    /// What tells the session apart, and until when it would have lasted.
    known: Mutex<HashMap<String, Timestamp>>,
}

impl Left {
    /// Those of before, which are kept beside the server's keys.
    pub(super) fn load(dir: &Path) -> Result<Self, WebError> {
        private_folder(dir)?;
        let path = dir.join("left-sessions");
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read", &path)(error).into()),
        };
        let line = |line: &str| {
            let (nonce, until) = line.split_once(' ')?;
            Some((nonce.to_owned(), until.parse().ok()?))
        };
        Ok(Self {
            known: Mutex::new(text.lines().filter_map(line).collect()),
            path,
        })
    }

    /// Whether somebody has left it.
    pub(super) fn holds(&self, session: &Session) -> bool {
        let known = self.known.lock().expect("no holder panics");
        known.contains_key(&session.nonce)
    }

    /// Notes that somebody leaves it; on disk when this returns, so that a restart does not bring it back.
    ///
    /// # Errors
    /// I/O; it is left all the same, for as long as the server runs.
    pub(super) fn add(&self, session: &Session, now: Timestamp) -> Result<(), Error> {
        let mut known = self.known.lock().expect("no holder panics");
        known.retain(|_, until| *until > now);
        known.insert(session.nonce.clone(), session.until);
        let lines = known
            .iter()
            .map(|(nonce, until)| format!("{nonce} {until}\n"));
        let text: Vec<String> = lines.collect();
        replace_private(&self.path, text.concat().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn what_was_left_stays_so_over_a_restart_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let serve = dir.path().join("serve");
        let now = Timestamp::UNIX_EPOCH;
        let session = |nonce: &str, hours| Session {
            user: "ada".to_owned(),
            token: None,
            until: now + SignedDuration::from_hours(hours),
            nonce: nonce.to_owned(),
        };
        let left = Left::load(&serve).unwrap();
        left.add(&session("a", 1), now).unwrap();
        assert!(left.holds(&session("a", 1)) && !left.holds(&session("b", 1)));
        let again = Left::load(&serve).unwrap();
        assert!(again.holds(&session("a", 1)));
        // What has ended by itself needs no remembering.
        again
            .add(&session("b", 9), now + SignedDuration::from_hours(2))
            .unwrap();
        let text = std::fs::read_to_string(serve.join("left-sessions")).unwrap();
        assert_eq!(text, "b 1970-01-01T09:00:00Z\n");
        // A line that somebody broke is none.
        std::fs::write(
            serve.join("left-sessions"),
            "x\nb never\nc 1970-01-01T09:00:00Z",
        )
        .unwrap();
        let again = Left::load(&serve).unwrap();
        assert!(again.holds(&session("c", 9)) && !again.holds(&session("b", 9)));
    }
}

//! [`RunIndex`]: which runs there are, remembered. What is in it is derived from the folder of runs, and is
//! looked up again whenever that folder may have changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::error::Error;
use super::layout::{Layout, RunDir};
use crate::id::RunId;

/// Two changes of a folder so close to each other may leave it with one time.
const TICK: Duration = Duration::from_secs(1);

/// Which runs there are in a workspace, newest first.
#[derive(Debug, Default)]
pub struct RunIndex(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// When the folder was last changed, as it was last read; none when that does not say enough.
    changed: Option<SystemTime>,
    /// When each run began.
    begun: HashMap<RunId, SystemTime>,
    runs: Arc<Vec<RunDir>>,
}

impl RunIndex {
    /// All runs that have a journal, newest first, as [`Layout::all_runs`] gives them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn runs(&self, layout: &Layout, now: SystemTime) -> Result<Arc<Vec<RunDir>>, Error> {
        let dir = layout.runs();
        let mut known = self.0.lock().expect("no holder panics");
        let changed = match std::fs::metadata(&dir).and_then(|found| found.modified()) {
            Ok(changed) => changed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                *known = Remembered::default();
                return Ok(Arc::default());
            }
            Err(error) => return Err(Error::io("read the folder", &dir)(error)),
        };
        if known.changed == Some(changed) {
            return Ok(Arc::clone(&known.runs));
        }
        let ids = layout.run_ids()?;
        let all = ids.len();
        let mut begun = HashMap::with_capacity(all);
        for id in ids {
            let at = match known.begun.get(&id) {
                Some(at) => Some(*at),
                None => layout.begun(&id),
            };
            if let Some(at) = at {
                begun.insert(id, at);
            }
        }
        if begun != known.begun {
            let found = begun.iter().map(|(id, at)| (*at, layout.run(id)));
            known.runs = Arc::new(Layout::newest_first(found.collect()));
        }
        // A run whose journal is yet to appear changes its own folder with that, and not this one.
        let says_enough =
            begun.len() == all && now.duration_since(changed).is_ok_and(|since| since > TICK);
        known.begun = begun;
        known.changed = says_enough.then_some(changed);
        Ok(Arc::clone(&known.runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_is_there_however_it_came_and_went() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let index = RunIndex::default();
        // Long after whatever the test does, and right then.
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        let right_then = SystemTime::UNIX_EPOCH;
        let ids = |now| -> Vec<String> {
            let runs = index.runs(&layout, now).unwrap();
            let is = layout.all_runs().unwrap();
            let paths =
                |runs: &[RunDir]| -> Vec<_> { runs.iter().map(|run| run.path.clone()).collect() };
            assert_eq!(paths(&runs), paths(&is));
            runs.iter().map(|run| run.id.to_string()).collect()
        };
        assert!(ids(later).is_empty());
        let make = |id: &str| {
            let run = layout.run(&RunId::parse(id).unwrap());
            std::fs::create_dir_all(&run.path).unwrap();
            run
        };
        let begin = |run: &RunDir| std::fs::write(run.journal(), "").unwrap();
        let first = make("first");
        assert!(ids(later).is_empty(), "it has no journal yet");
        begin(&first);
        assert_eq!(ids(later), ["first"]);
        for at in 0..20 {
            let run = make(&format!("r{at}"));
            assert_eq!(ids(right_then).len(), at + 1);
            begin(&run);
            assert_eq!(ids(right_then).len(), at + 2);
        }
        std::fs::write(layout.runs().join("a file"), "").unwrap();
        std::fs::create_dir(layout.runs().join(".hidden")).unwrap();
        std::fs::remove_dir_all(&first.path).unwrap();
        assert_eq!(ids(right_then).len(), 20);
        // What is remembered is asked again only when there may be something new.
        let (one, other) = (
            index.runs(&layout, later).unwrap(),
            index.runs(&layout, later).unwrap(),
        );
        assert!(Arc::ptr_eq(&one, &other));
        std::fs::remove_dir_all(layout.runs()).unwrap();
        assert!(ids(later).is_empty());
    }
}

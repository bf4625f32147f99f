//! A bundle without the folder around it: what it and its `history/` say of each other.

use std::collections::BTreeMap;

use super::super::bundle::{HISTORY, MANIFEST};
use super::super::index::open_object;
use super::super::record::text;
use super::Check;
use crate::value::Object;

impl Check<'_> {
    /// Verifies a bundle and those before it. The ledger, which names each of them, is not at hand.
    pub(super) fn alone(&mut self, files: &[String]) {
        let (before, own): (Vec<&String>, Vec<&String>) =
            files.iter().partition(|path| path.starts_with(HISTORY));
        self.bundle("", &own, None, &[]);
        let mut histories: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for path in before {
            match path[HISTORY.len()..].find('/') {
                Some(end) => {
                    let dir = &path[..=HISTORY.len() + end];
                    histories.entry(dir).or_default().push(path);
                }
                None => self.wrong(path, None, "it belongs to no bundle"),
            }
        }
        for (dir, files) in &histories {
            self.bundle(dir, files, None, &[]);
        }
        self.placed(histories.into_keys());
        self.report.notes.push(
            "a bundle alone does not say which runs about the same subject came before it: whether one is missing from `history/`, only the whole evidence folder tells"
                .to_owned(),
        );
    }

    /// Whether each earlier bundle lies where its own manifest says, and came earlier.
    fn placed<'d>(&mut self, dirs: impl Iterator<Item = &'d str>) {
        let Some(last) = self.stated_by("") else {
            return;
        };
        for dir in dirs {
            let Some(manifest) = self.stated_by(dir) else {
                continue;
            };
            let name = dir[HISTORY.len()..].trim_end_matches('/');
            let (run, subject) = (text(&manifest, "run"), text(&manifest, "subject"));
            let path = format!("{dir}{MANIFEST}");
            let slug = |subject: &str| crate::slug::Slug::of(subject).to_string();
            if run != name {
                let message = format!("it is of run `{}`", run.escape_debug());
                self.wrong(&path, None, message);
            } else if run == text(&last, "run") {
                let message = "it is of the run whose bundle lies at the top";
                self.wrong(&path, None, message);
            } else if slug(subject) != slug(text(&last, "subject")) {
                let message = format!("it is about `{}`", subject.escape_debug());
                self.wrong(&path, None, message);
            }
        }
    }

    fn stated_by(&mut self, dir: &str) -> Option<Object> {
        let bytes = self.good(&format!("{dir}{MANIFEST}"))?;
        open_object(&bytes).ok()
    }
}

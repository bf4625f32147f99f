//! Skills that were loaded before in this process: a skill is a function of its files, and parsing its
//! templates takes longer than rendering them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Skill;
use crate::diagnostic::Diagnostics;
use crate::tool::Contracts;
use crate::tool::library::FoundSkill;
use crate::value::Digest;

/// By the digest of what they were loaded from, the oldest first.
static LOADED: Mutex<VecDeque<(Digest, Arc<Skill>)>> = Mutex::new(VecDeque::new());
/// At most so many,
const MOST: usize = 32;
/// and none with more bytes.
const LARGEST: usize = 1024 * 1024;

/// Loads a skill, or gives the one that was loaded from the same files.
///
/// # Errors
/// All problems of its files; these are found anew each time.
pub(in crate::tool) fn loaded(
    name: &str,
    found: FoundSkill,
    contracts: Contracts,
) -> Result<Arc<Skill>, Diagnostics> {
    let bytes: usize = found.files.values().map(Vec::len).sum();
    if bytes > LARGEST {
        return Skill::load(name, found, contracts).map(Arc::new);
    }
    let loaded = || LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let digest = digest(name, &found, contracts);
    if let Some((_, skill)) = loaded().iter().find(|(of, _)| *of == digest) {
        return Ok(Arc::clone(skill));
    }
    let skill = Arc::new(Skill::load(name, found, contracts)?);
    let mut loaded = loaded();
    if loaded.len() >= MOST {
        loaded.pop_front();
    }
    loaded.push_back((digest, Arc::clone(&skill)));
    Ok(skill)
}

/// Of everything that loading looks at. Two functions at one address give the same contracts.
fn digest(name: &str, found: &FoundSkill, contracts: Contracts) -> Digest {
    let contracts = (contracts as usize).to_ne_bytes();
    let files = found.files.iter();
    let files = files.flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_slice()]);
    let all = [name.as_bytes(), found.origin.as_bytes(), &contracts];
    Digest::of_parts(all.into_iter().chain(files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Object, Value};

    fn found(origin: &str, template: &str) -> FoundSkill {
        let manifest = "name: t\nfiles:\n  - { source: a.tera, target: x }\n";
        let files = [("skill.yaml", manifest), ("a.tera", template)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        FoundSkill {
            origin: origin.to_owned(),
            files: files.into(),
        }
    }

    fn no_contracts(_: &str) -> Option<Value> {
        None
    }

    #[test]
    fn the_same_files_give_the_same_skill_and_others_another() {
        let load = |origin: &str, template: &str| {
            loaded("t", found(origin, template), no_contracts).unwrap()
        };
        let first = load("skills/t", "one");
        assert!(Arc::ptr_eq(&first, &load("skills/t", "one")));
        let elsewhere = load("builtin:skills/t", "one");
        assert_eq!(elsewhere.origin(), "builtin:skills/t");
        let edited = load("skills/t", "two").render(&Object::new()).unwrap();
        assert_eq!(edited.files[0].content, b"two");
    }

    #[test]
    fn problems_are_told_each_time() {
        let broken = || loaded("t", found("skills/t", "{{ 1 + }}"), no_contracts).unwrap_err();
        assert_eq!(broken().iter().count(), 1);
        assert_eq!(broken().iter().count(), 1);
    }
}

//! [`Folder`]: a folder of this machine as a store that writes once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::inventory::Object;
use super::target::Created;
use crate::store::{self, open_regular, sync_dir};
use crate::value::Digest;

/// What begins and ends the name of a file that is not whole yet.
const TEMPORARY: (&str, &str) = (".flowctl-", ".tmp");
/// When such a file belongs to nobody any more.
const STALE: Duration = Duration::from_hours(24);

/// A folder that is written to once.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at this path; it is made when the first file comes.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Refuses to export evidence into itself.
    pub(super) fn is_apart_from(&self, evidence: &Path) -> Result<(), Error> {
        let full = |path: &Path| -> io::Result<PathBuf> {
            // The folder need not be there yet: the nearest one that is decides.
            let absolute = std::path::absolute(path)?;
            let mut there = absolute.as_path();
            while let Some(parent) = there.parent().filter(|_| !there.exists()) {
                there = parent;
            }
            let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
            Ok(there.canonicalize()?.join(rest))
        };
        let (from, to) = full(evidence)
            .and_then(|from| Ok((from, full(&self.root)?)))
            .map_err(store::Error::io("look at", &self.root))?;
        if from.starts_with(&to) || to.starts_with(&from) {
            return Err(Error::Destination {
                message: format!(
                    "`{}` is not apart from the evidence in `{}`",
                    self.root.display(),
                    evidence.display()
                ),
                help: "give a folder elsewhere, best on another disk".to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn list(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut found = BTreeMap::new();
        let mut folders = vec![(self.root.clone(), String::new())];
        while let Some((dir, prefix)) = folders.pop() {
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound && prefix.is_empty() => break,
                Err(error) => return Err(store::Error::io("read the folder", &dir)(error).into()),
            };
            for entry in entries {
                let entry = entry.map_err(store::Error::io("read the folder", &dir))?;
                let path = entry.path();
                // Another exporter may have just finished with it.
                let Ok(data) = fs::metadata(&path) else {
                    continue;
                };
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                if name.starts_with('.') {
                    let ours = name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
                    let age = data.modified().ok().and_then(|at| at.elapsed().ok());
                    if ours && data.is_file() && age.is_some_and(|age| age > STALE) {
                        fs::remove_file(&path).ok();
                    }
                } else if data.is_dir() {
                    folders.push((path, format!("{prefix}{name}/")));
                } else {
                    found.insert(format!("{prefix}{name}"), data.len());
                }
            }
        }
        Ok(found)
    }

    pub(super) fn digest(&self, key: &str) -> Result<Option<Digest>, Error> {
        let path = self.root.join(key);
        match open_regular(&path).and_then(|mut file| Digest::of_reader(&mut file)) {
            Ok((digest, _)) => Ok(Some(digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(store::Error::io("read", &path)(error).into()),
        }
    }

    pub(super) fn create(&self, key: &str, object: &Object) -> Result<Created, Error> {
        let path = self.root.join(key);
        let parent = path.parent().unwrap_or(&self.root);
        let made: Vec<&Path> = parent.ancestors().take_while(|dir| !dir.exists()).collect();
        fs::create_dir_all(parent).map_err(store::Error::io("create the folder", parent))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
        {
            use std::os::unix::fs::PermissionsExt as _;
            // Nobody is to write to it again.
            builder.permissions(fs::Permissions::from_mode(0o444));
        }
        let mut file = builder
            .tempfile_in(parent)
            .map_err(store::Error::io("create a file in", parent))?;
        let copied = object
            .source
            .open()
            .and_then(|mut reader| {
                let mut copy = Copy {
                    from: &mut reader,
                    to: file.as_file_mut(),
                };
                Digest::of_reader(&mut copy)
            })
            .map_err(store::Error::io("write", &path))?;
        if copied != (object.digest, object.bytes) {
            return Ok(Created::Moved);
        }
        file.as_file()
            .sync_all()
            .map_err(store::Error::io("sync", &path))?;
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Ok(Created::Exists);
            }
            Err(error) => return Err(store::Error::io("create", &path)(error.error).into()),
        }
        sync_dir(parent)?;
        for parent in made.iter().filter_map(|dir| dir.parent()) {
            let here = parent.as_os_str().is_empty();
            sync_dir(if here { Path::new(".") } else { parent })?;
        }
        Ok(Created::New)
    }
}

/// A reader that writes down what it reads.
struct Copy<'a> {
    from: &'a mut dyn io::Read,
    to: &'a mut File,
}

impl io::Read for Copy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        io::Write::write_all(self.to, &buffer[..read])?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(dir.path().join("out"));
        assert!(folder.list().expect("nothing is there").is_empty());
        let object = |text: &str| Object::text(text.to_owned());
        let create = |text| folder.create("a/b/c", &object(text)).expect("it is tried");
        assert!(matches!(create("one"), Created::New));
        assert!(matches!(create("two"), Created::Exists));
        assert_eq!(
            folder.list().expect("a list"),
            [("a/b/c".to_owned(), 3)].into()
        );
        let digest = folder.digest("a/b/c").expect("it is read");
        assert_eq!(digest, Some(Digest::of(b"one")));
        assert_eq!(folder.digest("a/b/d").expect("it is looked for"), None);
    }

    #[test]
    fn what_changed_since_it_was_looked_at_is_not_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(dir.path().to_owned());
        let mut object = Object::text("one".to_owned());
        object.digest = Digest::of(b"two");
        let created = folder.create("a", &object).expect("it is tried");
        assert!(matches!(created, Created::Moved));
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn evidence_is_not_exported_into_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let evidence = dir.path().join("evidence");
        fs::create_dir(&evidence).expect("it is made");
        std::os::unix::fs::symlink(&evidence, dir.path().join("link")).expect("a link");
        for (name, apart) in [
            ("evidence", false),
            ("evidence/x/y", false),
            ("link/x", false),
            (".", false),
            ("out/evidence", true),
            ("evidence2", true),
        ] {
            let folder = Folder::new(dir.path().join(name));
            assert_eq!(folder.is_apart_from(&evidence).is_ok(), apart, "{name}");
        }
    }
}

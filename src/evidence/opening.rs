//! Opening the evidence folder to write: whether it is the one that was left here, and how far it goes.

use std::fs;

use super::Error;
use super::envelope;
use super::folder::{Folder, read};
use super::head::Head;
use super::index::{Grown, INDEX, INDEX_ENVELOPE, Index, LEDGER};
use super::ledger::Entry;
use super::lines::Lines;
use super::record::{self, Chain};
use crate::store::{Layout, open_regular_with};
use crate::value::Object;

impl Folder {
    /// Reads the index, and the end of the ledger; a folder that is not the one that was left here is
    /// refused, because whoever writes would make it so.
    pub(super) fn open(layout: &Layout) -> Result<Self, Error> {
        let folder = Self::found(layout)?;
        if let Some(head) = Head::read(layout) {
            let mut lines = Lines::open(&folder.root.join(LEDGER))?;
            let signed = folder.root.join(INDEX_ENVELOPE).exists();
            if let Some((path, message)) = head.judge(&folder.index, lines.as_mut(), signed)? {
                return Err(folder.changed(path, &message));
            }
        }
        Ok(folder)
    }

    fn found(layout: &Layout) -> Result<Self, Error> {
        let root = layout.evidence();
        let mut folder = Self::empty(&root);
        folder.layout = Some(layout.clone());
        let path = root.join(LEDGER);
        let Some(mut lines) = Lines::open(&path)? else {
            let nothing = fs::read_dir(&root).is_ok_and(|entries| {
                entries
                    .flatten()
                    .all(|entry| entry.file_name() == super::index::LOCK)
            });
            if nothing {
                return Ok(folder);
            }
            return Err(folder.changed(LEDGER, "it is missing, and other evidence is there"));
        };
        if let Some(bytes) = read(&root.join(INDEX))? {
            let index = Index::decode(&bytes).map_err(|message| folder.changed(INDEX, &message))?;
            folder.take(index);
        }
        folder.sealed(layout)?;
        let known = folder.index.ledger.clone();
        if let Some(record) = folder.tail(LEDGER, &mut lines, &known)? {
            let entry = Entry::of(&record);
            match entry.map(|entry| (entry.n == known.records).then_some(entry.ts)) {
                Ok(Some(ts)) => folder.last = Some(ts),
                _ => return Err(folder.differs(LEDGER)),
            }
        }
        let rest = lines.after(known.bytes)?;
        let chain = Chain::after(&rest, &known.head);
        let number =
            |line: usize| usize::try_from(known.records).map_or(line, |known| known + line);
        // A last line that does not end was never written to its end.
        if let Some((line, message)) = chain.broken
            && rest[chain.good..].contains(&b'\n')
        {
            return Err(folder.damaged(LEDGER, number(line), message));
        }
        if chain.good < rest.len() {
            let file = open_regular_with(fs::OpenOptions::new().write(true), &path);
            file.and_then(|file| {
                file.set_len(known.bytes + chain.good as u64)?;
                file.sync_all()
            })
            .map_err(crate::store::Error::io("cut the torn end of", &path))?;
        }
        // Whoever writes leaves one entry at most that the index does not know.
        if known.records == 0 && chain.records.len() > 1 {
            return Err(folder.changed(INDEX, "it is missing, and the ledger is there"));
        }
        for (at, record) in chain.records.iter().enumerate() {
            let entry = Entry::of(record)
                .map_err(|message| folder.damaged(LEDGER, number(at + 1), message))?;
            folder.pending.push(entry);
        }
        Ok(folder)
    }

    /// Refuses an index that is not the one that was signed: whoever writes would sign it anew.
    fn sealed(&self, layout: &Layout) -> Result<(), Error> {
        let Some(envelope) = read(&self.root.join(INDEX_ENVELOPE))? else {
            // A crash may have come before the signature. Whoever wrote until then has left the head as
            // it was; with this index in it, everything was there.
            let taken = Head::read(layout).is_none_or(|head| head.concluded(&self.index));
            return match self.index.keyid() {
                Some(key) if taken => {
                    let message = format!("it is missing, and the index says that {key} signed it");
                    Err(self.changed(INDEX_ENVELOPE, &message))
                }
                _ => Ok(()),
            };
        };
        // This build cannot check signatures; it cannot make one either.
        if cfg!(not(feature = "sign")) {
            return Ok(());
        }
        let Some(key) = envelope::signer_of(&envelope) else {
            return Err(self.changed(INDEX_ENVELOPE, "it is no envelope, or names no key"));
        };
        let index = read(&self.root.join(INDEX))?.unwrap_or_default();
        envelope::check(&envelope, &self.statement(&index, &key), &key)
            .map_err(|message| self.changed(INDEX_ENVELOPE, &message))
    }

    /// The last record that the index knows, if it is there and what the index says. What stands
    /// before it is not read: its hash covers that, so that a change there stays one, and
    /// verifying finds it.
    pub(super) fn tail(
        &self,
        path: &str,
        lines: &mut Lines,
        known: &Grown,
    ) -> Result<Option<Object>, Error> {
        if known.records == 0 {
            return Ok(None);
        }
        let line = lines.before(known.bytes)?.unwrap_or_default();
        match record::open(&line) {
            Ok(record) if record::text(&record, "hash") == known.head => Ok(Some(record)),
            _ => Err(self.differs(path)),
        }
    }
}

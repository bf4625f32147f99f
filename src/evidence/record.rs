//! Records in a chain: how node logs, decisions and the ledger are written.
//!
//! A record is one line of JSON whose last members are `prev_hash` and `hash`: SHA-256 over the
//! RFC 8785 form of the record without `hash`, chained per file from 64 zeros.

use std::io::BufRead;

use serde_json::{Value, json};

use super::index::Grown;
use crate::store::GENESIS;
use crate::value::{Digest, Object};

/// The hash before the first record.
pub(super) const FIRST: &str = GENESIS;

/// Chains a record to the one before: its line, newline included, and its hash.
pub(super) fn chain(mut record: Object, previous: &str) -> (Vec<u8>, String) {
    record.insert("prev_hash".to_owned(), json!(previous));
    let hash = Digest::of_json(&record).hex();
    record.insert("hash".to_owned(), json!(hash));
    let mut line = serde_json::to_vec(&record).expect("JSON becomes JSON");
    line.push(b'\n');
    (line, hash)
}

/// Reads a line, without its newline, and checks everything that it says of itself: only one text
/// stands for a record, so that no byte of it can change unseen.
pub(super) fn open(line: &[u8]) -> Result<Object, String> {
    let record: Value =
        serde_json::from_slice(line).map_err(|error| format!("it is no record: {error}"))?;
    let Value::Object(mut record) = record else {
        return Err("it is no record".to_owned());
    };
    // Spacing, order of keys, keys that stand twice, other spellings of the same text.
    if serde_json::to_vec(&record).ok().as_deref() != Some(line) {
        return Err("it is not as flowctl writes records".to_owned());
    }
    let Some(Value::String(hash)) = record.shift_remove("hash") else {
        return Err("it has no hash".to_owned());
    };
    if Digest::of_json(&record).hex() != hash {
        return Err("its hash does not match it".to_owned());
    }
    record.insert("hash".to_owned(), Value::String(hash));
    Ok(record)
}

/// A text member of a record.
pub(super) fn text<'a>(record: &'a Object, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A file of records as it was read: as many as are intact, and what is wrong with the next.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The records, each with its hash.
    pub(super) records: Vec<Object>,
    /// Bytes of the records that are intact.
    pub(super) good: usize,
    /// The first line that is not intact, from 1, and why.
    pub(super) broken: Option<(usize, String)>,
}

impl Chain {
    /// Reads and checks a whole file.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self::after(bytes, FIRST)
    }

    /// Reads and checks what follows a record with this hash; lines are counted from there.
    pub(super) fn after(bytes: &[u8], head: &str) -> Self {
        let mut chain = Self::default();
        let mut previous = head.to_owned();
        while chain.good < bytes.len() {
            let number = chain.records.len() + 1;
            let rest = &bytes[chain.good..];
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                chain.broken = Some((number, "it does not end".to_owned()));
                break;
            };
            let record = match open(&rest[..length]) {
                Ok(record) => record,
                Err(message) => {
                    chain.broken = Some((number, message));
                    break;
                }
            };
            if text(&record, "prev_hash") != previous {
                let message = "it does not follow the line before".to_owned();
                chain.broken = Some((number, message));
                break;
            }
            text(&record, "hash").clone_into(&mut previous);
            chain.records.push(record);
            chain.good += length + 1;
        }
        chain
    }
}

/// A file of records, read one by one.
pub(super) struct Records<R> {
    reader: R,
    line: Vec<u8>,
    /// How far it is read.
    pub(super) read: Grown,
}

impl<R: BufRead> Records<R> {
    /// Reads from the beginning.
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            read: Grown::default(),
        }
    }

    /// Reads the next line; `None` at the end.
    fn line(&mut self) -> Option<Result<(), String>> {
        self.line.clear();
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => return None,
            Ok(length) => {
                self.read.records += 1;
                self.read.bytes += length as u64;
            }
            Err(error) => return Some(Err(format!("it cannot be read: {error}"))),
        }
        Some(match self.line.pop() {
            Some(b'\n') => Ok(()),
            _ => Err("it does not end".to_owned()),
        })
    }

    /// The next record, checked with its place in the chain. After an error nothing more follows
    /// from the file; the number of the line is in `read.records`.
    pub(super) fn checked(&mut self) -> Option<Result<Object, String>> {
        let record = self
            .line()?
            .and_then(|()| open(&self.line))
            .and_then(|record| {
                if text(&record, "prev_hash") == self.read.head {
                    Ok(record)
                } else {
                    Err("it does not follow the line before".to_owned())
                }
            });
        if let Ok(record) = &record {
            text(record, "hash").clone_into(&mut self.read.head);
        }
        Some(record)
    }

    /// The next record of a file that was checked before.
    pub(super) fn trusted(&mut self) -> Option<Object> {
        self.line()?.ok()?;
        serde_json::from_slice(&self.line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut head = FIRST.to_owned();
        for n in 0..3 {
            let record = json!({ "n": n, "x": "é\n", "f": [1.5, 1e300, 0.1, {}] });
            let (line, hash) = chain(record.as_object().cloned().expect("an object"), &head);
            bytes.extend(line);
            head = hash;
        }
        bytes
    }

    #[test]
    fn every_byte_counts() {
        let good = sample();
        let read = Chain::read(&good);
        assert_eq!((read.records.len(), &read.broken), (3, &None));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let line = good[..at].split(|byte| *byte == b'\n').count();
                let found = Chain::read(&bad).broken;
                assert_eq!(
                    found.as_ref().map(|(line, _)| *line),
                    Some(line),
                    "byte {at}, bit {bit}"
                );
                let mut records = Records::new(&*bad);
                let streamed = std::iter::from_fn(|| records.checked()).find_map(Result::err);
                assert_eq!(streamed, found.map(|(_, message)| message));
                assert_eq!(records.read.records, line as u64);
            }
        }
    }

    #[test]
    fn lines_keep_their_order() {
        let good = sample();
        let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
        let broken = |lines: &[&[u8]]| Chain::read(&lines.concat()).broken.map(|(line, _)| line);
        assert_eq!(broken(&[lines[1], lines[0], lines[2]]), Some(1));
        assert_eq!(broken(&[lines[0], lines[2]]), Some(2));
        assert_eq!(broken(&[lines[0], lines[0], lines[1]]), Some(2));
        assert_eq!(broken(&[lines[0], b"\n", lines[1]]), Some(2));
    }

    #[test]
    fn a_record_has_one_spelling() {
        let (line, _) = chain(Object::new(), FIRST);
        let line = String::from_utf8(line).expect("text");
        assert!(open(line.trim_end().as_bytes()).is_ok());
        for other in [
            line.trim_end().replace(':', ": "),
            line.trim_end().replace('{', "{\"hash\":\"x\","),
            format!(" {}", line.trim_end()),
        ] {
            assert!(open(other.as_bytes()).is_err(), "{other}");
        }
    }
}

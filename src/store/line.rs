//! One line of the journal: its form on disk and the hash that chains it to the line before.
//!
//! `{"v":1,"seq":…,"ts":…,"run":…,"event":…,"round":…,"data":{…},"hash":"…"}`, where `hash` is
//! the SHA-256 over the 64 hex digits of the hash before (zeros for the first line), followed by
//! the raw bytes of the line up to `,"hash":`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::Error;
use super::scan::RecordRef;
use crate::value::Digest;

/// The major version of the format.
pub const FORMAT_VERSION: u64 = 1;
/// The hash before the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// `,"hash":"` + 64 digits + `"}`.
const TAIL: usize = 9 + 64 + 2;

#[derive(Serialize)]
struct Head<'a, T: ?Sized> {
    v: u64,
    seq: u64,
    ts: &'a Timestamp,
    run: &'a str,
    event: &'a str,
    round: u32,
    data: &'a T,
}

/// A parsed line; `data` borrows from it.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    pub(super) v: u64,
    pub(super) seq: u64,
    pub(super) ts: Timestamp,
    #[serde(borrow)]
    pub(super) run: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    pub(super) round: u32,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
    pub(super) hash: Cow<'a, str>,
}

impl Line<'_> {
    pub(super) fn record(&self) -> RecordRef<'_> {
        RecordRef {
            seq: self.seq,
            ts: self.ts,
            event: &self.event,
            round: self.round,
            data: self.data,
            hash: &self.hash,
        }
    }
}

/// What a new line says.
pub(super) struct Draft<'a, T: ?Sized> {
    pub(super) seq: u64,
    pub(super) ts: Timestamp,
    pub(super) run: &'a str,
    pub(super) event: &'a str,
    pub(super) round: u32,
    pub(super) data: &'a T,
}

/// Writes a line after what is there, newline included, and gives its hash. What cannot be written as JSON
/// leaves nothing.
pub(super) fn encode<T: Serialize + ?Sized>(
    draft: &Draft<'_, T>,
    previous: &str,
    into: &mut Vec<u8>,
) -> Result<String, Error> {
    let head = Head {
        v: FORMAT_VERSION,
        seq: draft.seq,
        ts: &draft.ts,
        run: draft.run,
        event: draft.event,
        round: draft.round,
        data: draft.data,
    };
    let begin = into.len();
    if let Err(error) = serde_json::to_writer(&mut *into, &head) {
        into.truncate(begin);
        let event = draft.event;
        return Err(Error::Writer(format!(
            "`{event}` cannot be written as JSON: {error}"
        )));
    }
    // The closing brace comes after the hash.
    into.pop();
    let hash = chain(previous, &into[begin..]);
    into.extend_from_slice(b",\"hash\":\"");
    into.extend_from_slice(hash.as_bytes());
    into.extend_from_slice(b"\"}\n");
    Ok(hash)
}

/// Parses a line, without its newline, and checks its hash.
pub(super) fn decode<'a>(bytes: &'a [u8], previous: &str) -> Result<Line<'a>, String> {
    let line: Line<'a> =
        serde_json::from_slice(bytes).map_err(|error| format!("not a record: {error}"))?;
    if bytes.len() < TAIL || !bytes[bytes.len() - TAIL..].starts_with(b",\"hash\":\"") {
        return Err("its hash is not at its end".to_owned());
    }
    let expected = chain(previous, &bytes[..bytes.len() - TAIL]);
    if line.hash != expected {
        return Err("its hash does not match it and the line before".to_owned());
    }
    Ok(line)
}

fn chain(previous: &str, body: &[u8]) -> String {
    let hasher = Digest::begin().and(previous.as_bytes()).and(body);
    hasher.end().hex()
}

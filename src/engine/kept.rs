//! [`Kept`]: values as they are kept on disk: in their record, or, when they are large, in a file that
//! the record names.

use serde_json::value::RawValue;

use super::error::Error;
use crate::id::RunId;
use crate::run::{External, Payload};
use crate::store::{self, Blobs, Places};
use crate::value::{Object, Value};

/// What was written down of a run.
pub(super) struct Kept<'a> {
    pub(super) run: &'a RunId,
    pub(super) places: &'a Places,
    pub(super) blobs: &'a Blobs,
}

/// Puts a value where it belongs: it stays, or goes to a file of its own and leaves null.
pub(super) fn place(
    raw: Box<RawValue>,
    blobs: &Blobs,
) -> Result<(Option<External>, Box<RawValue>), store::Error> {
    if raw.get().len() <= External::ABOVE {
        return Ok((None, raw));
    }
    let external = External {
        sha256: blobs.put(raw.get().as_bytes())?,
        bytes: raw.get().len() as u64,
    };
    Ok((Some(external), RawValue::NULL.to_owned()))
}

impl Kept<'_> {
    /// The event in a record.
    pub(super) fn payload(&self, seq: u64) -> Result<Payload, Error> {
        let record = self.places.load(seq)?;
        let bad = |message: String| Error::Record {
            seq,
            event: record.event.clone(),
            message,
        };
        Payload::parse(&record.event, &record.data)
            .map_err(|error| bad(error.to_string()))?
            .ok_or_else(|| bad("this version does not know its kind".to_owned()))
    }

    /// The value in a record: an output, items or inputs; and how many bytes of JSON it is.
    pub(super) fn value(&self, seq: u64) -> Result<(Value, usize), Error> {
        let payload = self.payload(seq)?;
        let word = payload.word();
        let bad = |message: String| Error::Record {
            seq,
            event: word.to_owned(),
            message,
        };
        let parse = |bytes: &[u8]| {
            let value = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
            Ok::<_, Error>((value, bytes.len()))
        };
        if let Some(external) = payload.external() {
            return parse(&self.file(&payload, external)?);
        }
        // Items and inputs have no text of their own any more; a node is as good a measure as any.
        let size = |count: usize| 64 * count;
        match payload {
            Payload::NodeSucceeded(data) => parse(data.output.get().as_bytes()),
            Payload::RunSucceeded(data) => Ok((
                Value::Object(data.outputs.clone()),
                size(data.outputs.len()),
            )),
            Payload::ForeachExpanded(data) => {
                let count = data.items.len();
                Ok((Value::Array(data.items), size(count)))
            }
            Payload::SubflowStarted(data) => {
                let count = data.inputs.len();
                Ok((Value::Object(data.inputs), size(count)))
            }
            _ => Err(bad("it holds no value".to_owned())),
        }
    }

    /// The outputs in the record of `run_succeeded`.
    pub(super) fn outputs(&self, seq: u64) -> Result<Object, Error> {
        Ok(match self.value(seq)?.0 {
            Value::Object(outputs) => outputs,
            _ => Object::new(),
        })
    }

    fn file(&self, payload: &Payload, external: External) -> Result<Vec<u8>, Error> {
        self.blobs.get(external.sha256).map_err(|error| {
            let message = match error {
                store::Error::Io { ref source, .. }
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    let path = self.blobs.path(external.sha256);
                    format!("`{}` is gone", path.display())
                }
                error => error.to_string(),
            };
            let of = match payload {
                Payload::NodeSucceeded(data) => format!("`{}`", data.node),
                _ => "the flow".to_owned(),
            };
            Error::Output {
                run: self.run.clone(),
                of,
                message,
            }
        })
    }
}

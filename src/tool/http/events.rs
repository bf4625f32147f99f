//! [`EventReader`]: server-sent events out of a stream of bytes.

/// The longest event, and the longest line, that is taken.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What it says it is; often nothing.
    pub event: String,
    /// Its `data:` lines.
    pub data: String,
}

/// An event is longer than anything that a server has reason to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Takes bytes as they come, gives events as they end: the grammar of the HTML standard.
#[derive(Debug, Default)]
pub struct EventReader {
    held: Vec<u8>,
    /// Up to here `held` has no line end.
    searched: usize,
    /// A `\r` ended the last line; a `\n` now belongs to it.
    after_return: bool,
    begun: bool,
    event: Event,
    has_data: bool,
}

impl EventReader {
    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next event that is whole.
    ///
    /// # Errors
    /// When it is too long.
    pub fn take(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    if self.has_data {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                    self.has_data = true;
                    if self.event.data.len() > MAX_EVENT {
                        return Err(TooLong);
                    }
                }
                "event" => value.clone_into(&mut self.event.event),
                // Comments, `id`, `retry`, and what is not known.
                _ => {}
            }
        }
        Ok(None)
    }

    /// Bytes that are no whole event: a server that went away in the middle.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        self.held.iter().all(u8::is_ascii_whitespace) && !self.has_data
    }

    fn line(&mut self) -> Result<Option<String>, TooLong> {
        if self.after_return && !self.held.is_empty() {
            self.after_return = false;
            if self.held[0] == b'\n' {
                self.held.remove(0);
            }
        }
        let end = self.held[self.searched..]
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'));
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.held.len();
            return if self.held.len() > MAX_EVENT {
                Err(TooLong)
            } else {
                Ok(None)
            };
        };
        let mut taken = end + 1;
        if self.held[end] == b'\r' {
            match self.held.get(taken) {
                Some(b'\n') => taken += 1,
                Some(_) => {}
                None => self.after_return = true,
            }
        }
        let line = String::from_utf8_lossy(&self.held[..end]).into_owned();
        self.held.drain(..taken);
        self.searched = 0;
        if std::mem::replace(&mut self.begun, true) {
            return Ok(Some(line));
        }
        Ok(Some(line.trim_start_matches('\u{feff}').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], size: usize) -> Result<Vec<Event>, TooLong> {
        let mut reader = EventReader::default();
        let mut events = Vec::new();
        for piece in text.chunks(size.max(1)) {
            reader.push(piece);
            while let Some(event) = reader.take()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    #[test]
    fn events_end_with_an_empty_line() {
        let text = "\u{feff}: hello\r\ndata: a\r\ndata:b\r\n\r\nevent: x\rdata\r\rid: 1\n\ndata: {\"é\": 1}\n\ndata: cut";
        let event = |event: &str, data: &str| Event {
            event: event.to_owned(),
            data: data.to_owned(),
        };
        let expected = [event("", "a\nb"), event("x", ""), event("", "{\"é\": 1}")];
        for size in 1..text.len() {
            assert_eq!(all(text.as_bytes(), size).unwrap(), expected, "{size}");
        }
        let mut reader = EventReader::default();
        reader.push(b"data: [DONE]\n\n");
        assert!(reader.take().unwrap().is_some() && reader.is_between_events());
        reader.push(b"data: cut");
        assert!(reader.take().unwrap().is_none() && !reader.is_between_events());
    }

    #[test]
    fn there_is_an_end_to_what_is_held() {
        assert_eq!(all(&vec![b'x'; MAX_EVENT + 1], 65536), Err(TooLong));
        let lines = b"data: 0123456789\n".repeat(MAX_EVENT / 10);
        assert_eq!(all(&lines, 65536), Err(TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "(data: ?|event:|:|\r|\n|\r\n|x|é){0,40}", size in 1..9_usize) {
            prop_assert_eq!(all(text.as_bytes(), size), all(text.as_bytes(), 1000));
        }
    }
}

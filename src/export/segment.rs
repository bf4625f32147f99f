//! Segments: a log that grows, as objects that do not.
//!
//! Each segment is named by the number of its first record, so that of two exporters that would
//! go on from the same record only one can, and segments never overlap. Joined in order they are
//! the log, byte for byte.

use std::fmt;

/// How many bytes a new segment has at most, unless one record alone is longer.
pub(super) const MOST: u64 = 16 * 1024 * 1024;

/// Some records of a log, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first record, from 1.
    pub(super) first: u64,
    /// Where it begins.
    pub(super) from: u64,
    /// Where it ends.
    pub(super) to: u64,
}

/// A segment that is there and is none of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// What its name says.
    pub(super) first: u64,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The one before it is missing, or overlaps it.
    Gap { expected: u64 },
    /// The log here is shorter, or has its lines elsewhere.
    Ends,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Gap { expected } => write!(
                formatter,
                "it begins at record {}, but record {expected} is the next one",
                self.first
            ),
            Why::Ends => write!(
                formatter,
                "it does not end where a record of the log here ends"
            ),
        }
    }
}

/// Cuts a log into segments: those that are there (first record and length, in order), and new
/// ones for the rest. `ends` holds where each record ends.
///
/// # Errors
/// When a segment that is there cannot be one of this log.
pub(super) fn segments(
    ends: &[u64],
    there: impl IntoIterator<Item = (u64, u64)>,
    most: u64,
) -> Result<Vec<Segment>, Mismatch> {
    let mut found = Vec::new();
    let (mut at, mut from) = (0, 0);
    for (first, bytes) in there {
        let expected = at as u64 + 1;
        if first != expected {
            let why = Why::Gap { expected };
            return Err(Mismatch { first, why });
        }
        let to = from + bytes;
        let Ok(last) = ends[at..].binary_search(&to) else {
            let why = Why::Ends;
            return Err(Mismatch { first, why });
        };
        found.push(Segment { first, from, to });
        at += last + 1;
        from = to;
    }
    while at < ends.len() {
        let fitting = ends[at..].partition_point(|end| end - from <= most);
        let next = at + fitting.max(1);
        let to = ends[next - 1];
        let first = at as u64 + 1;
        found.push(Segment { first, from, to });
        (at, from) = (next, to);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_segment_of_the_log_is_found() {
        let ends = [10, 20, 35];
        let found = |there: &[(u64, u64)]| segments(&ends, there.iter().copied(), 100);
        assert_eq!(found(&[(1, 20)]).expect("a segment").len(), 2);
        let gap = |first, expected| Mismatch {
            first,
            why: Why::Gap { expected },
        };
        assert_eq!(found(&[(2, 10)]), Err(gap(2, 1)));
        assert_eq!(found(&[(1, 10), (3, 15)]), Err(gap(3, 2)));
        assert_eq!(found(&[(1, 20), (2, 10)]), Err(gap(2, 3)));
        let ends = |first| Mismatch {
            first,
            why: Why::Ends,
        };
        assert_eq!(found(&[(1, 11)]), Err(ends(1)));
        assert_eq!(found(&[(1, 35), (4, 1)]), Err(ends(4)));
        assert_eq!(found(&[(1, 0)]), Err(ends(1)));
    }

    proptest! {
        /// However often a log is exported while it grows, its segments are its bytes in order, and
        /// none of them ever changes.
        #[test]
        fn segments_stay_as_they_are(
            lengths in prop::collection::vec(1_u64..40, 1..60),
            stops in prop::collection::vec(0_usize..60, 1..8),
            most in 1_u64..120,
        ) {
            let ends: Vec<u64> = lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end)
            }).collect();
            let mut stops: Vec<usize> = stops.into_iter().map(|stop| stop.min(ends.len())).collect();
            stops.push(ends.len());
            stops.sort_unstable();
            let mut there: Vec<Segment> = Vec::new();
            for stop in stops {
                let sizes = there.iter().map(|segment| (segment.first, segment.to - segment.from));
                let now = segments(&ends[..stop], sizes, most).expect("it is the same log");
                prop_assert_eq!(&now[..there.len()], &there[..]);
                let mut before = (0, 0);
                for segment in &now {
                    prop_assert_eq!(segment.from, before.0);
                    prop_assert_eq!(segment.first, before.1 + 1);
                    prop_assert!(segment.to > segment.from);
                    let records = ends.iter().filter(|end| (segment.from + 1..=segment.to).contains(*end)).count() as u64;
                    prop_assert!(segment.to - segment.from <= most || records == 1);
                    before = (segment.to, before.1 + records);
                }
                prop_assert_eq!(before.0, if stop == 0 { 0 } else { ends[stop - 1] });
                there = now;
            }
        }
    }
}

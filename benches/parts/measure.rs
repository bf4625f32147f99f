//! Measuring two sides in turn, and the report.
//!
//! Both sides of a row run in this process, one after the other, as often as asked: what else the
//! machine does then falls on both. The ratio of a row is the median of the ratios of its rounds.

use std::time::{Duration, Instant};

use nix::time::ClockId;
use serde_json::{Value, json};

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// Of all threads of this process.
    pub(crate) cpu: Duration,
}

/// Runs a piece of work.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Took, T) {
    let (begun, cpu) = (Instant::now(), process_cpu());
    let result = work();
    let took = Took {
        wall: begun.elapsed(),
        cpu: process_cpu().saturating_sub(cpu),
    };
    (took, result)
}

pub(crate) fn process_cpu() -> Duration {
    let time = ClockId::CLOCK_PROCESS_CPUTIME_ID
        .now()
        .expect("the kernel knows this clock");
    Duration::from(time)
}

/// The clock by which a row is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Work of the processor: what else the machine does then matters little.
    Cpu,
    /// Waiting for the disk.
    Wall,
}

/// One row of the report.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the floor does.
    pub(crate) floor: &'static str,
    pub(crate) by: By,
    /// How many things one round does, and what they are.
    pub(crate) units: (usize, &'static str),
    /// The largest ratio that is good enough.
    pub(crate) bar: Option<f64>,
    /// The largest time per unit that is good enough, in microseconds.
    pub(crate) limit: Option<f64>,
    pub(crate) ours: Vec<Took>,
    pub(crate) floors: Vec<Took>,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(name: &'static str, by: By, units: (usize, &'static str)) -> Self {
        Self {
            name,
            floor: "",
            by,
            units,
            bar: None,
            limit: None,
            ours: Vec::new(),
            floors: Vec::new(),
            note: String::new(),
        }
    }

    pub(crate) fn floor(mut self, floor: &'static str, bar: Option<f64>) -> Self {
        (self.floor, self.bar) = (floor, bar);
        self
    }

    fn pick(&self, took: &Took) -> f64 {
        match self.by {
            By::Cpu => took.cpu.as_secs_f64(),
            By::Wall => took.wall.as_secs_f64(),
        }
    }

    fn median(&self, of: &[Took]) -> Option<f64> {
        median(of.iter().map(|took| self.pick(took)).collect())
    }

    fn ratio(&self) -> Option<f64> {
        let ratios = self.ours.iter().zip(&self.floors);
        median(
            ratios
                .map(|(ours, floor)| self.pick(ours) / self.pick(floor).max(1e-9))
                .collect(),
        )
    }

    fn per_unit(&self, seconds: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let units = self.units.0.max(1) as f64;
        seconds * 1e6 / units
    }

    /// The row as text: per unit, the floor's, the ratio, whether it is good enough.
    pub(crate) fn text(&self) -> String {
        let shown = |seconds: Option<f64>| {
            seconds.map_or_else(|| "-".to_owned(), |seconds| micros(self.per_unit(seconds)))
        };
        let ratio = self.ratio();
        format!(
            "{:<34} {:<4} {:>12} {:>12} {:>7}  {:<9} {}",
            self.name,
            if self.by == By::Cpu { "cpu" } else { "wall" },
            format!("{}/{}", shown(self.median(&self.ours)), self.units.1),
            shown(self.median(&self.floors)),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
            self.verdict(),
            if self.note.is_empty() {
                self.floor
            } else {
                &self.note
            },
        )
    }

    fn verdict(&self) -> String {
        match self.holds() {
            None => "-".to_owned(),
            Some(holds) => {
                let bar = match (self.bar, self.limit) {
                    (Some(bar), _) => format!("{bar}x"),
                    (None, limit) => micros(limit.unwrap_or_default()),
                };
                format!("{}{bar}", if holds { "<= " } else { "> " })
            }
        }
    }

    fn holds(&self) -> Option<bool> {
        let ratio = self.bar.map(|bar| self.ratio().map(|ratio| ratio <= bar));
        let limit = self.limit.map(|limit| {
            let ours = self.median(&self.ours)?;
            Some(self.per_unit(ours) <= limit)
        });
        match (ratio.flatten(), limit.flatten()) {
            (None, None) => None,
            (ratio, limit) => Some(ratio.unwrap_or(true) && limit.unwrap_or(true)),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let times = |of: &[Took]| {
            let column = |pick: fn(&Took) -> Duration| {
                median(of.iter().map(|took| pick(took).as_secs_f64()).collect())
            };
            json!({ "wall": column(|took| took.wall), "cpu": column(|took| took.cpu), "rounds": of.len() })
        };
        json!({
            "name": self.name,
            "by": if self.by == By::Cpu { "cpu" } else { "wall" },
            "units": self.units.0,
            "unit": self.units.1,
            "flowctl": times(&self.ours),
            "floor": times(&self.floors),
            "floor_is": self.floor,
            "micros_per_unit": self.median(&self.ours).map(|seconds| self.per_unit(seconds)),
            "ratio": self.ratio(),
            "bar": self.bar,
            "limit_micros": self.limit,
            "holds": self.holds(),
            "note": self.note,
        })
    }
}

fn micros(micros: f64) -> String {
    match micros {
        micros if micros >= 10_000.0 => format!("{:.1}ms", micros / 1e3),
        micros if micros >= 10.0 => format!("{micros:.0}us"),
        micros => format!("{micros:.2}us"),
    }
}

/// The middle of some numbers.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.retain(|number| number.is_finite());
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        length if length % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}

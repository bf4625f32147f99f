//! Python's numbers: what casts between integers and floats mean.

use super::raised::Raised;
use super::value::Py;

/// The float of an integer; the nearest one when it has more digits than a float holds.
#[expect(
    clippy::cast_precision_loss,
    reason = "Python rounds large integers to the nearest float, too"
)]
pub(super) fn float(int: i128) -> f64 {
    int as f64
}

/// The integer that a float is, without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the fraction is cut off on purpose, and larger floats are refused before"
)]
pub(super) fn truncate(float: f64) -> Option<i128> {
    (float.is_finite() && float.abs() < 1.7e38).then_some(float as i128)
}

/// The integer that a float equals, if there is one.
pub(super) fn exact_int(float: f64) -> Option<i128> {
    (float.fract() == 0.0).then(|| truncate(float)).flatten()
}

/// A number as a float.
pub(super) fn as_float(value: &Py) -> Option<f64> {
    match value {
        Py::Float(value) => Some(*value),
        other => other.as_int().map(float),
    }
}

/// What is too large for us.
pub(super) fn too_large() -> Raised {
    Raised::new("OverflowError", "an integer of more than 128 bits")
        .help("Python has no such limit, but prompts hold no such numbers")
}

/// `round(value, digits)`: to the nearest, of two as near to the even one, by the decimal digits of
/// the exact value, as Python does.
pub(super) fn round(value: f64, digits: i128) -> f64 {
    if !value.is_finite() || digits > 330 {
        return value;
    }
    match usize::try_from(digits) {
        // Rust writes the exact value, rounded half to even.
        Ok(digits) => format!("{value:.digits$}").parse().unwrap_or(value),
        Err(_) if digits < -310 => 0.0 * value,
        Err(_) => {
            let scale = 10f64.powi(i32::try_from(-digits).unwrap_or(310));
            (value / scale).round_ties_even() * scale
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pythons() {
        assert_eq!(exact_int(3.0), Some(3));
        assert_eq!(exact_int(3.5), None);
        assert_eq!(truncate(-3.9), Some(-3));
        assert_eq!(truncate(f64::NAN), None);
        assert_eq!(truncate(1e300), None);
        for (value, digits, rounded) in [
            (2.5, 0, 2.0),
            (3.5, 0, 4.0),
            (2.675, 2, 2.67),
            (1234.0, -2, 1200.0),
            (1e300, 400, 1e300),
        ] {
            assert!((round(value, digits) - rounded).abs() < 1e-12, "{value}");
        }
    }
}

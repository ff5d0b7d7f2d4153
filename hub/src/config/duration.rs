//! Lengths of time as people write them: `500ms`, `60s`, `15m`, `12h`, `30d`.

use std::fmt;
use std::time::Duration;

const UNITS: [(&str, u64); 5] =
    [("d", 24 * 3_600_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number and a unit, one of ms, s, m, h, d, such as 15m")]
pub struct DurationError;

/// Reads a length of time.
///
/// # Errors
/// When it has no number, no unit, or is longer than can be counted.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| DurationError)?;
    let millis = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError)?.1;
    number.checked_mul(millis).map(Duration::from_millis).ok_or(DurationError)
}

/// Writes a length of time in the largest unit that divides it.
#[derive(Clone, Copy, Debug)]
pub struct Text(pub Duration);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (unit, size) = UNITS
            .into_iter()
            .find(|(_, size)| millis != 0 && millis.is_multiple_of(u128::from(*size)))
            .unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / u128::from(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_written_alike() {
        for text in ["0ms", "500ms", "1s", "90s", "15m", "12h", "30d"] {
            assert_eq!(Text(parse(text).unwrap()).to_string(), text);
        }
        assert_eq!(Text(parse("60s").unwrap()).to_string(), "1m");
        for text in ["", "15", "m", "1.5h", "-1s", "15 minutes", "1w", "99999999999999999d"] {
            assert_eq!(parse(text), Err(DurationError), "{text}");
        }
    }
}

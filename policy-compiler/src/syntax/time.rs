//! Points in time, as RFC 3339 writes them.

use super::decode::{Decode, Shape, text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

/// A point in time, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(pub u64);

impl Instant {
    /// Reads `2027-01-31T00:00:00Z` or the same with an offset (`+01:00`). A fraction of a second
    /// and a leap second are refused: an expiry does not need them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't'])?;
        let (time, zone) = rest.split_at_checked(8)?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let offset = match zone {
            "Z" | "z" => 0,
            zone => {
                let (sign, clock) = zone.split_at_checked(1)?;
                let [hours, minutes] = numbers(clock, ':', [2, 2])?;
                let seconds =
                    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
                match sign {
                    "+" => seconds,
                    "-" => -seconds,
                    _ => return None,
                }
            }
        };
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let seconds =
            days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
                - offset;
        u64::try_from(seconds).ok().filter(|_| valid).map(Self)
    }
}

impl std::fmt::Display for Instant {
    /// In UTC: `2027-01-31T00:00:00Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Numbers of exactly these lengths between separators.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, in the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let before_year = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let before_month: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    before_year + before_month + day - 1
}

/// Year, month and day of that many days after 1970-01-01.
fn date_of(days: u64) -> (i64, i64, i64) {
    let days = i64::try_from(days).unwrap_or(i64::MAX / 2);
    // 400 years have 146,097 days; the estimate is at most one year too high.
    let mut year = 1970 + days / 146_097 * 400 + days % 146_097 / 365;
    while days_since_epoch(year, 1, 1) > days {
        year -= 1;
    }
    let mut rest = days - days_since_epoch(year, 1, 1);
    let mut month = 1;
    while rest >= days_in_month(year, month) {
        rest -= days_in_month(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

impl Decode for Instant {
    fn shape() -> Shape {
        Shape::words("time (`2027-01-31T00:00:00Z`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let instant = Self::parse(text);
        if instant.is_none() {
            let message = format!("`{}` is not a time", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("write it as RFC 3339 does: `2027-01-31T00:00:00Z`"),
            );
        }
        instant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_rfc_3339_writes_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2027-01-15T08:00:00Z", Some(1_800_000_000)),
            ("2000-02-29T23:59:59Z", Some(951_868_799)),
            ("2027-01-15T09:00:00+01:00", Some(1_800_000_000)),
            ("2027-01-15T02:30:00-05:30", Some(1_800_000_000)),
            ("2027-02-29T00:00:00Z", None),
            ("2027-13-01T00:00:00Z", None),
            ("2027-01-15", None),
            ("2027-01-15T08:00:00", None),
            ("2027-01-15T08:00:60Z", None),
            ("2027-01-15T08:00:00.5Z", None),
            ("2027-1-15T08:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("90d", None),
        ] {
            assert_eq!(
                Instant::parse(text).map(|instant| instant.0),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_time_until_the_year_9999_survives_its_text(seconds in 0u64..253_402_300_800) {
            let text = Instant(seconds).to_string();
            prop_assert_eq!(Instant::parse(&text), Some(Instant(seconds)), "{}", text);
        }
    }
}

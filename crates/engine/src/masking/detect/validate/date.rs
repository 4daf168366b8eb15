//! Dates, as people write them.

/// A day and a month that there are, in a year from 1800 to 2099 or of two digits.
pub(super) fn is_date(candidate: &[u8]) -> bool {
    let is_digit = u8::is_ascii_digit;
    let mut groups = candidate
        .split(|byte| !is_digit(byte))
        .filter(|group| !group.is_empty());
    let has_month = candidate
        .windows(3)
        .any(|letters| letters.iter().all(u8::is_ascii_alphabetic));
    match (groups.next(), groups.next(), groups.next()) {
        (Some(day), Some(year), None) if has_month => is_day(day) && is_long_year(year),
        (Some(year), Some(month), Some(day)) if year.len() == 4 => {
            is_long_year(year) && is_month(month) && is_day(day)
        }
        (Some(one), Some(other), Some(year)) => {
            let either = is_day(one) && is_month(other) || is_month(one) && is_day(other);
            either && (year.len() == 2 || is_long_year(year))
        }
        (Some(all), None, None) if all.len() == 8 => {
            let (year, rest) = all.split_at_checked(4).unwrap_or_default();
            let (month, day) = rest.split_at_checked(2).unwrap_or_default();
            is_long_year(year) && is_month(month) && is_day(day)
        }
        _ => false,
    }
}

fn is_day(text: &[u8]) -> bool {
    (1..=31).contains(&super::prefix(text, 3))
}

fn is_month(text: &[u8]) -> bool {
    (1..=12).contains(&super::prefix(text, 3))
}

fn is_long_year(text: &[u8]) -> bool {
    text.len() == 4 && (1800..=2099).contains(&super::prefix(text, 4))
}

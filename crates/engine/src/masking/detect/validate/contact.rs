//! Addresses and telephone numbers.

use super::digits;

/// RFC 1035 §2.3.4: labels of 1 to 63 characters, 253 in all; a hyphen at neither end (RFC 1123 §2.1).
pub(super) fn is_email(candidate: &[u8]) -> bool {
    let mut parts = candidate.rsplitn(2, |&byte| byte == b'@');
    let domain = parts.next().unwrap_or_default();
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len()) && !label.starts_with(b"-") && !label.ends_with(b"-")
    };
    domain.len() <= 253
        && domain.split(|&byte| byte == b'.').all(is_label)
        && domain
            .rsplit(|&byte| byte == b'.')
            .next()
            .is_some_and(is_top_level_domain)
}

/// Letters, or a name in another script in its ASCII form (RFC 5890 §2.3.2.1).
fn is_top_level_domain(label: &[u8]) -> bool {
    label.len() >= 2 && label.iter().all(u8::is_ascii_alphabetic)
        || label
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
}

/// E.164 §6: at most 15 digits. Without `+` a number must be written as one: the pattern asks for groups
/// of 3, 3 and 4 digits or for a trunk prefix 0; the latter must keep to one separator, or it is a date,
/// and must not go on a number in groups, as in an ISBN. An extension does not count.
pub(super) fn is_phone(candidate: &[u8], before: &[u8]) -> bool {
    let mut parts = candidate.split(u8::is_ascii_alphabetic);
    let candidate = parts.next().unwrap_or_default().trim_ascii_end();
    let count = digits(candidate).count();
    let first = digits(candidate).next();
    if candidate.starts_with(b"+") {
        return (8..=15).contains(&count) && first != Some(0);
    }
    let goes_on = matches!(before, [.., b'0'..=b'9', b'-' | b'.' | b'/']);
    first != Some(0) || !goes_on && (9..=12).contains(&count) && has_one_separator(candidate)
}

/// Whether all separators between digits are the same, whatever stands around `)`.
fn has_one_separator(candidate: &[u8]) -> bool {
    let number = match candidate.iter().position(|&byte| byte == b')') {
        Some(closed) => candidate
            .get(closed + 1..)
            .unwrap_or_default()
            .trim_ascii_start(),
        None => candidate,
    };
    let is_closed = number.len() < candidate.len();
    let mut separators = number.iter().filter(|byte| !byte.is_ascii_digit());
    match separators.next() {
        Some(first) => !b"()".contains(first) && separators.all(|other| other == first),
        None => is_closed,
    }
}

/// E.164 §6 again, of a number that only a word of context makes one: a date is none.
pub(super) fn is_bare_phone(candidate: &[u8]) -> bool {
    (7..=15).contains(&digits(candidate).count()) && !super::date::is_date(candidate)
}

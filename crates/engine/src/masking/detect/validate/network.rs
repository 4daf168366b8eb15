//! Addresses of machines.

use std::net::Ipv6Addr;

use super::prefix;

pub(super) fn is_ipv4(candidate: &[u8]) -> bool {
    let is_octet = |octet: &[u8]| {
        (1..=3).contains(&octet.len())
            && (octet.len() == 1 || !octet.starts_with(b"0"))
            && prefix(octet, 3) <= 255
    };
    candidate.split(|&byte| byte == b'.').all(is_octet) && !candidate.ends_with(b".0.0.0")
}

/// Whether the text before a candidate ends in a word that announces a version.
pub(super) fn follows_version_word(before: &[u8]) -> bool {
    let is_separator = |byte: &u8| b" :=\"'/-._".contains(byte);
    let end = before
        .iter()
        .rposition(|byte| !is_separator(byte))
        .map_or(0, |last| last + 1);
    let words = before.get(..end).unwrap_or_default();
    let start = words
        .iter()
        .rposition(|byte| !byte.is_ascii_alphabetic())
        .map_or(0, |last| last + 1);
    let word = words.get(start..).unwrap_or_default();
    [
        b"version".as_slice(),
        b"ver",
        b"v",
        b"release",
        b"build",
        b"rev",
    ]
    .iter()
    .any(|version| version.eq_ignore_ascii_case(word))
}

/// RFC 4291 §2.2. A short one may as well be a name in code (`add::face`), so one that leaves groups out
/// must have a digit and two groups.
pub(super) fn is_ipv6(candidate: &[u8]) -> bool {
    let groups = candidate.split(|&byte| byte == b':');
    let has_digit = candidate.iter().any(u8::is_ascii_digit);
    has_digit
        && groups.filter(|group| !group.is_empty()).count() >= 2
        && std::str::from_utf8(candidate).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

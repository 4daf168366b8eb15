//! Checks on candidates, beyond what a pattern can say.
//!
//! Each looks at the candidate as the skeleton pattern delivers it, separators included.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tracegate_bundle::policy::Validator;

/// Whether `candidate` passes the check. `before` is what stands before it in the text.
pub(super) fn holds(validator: Validator, candidate: &[u8], before: &[u8]) -> bool {
    match validator {
        Validator::None => true,
        Validator::Email => is_email(candidate),
        Validator::PaymentCard => is_payment_card(candidate),
        Validator::Iban => is_iban(candidate),
        Validator::UsSsn => is_us_ssn(candidate),
        Validator::Phone => is_phone(candidate),
        Validator::Ipv4 => is_ipv4(candidate) && !follows_version_word(before),
        Validator::Jwt => is_jwt(candidate),
    }
}

fn digits(candidate: &[u8]) -> impl DoubleEndedIterator<Item = u8> + Clone {
    candidate
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .map(|byte| byte - b'0')
}

/// The value of the first `count` digits.
fn prefix(candidate: &[u8], count: usize) -> u32 {
    digits(candidate)
        .take(count)
        .fold(0, |value, digit| value * 10 + u32::from(digit))
}

/// RFC 1035 §2.3.4: labels of 1 to 63 characters, 253 in all; a hyphen at neither end (RFC 1123 §2.1).
fn is_email(candidate: &[u8]) -> bool {
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

/// ISO/IEC 7812-1: the issuers' ranges with their lengths, and Luhn.
fn is_payment_card(candidate: &[u8]) -> bool {
    let count = digits(candidate).count();
    let lengths = match prefix(candidate, 4) {
        // Visa
        4000..=4999 => return matches!(count, 13 | 16 | 19) && is_luhn(candidate),
        // American Express
        3400..=3499 | 3700..=3799 => 15..=15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => 14..=19,
        // JCB
        3528..=3589 => 16..=19,
        // Mir, Mastercard
        2200..=2204 | 2221..=2720 | 5100..=5599 => 16..=16,
        // Maestro, Discover, UnionPay, RuPay
        5000..=5099 | 5600..=6999 => 12..=19,
        _ => return false,
    };
    lengths.contains(&count) && is_luhn(candidate)
}

fn is_luhn(candidate: &[u8]) -> bool {
    let sum: u32 = digits(candidate)
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let weighted = u32::from(digit) * if place % 2 == 0 { 1 } else { 2 };
            weighted / 10 + weighted % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 13616-1: length by country, and the remainder of ISO/IEC 7064 MOD 97-10.
fn is_iban(candidate: &[u8]) -> bool {
    let characters = || candidate.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let mut country = characters().map(u8::to_ascii_uppercase);
    let (Some(first), Some(second)) = (country.next(), country.next()) else {
        return false;
    };
    if IBAN_LENGTHS
        .iter()
        .find(|(code, _)| *code == [first, second])
        .is_none_or(|&(_, length)| characters().count() != length)
    {
        return false;
    }
    let rearranged = characters().skip(4).chain(characters().take(4));
    let remainder = rearranged.fold(0, |remainder, &character| {
        match char::from(character).to_digit(36).unwrap_or(0) {
            value @ 0..=9 => (remainder * 10 + value) % 97,
            value => (remainder * 100 + value) % 97,
        }
    });
    remainder == 1
}

/// The IBAN registry: country and length.
#[rustfmt::skip]
const IBAN_LENGTHS: [([u8; 2], usize); 89] = [
    (*b"AD", 24), (*b"AE", 23), (*b"AL", 28), (*b"AT", 20), (*b"AZ", 28), (*b"BA", 20), (*b"BE", 16),
    (*b"BG", 22), (*b"BH", 22), (*b"BI", 27), (*b"BR", 29), (*b"BY", 28), (*b"CH", 21), (*b"CR", 22),
    (*b"CY", 28), (*b"CZ", 24), (*b"DE", 22), (*b"DJ", 27), (*b"DK", 18), (*b"DO", 28), (*b"EE", 20),
    (*b"EG", 29), (*b"ES", 24), (*b"FI", 18), (*b"FK", 18), (*b"FO", 18), (*b"FR", 27), (*b"GB", 22),
    (*b"GE", 22), (*b"GI", 23), (*b"GL", 18), (*b"GR", 27), (*b"GT", 28), (*b"HN", 28), (*b"HR", 21),
    (*b"HU", 28), (*b"IE", 22), (*b"IL", 23), (*b"IQ", 23), (*b"IS", 26), (*b"IT", 27), (*b"JO", 30),
    (*b"KW", 30), (*b"KZ", 20), (*b"LB", 28), (*b"LC", 32), (*b"LI", 21), (*b"LT", 20), (*b"LU", 20),
    (*b"LV", 21), (*b"LY", 25), (*b"MC", 27), (*b"MD", 24), (*b"ME", 22), (*b"MK", 19), (*b"MN", 20),
    (*b"MR", 27), (*b"MT", 31), (*b"MU", 30), (*b"NI", 28), (*b"NL", 18), (*b"NO", 15), (*b"OM", 23),
    (*b"PK", 24), (*b"PL", 28), (*b"PS", 29), (*b"PT", 25), (*b"QA", 29), (*b"RO", 24), (*b"RS", 22),
    (*b"RU", 33), (*b"SA", 24), (*b"SC", 31), (*b"SD", 18), (*b"SE", 24), (*b"SI", 19), (*b"SK", 24),
    (*b"SM", 27), (*b"SO", 23), (*b"ST", 25), (*b"SV", 28), (*b"TL", 23), (*b"TN", 24), (*b"TR", 26),
    (*b"UA", 29), (*b"VA", 22), (*b"VG", 24), (*b"XK", 20), (*b"YE", 30),
];

/// The numbers that the Social Security Administration does not assign (POMS RM 10201.035).
fn is_us_ssn(candidate: &[u8]) -> bool {
    let number = prefix(candidate, 9);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}

/// E.164 §6: at most 15 digits. Without `+` a number must be written as one: the pattern asks for groups
/// of 3, 3 and 4 digits or for a trunk prefix 0; the latter must keep to one separator, or it is a date.
fn is_phone(candidate: &[u8]) -> bool {
    let count = digits(candidate).count();
    let first = digits(candidate).next();
    if candidate.starts_with(b"+") {
        return (8..=15).contains(&count) && first != Some(0);
    }
    first != Some(0) || (9..=12).contains(&count) && has_one_separator(candidate)
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

fn is_ipv4(candidate: &[u8]) -> bool {
    let is_octet = |octet: &[u8]| {
        (1..=3).contains(&octet.len())
            && (octet.len() == 1 || !octet.starts_with(b"0"))
            && prefix(octet, 3) <= 255
    };
    candidate.split(|&byte| byte == b'.').all(is_octet) && !candidate.ends_with(b".0.0.0")
}

/// Whether the text before a candidate ends in a word that announces a version.
fn follows_version_word(before: &[u8]) -> bool {
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

/// RFC 7515 §7.1: the part before the first dot is a JSON object in Base64url.
fn is_jwt(candidate: &[u8]) -> bool {
    let header = candidate
        .split(|&byte| byte == b'.')
        .next()
        .unwrap_or_default();
    let groups = || header.chunks(4);
    groups()
        .next()
        .is_some_and(|group| decode(group).starts_with(b"{\""))
        && groups()
            .last()
            .is_some_and(|group| decode(group).ends_with(b"}"))
}

/// The bytes of one group of Base64url; empty if it is none.
fn decode(group: &[u8]) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(group).unwrap_or_default()
}

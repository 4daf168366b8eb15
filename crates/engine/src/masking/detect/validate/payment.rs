//! Cards and accounts.

use super::{digits, prefix};

/// ISO/IEC 7812-1: the issuers' ranges with their lengths, and Luhn.
pub(super) fn is_payment_card(candidate: &[u8]) -> bool {
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
pub(super) fn is_iban(candidate: &[u8]) -> bool {
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

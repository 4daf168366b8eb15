//! Numbers that states give to persons.

use super::{characters, digits, prefix};

/// The numbers that the Social Security Administration does not assign (POMS RM 10201.035).
pub(super) fn is_us_ssn(candidate: &[u8]) -> bool {
    let number = prefix(candidate, 9);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}

/// HMRC's NIM39110: the letters and pairs of letters with which no number begins.
pub(super) fn is_uk_nino(candidate: &[u8]) -> bool {
    let mut prefix = characters(candidate).take(2);
    let (Some(first), Some(second)) = (prefix.next(), prefix.next()) else {
        return false;
    };
    let unused = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
        && !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && !unused.contains(&&[first, second])
}

/// Receita Federal: two check digits modulo 11; eleven equal digits pass but are none.
pub(super) fn is_br_cpf(candidate: &[u8]) -> bool {
    let digits = || digits(candidate).map(u32::from);
    let check = |count: u32| -> u32 {
        let weights = (2..count + 2).rev();
        digits()
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum::<u32>()
            * 10
            % 11
            % 10
    };
    digits().count() == 11
        && digits().nth(9) == Some(check(9))
        && digits().nth(10) == Some(check(10))
        && digits().any(|digit| Some(digit) != digits().next())
}

/// UIDAI: twelve digits of which the last is Verhoeff's check digit.
pub(super) fn is_in_aadhaar(candidate: &[u8]) -> bool {
    digits(candidate).count() == 12 && is_verhoeff(candidate)
}

/// J. Verhoeff, *Error Detecting Decimal Codes*: digits, permuted by their place, multiply to zero in
/// the dihedral group of order ten.
fn is_verhoeff(candidate: &[u8]) -> bool {
    let permute = |digit: u8| {
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
            .get(usize::from(digit))
            .copied()
            .unwrap_or(0)
    };
    let multiply = |one: u8, other: u8| match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => (one + other) % 5 + 5,
        (false, true) => (one - other) % 5 + 5,
        (false, false) => (one + 5 - other) % 5,
    };
    let places = digits(candidate).rev().enumerate();
    let product = places.fold(0, |product, (place, digit)| {
        multiply(
            product,
            (0..place % 8).fold(digit, |digit, _| permute(digit)),
        )
    });
    product == 0
}

/// § 139b AO and the BZSt's description: of the first ten digits exactly one comes two or three times;
/// the last is the check digit of ISO/IEC 7064 MOD 11,10.
pub(super) fn is_de_tax_id(candidate: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    let mut product = 10;
    for digit in digits(candidate).take(10) {
        if let Some(count) = counts.get_mut(usize::from(digit)) {
            *count += 1;
        }
        let sum = match (u32::from(digit) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = sum * 2 % 11;
    }
    let repeated = || counts.iter().filter(|&&count| count > 1);
    let check = digits(candidate).nth(10).map(u32::from);
    check == Some((11 - product) % 10)
        && repeated().count() == 1
        && repeated().all(|&count| count <= 3)
}

/// INSEE: sex, year, month, place and order, with a key modulo 97. Corsica's `2A` and `2B` count as 19
/// and 18; months from 20 on stand for unknown ones.
pub(super) fn is_fr_nir(candidate: &[u8]) -> bool {
    let number = characters(candidate)
        .take(13)
        .fold(0u64, |number, character| {
            let digit = if character.is_ascii_digit() {
                character - b'0'
            } else {
                0
            };
            number * 10 + u64::from(digit)
        });
    let number = match characters(candidate).nth(6) {
        Some(b'A') => number.saturating_sub(1_000_000),
        Some(b'B') => number.saturating_sub(2_000_000),
        _ => number,
    };
    let key = digits(candidate).rev().take(2).zip([1, 10]);
    let key = key.fold(0, |key, (digit, weight)| key + u64::from(digit) * weight);
    let month = prefix(candidate, 5) % 100;
    characters(candidate).count() == 15
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && key == 97 - number % 97
}

/// Real Decreto 1553/2005 and Orden INT/2058/2008: the letter is the number modulo 23; `X`, `Y` and `Z`
/// before it count as 0, 1 and 2.
pub(super) fn is_es_dni(candidate: &[u8]) -> bool {
    let prefix = match characters(candidate).next() {
        Some(first @ b'X'..=b'Z') => u32::from(first - b'X'),
        _ => 0,
    };
    let number = digits(candidate).fold(prefix, |number, digit| number * 10 + u32::from(digit));
    let letter = b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize);
    characters(candidate).next_back().as_ref() == letter
}

/// Decreto Ministeriale 23 dicembre 1976: six letters, and a check character modulo 26 in which
/// characters at odd places count by a table.
pub(super) fn is_it_codice_fiscale(candidate: &[u8]) -> bool {
    const ODD: [u8; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let value = |character: u8| match character {
        b'0'..=b'9' => character - b'0',
        _ => character.saturating_sub(b'A'),
    };
    let sum: u32 = characters(candidate)
        .take(15)
        .enumerate()
        .map(|(place, character)| match place % 2 {
            0 => ODD.get(usize::from(value(character))).copied().unwrap_or(0),
            _ => value(character),
        })
        .map(u32::from)
        .sum();
    let check = characters(candidate).nth(15).map(value).map(u32::from);
    characters(candidate)
        .take(6)
        .all(|character| character.is_ascii_alphabetic())
        && check == Some(sum % 26)
}

/// The eleven test of the Dutch tax authority: the weighted sum is a multiple of eleven.
pub(super) fn is_nl_bsn(candidate: &[u8]) -> bool {
    let weights = [9i32, 8, 7, 6, 5, 4, 3, 2, -1];
    let products = digits(candidate)
        .zip(weights)
        .map(|(digit, weight)| i32::from(digit) * weight);
    digits(candidate).count() == 9
        && digits(candidate).any(|digit| digit != 0)
        && products.sum::<i32>() % 11 == 0
}

/// A letter first and five digits at least: no word looks like that.
pub(super) fn is_passport(candidate: &[u8]) -> bool {
    candidate.first().is_some_and(u8::is_ascii_alphabetic) && digits(candidate).count() >= 5
}

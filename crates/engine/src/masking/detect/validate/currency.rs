//! Addresses of crypto-currencies.

use sha2::{Digest as _, Sha256};

/// A Bitcoin address of the main network in any of its forms.
pub(super) fn is_bitcoin(candidate: &[u8]) -> bool {
    match candidate.first() {
        Some(b'1' | b'3') => is_base58_check(candidate),
        _ => is_bech32(candidate),
    }
}

/// A version, 20 bytes of hash and four of checksum, in Base58: the version is 0 for what begins with
/// `1` and 5 for what begins with `3`.
fn is_base58_check(candidate: &[u8]) -> bool {
    if !(26..=35).contains(&candidate.len()) {
        return false;
    }
    let Some(decoded) = base58(candidate) else {
        return false;
    };
    let Some((payload, checksum)) = decoded.split_last_chunk::<4>() else {
        return false;
    };
    matches!(payload.first(), Some(0 | 5))
        && Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

/// The 25 bytes of a number in Base58.
fn base58(text: &[u8]) -> Option<[u8; 25]> {
    let mut limbs = [0u32; 7];
    // Five digits at a time fit into a word.
    for digits in text.chunks(5) {
        let (mut factor, mut carry) = (1u64, 0u64);
        for &digit in digits {
            factor *= 58;
            carry = carry * 58 + base58_digit(digit)?;
        }
        for limb in &mut limbs {
            carry += u64::from(*limb) * factor;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = limbs.iter().flat_map(|limb| limb.to_le_bytes());
    let mut decoded = [0; 25];
    for (place, byte) in decoded.iter_mut().rev().zip(&mut bytes) {
        *place = byte;
    }
    bytes.all(|byte| byte == 0).then_some(decoded)
}

/// Digits and letters without `0`, `O`, `I` and `l`.
fn base58_digit(digit: u8) -> Option<u64> {
    let value = match digit {
        b'1'..=b'9' => digit - b'1',
        b'A'..=b'H' => digit - b'A' + 9,
        b'J'..=b'N' => digit - b'J' + 17,
        b'P'..=b'Z' => digit - b'P' + 22,
        b'a'..=b'k' => digit - b'a' + 33,
        b'm'..=b'z' => digit - b'm' + 44,
        _ => return None,
    };
    Some(u64::from(value))
}

/// BIP 173 and BIP 350: the checksum of version 0, and that of later ones.
fn is_bech32(candidate: &[u8]) -> bool {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let step = |checksum: u32, value: u8| {
        let top = checksum >> 25;
        let generators = GENERATOR.iter().enumerate();
        generators.fold(
            (checksum & 0x1ff_ffff) << 5 ^ u32::from(value),
            |sum, (bit, generator)| {
                if top >> bit & 1 == 1 {
                    sum ^ generator
                } else {
                    sum
                }
            },
        )
    };
    // The prefix `bc`, expanded.
    let mut checksum = [3, 3, 0, 2, 3].into_iter().fold(1, step);
    let mut version = None;
    for character in candidate.iter().skip(3) {
        let character = character.to_ascii_lowercase();
        let value = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
            .iter()
            .position(|&known| known == character);
        let Some(value) = value.and_then(|value| u8::try_from(value).ok()) else {
            return false;
        };
        version.get_or_insert(value);
        checksum = step(checksum, value);
    }
    match version {
        Some(0) => checksum == 1,
        Some(1..=16) => checksum == 0x2bc8_30a3,
        _ => false,
    }
}

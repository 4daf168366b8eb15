//! Tokens and passwords.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

/// RFC 7515 §7.1: the part before the first dot is a JSON object in Base64url.
pub(super) fn is_jwt(candidate: &[u8]) -> bool {
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

/// Base64 as it is written, with or without the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// RFC 7617 §2: after the word stands Base64 of user, colon and password, without control characters.
pub(super) fn is_basic_auth(candidate: &[u8]) -> bool {
    let credentials = candidate
        .iter()
        .rposition(|&byte| byte == b' ')
        .and_then(|space| candidate.get(space + 1..))
        .unwrap_or_default();
    LENIENT
        .decode(credentials)
        .is_ok_and(|decoded| decoded.contains(&b':') && !decoded.iter().any(u8::is_ascii_control))
}

/// At least 16 characters with letters and digits among them, that repeat so little that no person chose
/// them: 3 bits in each of hexadecimal digits, 3.5 else.
pub(super) fn is_random(candidate: &[u8]) -> bool {
    let prelude = candidate
        .iter()
        .take_while(|byte| b"=:\"' ".contains(byte))
        .count();
    let value = candidate.get(prelude..).unwrap_or_default();
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    if value.len() < 16 || !has(u8::is_ascii_digit) || !has(u8::is_ascii_alphabetic) {
        return false;
    }
    let floor = if value.iter().all(u8::is_ascii_hexdigit) {
        3.0
    } else {
        3.5
    };
    entropy(value) >= floor
}

/// Shannon's entropy of the characters, in bits for each.
fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0u16; 128];
    for &byte in text {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total = text.len() as f32;
    let parts = counts.iter().filter(|&&count| count > 0).map(|&count| {
        let share = f32::from(count) / total;
        -share * share.log2()
    });
    parts.sum()
}

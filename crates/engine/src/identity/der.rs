//! The few DER structures (ITU-T X.690) that public keys and ECDSA signatures need.

/// Object identifier `rsaEncryption` with its NULL parameters (RFC 3279 §2.3.1).
pub(super) const RSA_ENCRYPTION: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// `id-ecPublicKey` with the curve `prime256v1` (RFC 5480 §2.1.1).
pub(super) const EC_P256: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07,
];

/// `id-ecPublicKey` with the curve `secp384r1` (RFC 5480 §2.1.1).
pub(super) const EC_P384: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22,
];

/// `id-Ed25519` (RFC 8410 §3).
pub(super) const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7): `algorithm` is the encoded content of its
/// AlgorithmIdentifier, `key` the octets of the key.
pub(super) fn public_key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let unused_bits = [&[0], key].concat();
    sequence(&[
        &element(SEQUENCE, algorithm),
        &element(BIT_STRING, &unused_bits),
    ])
}

/// A SEQUENCE of elements that are encoded already.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// The INTEGER of a big-endian number without sign, in its shortest form.
pub(super) fn unsigned_integer(big_endian: &[u8]) -> Vec<u8> {
    let digits = strip_zeros(big_endian);
    match digits.first() {
        // The top bit of an INTEGER is its sign.
        Some(first) if first & 0x80 == 0 => element(INTEGER, digits),
        _ => element(INTEGER, &[&[0], digits].concat()),
    }
}

/// A big-endian number without its leading zeros.
pub(super) fn strip_zeros(big_endian: &[u8]) -> &[u8] {
    let zeros = big_endian.iter().take_while(|&&byte| byte == 0).count();
    big_endian.get(zeros..).unwrap_or_default()
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = strip_zeros(&length);
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    match length {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(unsigned_integer(&[]), [0x02, 0x01, 0x00]);
        assert_eq!(unsigned_integer(&[0, 0]), [0x02, 0x01, 0x00]);
        assert_eq!(unsigned_integer(&[0, 0x7f]), [0x02, 0x01, 0x7f]);
        assert_eq!(unsigned_integer(&[0x80]), [0x02, 0x02, 0x00, 0x80]);
        assert_eq!(unsigned_integer(&[0, 0, 1, 0]), [0x02, 0x02, 0x01, 0x00]);
    }

    #[test]
    fn lengths_take_as_few_octets_as_they_can() {
        assert_eq!(element(0x04, &[7; 127])[..2], [0x04, 0x7f]);
        assert_eq!(element(0x04, &[7; 128])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(element(0x04, &[7; 256])[..4], [0x04, 0x82, 0x01, 0x00]);
    }
}

//! The decoder against an encoder of another make, streams written by hand, and damage of every kind.

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;

use super::inflate::WINDOW;
use super::*;

const GZIP: ContentCoding = ContentCoding::Gzip;
const DEFLATE: ContentCoding = ContentCoding::Deflate;

// === Bodies ===

/// A member without any optional field.
fn member(data: &[u8], level: u8) -> Vec<u8> {
    framed(&[], 0, data, &compress_to_vec(data, level))
}

/// A member with those flags and optional fields, around data that is encoded already.
fn framed(fields: &[u8], flags: u8, data: &[u8], encoded: &[u8]) -> Vec<u8> {
    let mut body = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
    body.extend_from_slice(fields);
    body.extend_from_slice(encoded);
    body.extend_from_slice(&crc32fast::hash(data).to_le_bytes());
    body.extend_from_slice(&(data.len() as u32).to_le_bytes());
    body
}

/// DEFLATE data from single bits, the first one first.
fn bits(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b' ')
        .map(|byte| byte - b'0')
        .collect();
    let byte = |bits: &[u8]| (0..).zip(bits).fold(0, |byte, (at, bit)| byte | bit << at);
    bits.chunks(8).map(byte).collect()
}

fn prose() -> Vec<u8> {
    let words = (0..2_000u32).map(|n| format!("{} is {} times {}\n", n * n, n, n));
    words.collect::<String>().into_bytes()
}

// === Decoding ===

fn decode_pieces<'a>(
    coding: ContentCoding,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Result<(), CodingError>) {
    let mut decoder = Decoder::new(coding);
    let mut out = Vec::new();
    for piece in pieces {
        let result = decoder.push(piece, |decoded| {
            assert!((1..=WINDOW).contains(&decoded.len()));
            out.extend_from_slice(decoded);
            Ok::<_, CodingError>(())
        });
        if let Err(error) = result {
            return (out, Err(error));
        }
    }
    let result = decoder.finish();
    (out, result)
}

fn decode(coding: ContentCoding, body: &[u8]) -> Result<Vec<u8>, CodingError> {
    let (out, result) = decode_pieces(coding, [body]);
    result.map(|()| out)
}

#[test]
fn both_codings_decode_at_every_cut() {
    let text = b"what is said twice is said twice, what is said twice \xff\0";
    for (coding, body) in [
        (GZIP, member(text, 6)),
        (GZIP, member(text, 0)),
        (DEFLATE, compress_to_vec_zlib(text, 9)),
        (DEFLATE, compress_to_vec_zlib(text, 1)),
    ] {
        for cut in 0..=body.len() {
            let (first, second) = body.split_at(cut);
            let decoded = decode_pieces(coding, [first, second]);
            assert_eq!(decoded, (text.to_vec(), Ok(())), "cut at {cut}");
        }
        let (out, result) = decode_pieces(coding, body.chunks(1));
        assert_eq!((out.as_slice(), result), (text.as_slice(), Ok(())));
    }
}

#[test]
fn data_longer_than_the_window_decodes() {
    let text = prose().repeat(3);
    for level in [0, 1, 6, 9] {
        for piece in [1_000, 4_099, 1 << 20] {
            let body = member(&text, level);
            let (out, result) = decode_pieces(GZIP, body.chunks(piece));
            assert_eq!(result, Ok(()));
            assert!(out == text, "level {level}, pieces of {piece}");
        }
    }
}

#[test]
fn what_python_writes_is_read() {
    // gzip.compress(b"tracegate", mtime=0) and zlib.compress(b"tracegate").
    let gzip = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x2b, 0x29, 0x4a, 0x4c, 0x4e, 0x4d, 0x4f, 0x2c, 0x49,
        0x05, 0x00, 0x8a, 0x95, 0x2f, 0xce, 9, 0, 0, 0,
    ];
    let zlib = [
        0x78, 0x9c, 0x2b, 0x29, 0x4a, 0x4c, 0x4e, 0x4d, 0x4f, 0x2c, 0x49, 0x05, 0x00, 0x12, 0xab,
        0x03, 0xb1,
    ];
    assert_eq!(decode(GZIP, &gzip).as_deref(), Ok(&b"tracegate"[..]));
    assert_eq!(decode(DEFLATE, &zlib).as_deref(), Ok(&b"tracegate"[..]));
}

#[test]
fn nothing_is_an_empty_body_and_so_is_nothing_encoded() {
    for (coding, body) in [
        (GZIP, Vec::new()),
        (DEFLATE, Vec::new()),
        (GZIP, member(b"", 6)),
        (DEFLATE, compress_to_vec_zlib(b"", 6)),
    ] {
        assert_eq!(decode(coding, &body).as_deref(), Ok(&b""[..]));
    }
}

// === Headers ===

#[test]
fn every_optional_field_of_gzip_is_read_and_its_own_checksum_compared() {
    let text = b"hello";
    let encoded = compress_to_vec(text, 6);
    let fields = |flags: u8| {
        let mut fields = Vec::new();
        if flags & 4 != 0 {
            fields.extend_from_slice(b"\x03\x00abc");
        }
        if flags & 8 != 0 {
            fields.extend_from_slice(b"name.json\0");
        }
        if flags & 16 != 0 {
            fields.extend_from_slice(b"a remark\0");
        }
        if flags & 2 != 0 {
            let head = [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255], &fields[..]].concat();
            let crc = crc32fast::hash(&head) & 0xffff;
            fields.extend_from_slice(&(crc as u16).to_le_bytes());
        }
        fields
    };
    for flags in 0..32 {
        let body = framed(&fields(flags), flags, text, &encoded);
        for cut in 0..=body.len() {
            let (first, second) = body.split_at(cut);
            let (out, result) = decode_pieces(GZIP, [first, second]);
            assert_eq!((out.as_slice(), result), (&text[..], Ok(())), "{flags:05b}");
        }
    }
    let mut wrong = fields(2);
    wrong[0] ^= 1;
    let body = framed(&wrong, 2, text, &encoded);
    assert_eq!(decode(GZIP, &body), Err(CodingError::Damaged));
    let body = framed(b"\0\0", 4, text, &encoded);
    assert_eq!(decode(GZIP, &body).as_deref(), Ok(&text[..]), "no extra");
}

#[test]
fn headers_that_ask_for_what_we_do_not_know_are_refused() {
    let gzip = member(b"hello", 6);
    let zlib = compress_to_vec_zlib(b"hello", 6);
    let with = |body: &[u8], at: usize, byte: u8| {
        let mut body = body.to_vec();
        body[at] = byte;
        body
    };
    for (at, byte) in [
        (0, 0x1e),
        (1, 0x8c),
        (2, 7),
        (3, 0x20),
        (3, 0x40),
        (3, 0x80),
    ] {
        assert_eq!(
            decode(GZIP, &with(&gzip, at, byte)),
            Err(CodingError::Damaged),
            "byte {at} is {byte:#x}"
        );
    }
    // Another method, a larger window, a dictionary, a wrong check.
    for head in [[0x77, 0x9f], [0x88, 0x1c], [0x78, 0xbb], [0x78, 0x9d]] {
        let body = [&head, &zlib[2..]].concat();
        assert_eq!(
            decode(DEFLATE, &body),
            Err(CodingError::Damaged),
            "{head:?}"
        );
    }
}

#[test]
fn a_header_has_room_for_a_name_and_no_more() {
    let body = |length: usize| {
        let name = [vec![b'n'; length], vec![0]].concat();
        framed(&name, 8, b"hello", &compress_to_vec(b"hello", 6))
    };
    let most = MAX_HEADER as usize - 10 - 1;
    assert!(decode(GZIP, &body(most)).is_ok());
    assert_eq!(decode(GZIP, &body(most + 1)), Err(CodingError::Limit));
}

// === Damage ===

#[test]
fn what_ends_early_is_not_whole_wherever_it_ends() {
    let text = b"what is said twice is said twice";
    for (coding, body) in [
        (GZIP, member(text, 6)),
        (GZIP, [member(text, 6), member(text, 6)].concat()),
        (DEFLATE, compress_to_vec_zlib(text, 6)),
    ] {
        let first = member(text, 6).len();
        for end in 1..body.len() {
            let whole = coding == GZIP && end == first;
            let expected = if whole {
                Ok(())
            } else {
                Err(CodingError::Truncated)
            };
            let (out, result) = decode_pieces(coding, [&body[..end]]);
            assert_eq!(result, expected, "ends after {end}");
            assert!(text.repeat(2).starts_with(&out));
        }
    }
}

#[test]
fn a_changed_bit_is_noticed_or_changes_nothing() {
    let text = b"what is said twice is said twice";
    for (coding, body) in [
        (GZIP, member(text, 6)),
        (GZIP, member(text, 0)),
        (DEFLATE, compress_to_vec_zlib(text, 6)),
    ] {
        for bit in 0..body.len() * 8 {
            let mut body = body.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = decode(coding, &body) {
                assert_eq!(decoded, text, "bit {bit}");
            }
        }
    }
}

#[test]
fn what_stands_behind_the_end_is_damage() {
    let text = b"hello";
    for behind in [&b"\0"[..], b"\x1f\x8c", b"hello", b"\0\0\0\0\0\0\0\0"] {
        let body = [&member(text, 6), behind].concat();
        assert_eq!(decode(GZIP, &body), Err(CodingError::Damaged));
        let body = [&compress_to_vec_zlib(text, 6), behind].concat();
        assert_eq!(decode(DEFLATE, &body), Err(CodingError::Damaged));
    }
    let twice = compress_to_vec_zlib(text, 6).repeat(2);
    assert_eq!(decode(DEFLATE, &twice), Err(CodingError::Damaged));
}

#[test]
fn deflate_is_zlib_and_neither_bare_data_nor_gzip() {
    for body in [compress_to_vec(b"hello", 6), member(b"hello", 6)] {
        assert_eq!(decode(DEFLATE, &body), Err(CodingError::Damaged));
    }
    let body = compress_to_vec_zlib(b"hello", 6);
    assert_eq!(decode(GZIP, &body), Err(CodingError::Damaged));
}

#[test]
fn data_cannot_refer_to_what_was_before_it() {
    // One final block with fixed codes (RFC 1951 §3.2.6): three bytes from one byte back, end.
    let backwards = bits("1 10 0000001 00000 0000000");
    let body = framed(&[], 0, b"\0\0\0", &backwards);
    assert_eq!(decode(GZIP, &body), Err(CodingError::Damaged));
    let behind = framed(&[], 0, b"ooo", &backwards);
    let body = [member(b"hello", 6), behind].concat();
    assert_eq!(decode(GZIP, &body), Err(CodingError::Damaged));
}

// === Limits ===

#[test]
fn members_follow_one_another_up_to_the_limit() {
    let most = MAX_MEMBERS as usize;
    let body = member(b"part ", 6).repeat(most);
    assert_eq!(decode(GZIP, &body), Ok(b"part ".repeat(most)));
    let (out, result) = decode_pieces(GZIP, body.chunks(1));
    assert_eq!((out, result), (b"part ".repeat(most), Ok(())));
    let body = member(b"part ", 6).repeat(most + 1);
    assert_eq!(decode(GZIP, &body), Err(CodingError::Limit));
}

#[test]
fn the_ratio_counts_once_the_body_is_long() {
    assert_eq!(within_limits(1, FREE), Ok(()));
    assert_eq!(within_limits(1, FREE + 1), Err(CodingError::Limit));
    let received = FREE / MAX_RATIO + 1;
    assert_eq!(within_limits(received, received * MAX_RATIO), Ok(()));
    let beyond = within_limits(received, received * MAX_RATIO + 1);
    assert_eq!(beyond, Err(CodingError::Limit));
}

#[test]
fn a_bomb_is_given_up_soon_after_it_is_long() {
    let free = usize::try_from(FREE).unwrap();
    for (coding, body) in [
        (GZIP, member(&vec![0; 8 * free], 9)),
        (DEFLATE, compress_to_vec_zlib(&vec![b'a'; 8 * free], 9)),
        // Many small ones are one.
        (GZIP, member(&vec![0; free / 2], 9).repeat(3)),
    ] {
        let (out, result) = decode_pieces(coding, [body.as_slice()]);
        assert_eq!(result, Err(CodingError::Limit));
        assert!(out.len() <= free, "{}", out.len());
    }
    let body = member(&vec![0; free], 9);
    assert_eq!(decode(GZIP, &body).map(|out| out.len()), Ok(free));
}

/// Stored blocks of DEFLATE that decode to `length` zeros, piece by piece.
fn stored(mut length: u64) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(move || {
        let block = length.min(65_535) as u16;
        (block > 0).then(|| {
            length -= u64::from(block);
            let mut piece = vec![u8::from(length == 0)];
            piece.extend_from_slice(&block.to_le_bytes());
            piece.extend_from_slice(&(!block).to_le_bytes());
            piece.resize(piece.len() + usize::from(block), 0);
            piece
        })
    })
}

#[test]
fn a_body_is_no_longer_than_the_limit() {
    for (length, expected) in [
        (MAX_DECODED, Ok(())),
        (MAX_DECODED + 1, Err(CodingError::Limit)),
    ] {
        let mut decoder = Decoder::new(GZIP);
        let mut crc = crc32fast::Hasher::new();
        let mut push = |piece: &[u8]| {
            decoder.push(piece, |decoded| {
                crc.update(decoded);
                Ok(())
            })
        };
        let head: [u8; 10] = member(b"", 6)[..10].try_into().unwrap();
        push(&head).unwrap();
        let data: Result<(), CodingError> = stored(length).try_for_each(|piece| push(&piece));
        assert_eq!(data, expected);
        if data.is_ok() {
            let tail = [crc.finalize().to_le_bytes(), (length as u32).to_le_bytes()];
            decoder
                .push(&tail.concat(), |_| Ok::<_, CodingError>(()))
                .unwrap();
            assert_eq!(decoder.finish(), Ok(()));
        }
    }
}

#[test]
fn what_the_reader_refuses_ends_the_decoding() {
    let mut decoder = Decoder::new(GZIP);
    let result = decoder.push(&member(b"hello", 6), |_| Err(CodingError::Limit));
    assert_eq!(result, Err(CodingError::Limit));
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_however_it_is_cut(
        data in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..3_000),
            prop::collection::vec(0..4u8, 0..60_000),
        ],
        level in 0..10u8,
        cut in 1..700usize,
    ) {
        let gzip = member(&data, level);
        let (out, result) = decode_pieces(GZIP, gzip.chunks(cut));
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(&out, &data);
        let zlib = compress_to_vec_zlib(&data, level);
        let (out, result) = decode_pieces(DEFLATE, zlib.chunks(cut));
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(&out, &data);
    }

    #[test]
    fn noise_neither_panics_nor_passes_for_data(
        noise in prop::collection::vec(any::<u8>(), 0..2_000),
        cut in 1..100usize,
    ) {
        // Behind a good header, so that the noise gets as far as it can.
        let gzip = [&member(b"", 6)[..10], &noise].concat();
        let (out, result) = decode_pieces(GZIP, gzip.chunks(cut));
        prop_assert!(result.is_err(), "{out:?}");
        let zlib = [&[0x78, 0x9c], &noise[..]].concat();
        let (out, result) = decode_pieces(DEFLATE, zlib.chunks(cut));
        prop_assert!(result.is_err(), "{out:?}");
    }
}

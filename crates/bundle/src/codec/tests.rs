use proptest::prelude::*;

use super::*;
use crate::fixture::bundle;

#[test]
fn a_bundle_survives_its_bytes() {
    let bundle = bundle();
    assert_eq!(Bundle::from_bytes(&bundle.to_bytes()), Ok(bundle));
}

#[test]
fn the_format_comes_first_and_nothing_stands_between_the_members() {
    let text = String::from_utf8(bundle().to_bytes()).unwrap();
    let start =
        r#"{"format":1,"name":"reasoning","revision":7,"expires":1800000000,"source":"sha256:0"#;
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    let bundle = bundle();
    assert_eq!(bundle.digest(), Digest::of(&bundle.to_bytes()));
    assert_eq!(bundle.digest().as_str().len(), "sha256:".len() + 64);
}

#[test]
fn one_byte_over_the_limit_is_refused_before_it_is_parsed() {
    let mut bytes = bundle().to_bytes();
    bytes.resize(MAX_BYTES + 1, b' ');
    assert_eq!(Bundle::from_bytes(&bytes), Err(LoadError::TooLong));
}

#[test]
fn another_format_is_named_although_its_members_are_unknown() {
    let error = Bundle::from_bytes(br#"{"sections":[],"format":2}"#);
    assert_eq!(error, Err(LoadError::Format(2)));
}

#[test]
fn white_space_is_refused_because_it_would_change_the_digest() {
    let spaced = [b" ".as_slice(), &bundle().to_bytes()].concat();
    assert_eq!(Bundle::from_bytes(&spaced), Err(LoadError::NotCanonical));
}

#[test]
fn an_unknown_member_is_refused() {
    let text = String::from_utf8(bundle().to_bytes()).unwrap();
    let extended = text.replacen("{\"format\"", "{\"mode\":\"shadow\",\"format\"", 1);
    let error = Bundle::from_bytes(extended.as_bytes()).unwrap_err();
    assert!(
        matches!(&error, LoadError::Syntax(what) if what.contains("unknown field `mode`")),
        "{error}"
    );
}

#[test]
fn every_cut_is_refused() {
    let bytes = bundle().to_bytes();
    for end in 0..bytes.len() {
        let error = Bundle::from_bytes(&bytes[..end]).unwrap_err();
        assert!(
            matches!(error, LoadError::Syntax(_)),
            "cut at {end}: {error}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Bundle::from_bytes(&bytes).is_err());
    }

    #[test]
    fn a_changed_byte_never_leaves_the_digest_as_it_was(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let bytes = bundle().to_bytes();
        let mut changed = bytes.clone();
        *at.get_mut(&mut changed) = to;
        if let Ok(read) = Bundle::from_bytes(&changed) {
            prop_assert_eq!(read.digest() == bundle().digest(), changed == bytes);
        }
    }
}

//! The checks, digit by digit: what one wrong character must not survive.

use super::holds;
use tracegate_bundle::policy::Validator;

/// Whether every change of one digit to another is noticed.
fn notices_every_wrong_digit(validator: Validator, value: &str) {
    assert!(holds(validator, value.as_bytes(), b""), "{value}");
    for (place, digit) in value
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
    {
        for other in (b'0'..=b'9').filter(|&other| other != digit) {
            let mut wrong = value.as_bytes().to_vec();
            wrong[place] = other;
            assert!(!holds(validator, &wrong, b""), "{}", wrong.escape_ascii());
        }
    }
}

#[test]
fn a_wrong_digit_fails_every_checksum() {
    for (validator, value) in [
        (Validator::PaymentCard, "4111 1111 1111 1111"),
        (Validator::Iban, "DE89 3704 0044 0532 0130 00"),
        (Validator::InAadhaar, "2341 2341 2346"),
        (Validator::BrCpf, "529.982.247-25"),
        (Validator::DeTaxId, "86095742719"),
        (Validator::FrNir, "255081416802538"),
        (Validator::NlBsn, "111222333"),
        (Validator::EsDni, "12345678Z"),
        (Validator::EsDni, "X1234567L"),
        (Validator::Bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ] {
        notices_every_wrong_digit(validator, value);
    }
}

#[test]
fn two_digits_of_an_aadhaar_number_that_changed_places_are_noticed() {
    let number = "49684235107";
    // Verhoeff's own code tells every swap of neighbours; the check digit is found by trying.
    let valid: Vec<String> = (0..10)
        .map(|check| format!("{number}{check}"))
        .filter(|number| holds(Validator::InAadhaar, number.as_bytes(), b""))
        .collect();
    assert_eq!(valid.len(), 1);
    for place in 0..11 {
        let mut swapped = valid[0].clone().into_bytes();
        swapped.swap(place, place + 1);
        let same = swapped == valid[0].as_bytes();
        assert_eq!(
            holds(Validator::InAadhaar, &swapped, b""),
            same,
            "at {place}"
        );
    }
}

/// The addresses of BIP 173 and BIP 350 for the main network, and some that they refuse.
#[test]
fn bitcoin_addresses_are_those_of_the_proposals() {
    for valid in [
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "BC1SW50QGDZ25J",
        "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ] {
        assert!(holds(Validator::Bitcoin, valid.as_bytes(), b""), "{valid}");
    }
    for invalid in [
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "bc1",
        "3QJmnh",
        "1111111111111111111111111111",
    ] {
        assert!(
            !holds(Validator::Bitcoin, invalid.as_bytes(), b""),
            "{invalid}"
        );
    }
}

/// What a check is handed is bounded by its pattern; even so none may fail on what is not.
#[test]
fn no_check_fails_on_odd_candidates() {
    let validators = [
        Validator::Email,
        Validator::Phone,
        Validator::PaymentCard,
        Validator::Iban,
        Validator::UsSsn,
        Validator::UkNino,
        Validator::BrCpf,
        Validator::InAadhaar,
        Validator::DeTaxId,
        Validator::FrNir,
        Validator::EsDni,
        Validator::ItCodiceFiscale,
        Validator::NlBsn,
        Validator::Passport,
        Validator::Date,
        Validator::BarePhone,
        Validator::HighEntropy,
        Validator::Ipv4,
        Validator::Ipv6,
        Validator::Bitcoin,
        Validator::Jwt,
        Validator::BasicAuth,
    ];
    let candidates = [
        "",
        "0",
        "A",
        "-",
        "é",
        "Basic ",
        "1",
        "bc1",
        "9".repeat(9).as_str(),
        "ZZ",
        "2A",
    ]
    .map(str::to_owned);
    for validator in validators {
        for candidate in &candidates {
            holds(validator, candidate.as_bytes(), b"");
        }
    }
}

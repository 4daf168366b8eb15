//! Checks on candidates, beyond what a pattern can say.
//!
//! Each looks at the candidate as the skeleton pattern delivers it, separators included.

use tracegate_bundle::policy::Validator;

mod contact;
mod currency;
mod date;
mod national;
mod network;
mod payment;
mod secret;
#[cfg(test)]
mod tests;

/// Whether `candidate` passes the check. `before` is what stands before it in the text.
pub(super) fn holds(validator: Validator, candidate: &[u8], before: &[u8]) -> bool {
    match validator {
        Validator::None => true,
        Validator::Email => contact::is_email(candidate),
        Validator::Phone => contact::is_phone(candidate, before),
        Validator::BarePhone => contact::is_bare_phone(candidate),
        Validator::PaymentCard => payment::is_payment_card(candidate),
        Validator::Iban => payment::is_iban(candidate),
        Validator::UsSsn => national::is_us_ssn(candidate),
        Validator::UkNino => national::is_uk_nino(candidate),
        Validator::BrCpf => national::is_br_cpf(candidate),
        Validator::InAadhaar => national::is_in_aadhaar(candidate),
        Validator::DeTaxId => national::is_de_tax_id(candidate),
        Validator::FrNir => national::is_fr_nir(candidate),
        Validator::EsDni => national::is_es_dni(candidate),
        Validator::ItCodiceFiscale => national::is_it_codice_fiscale(candidate),
        Validator::NlBsn => national::is_nl_bsn(candidate),
        Validator::Passport => national::is_passport(candidate),
        Validator::Date => date::is_date(candidate),
        Validator::Ipv4 => network::is_ipv4(candidate) && !network::follows_version_word(before),
        Validator::Ipv6 => network::is_ipv6(candidate),
        Validator::Bitcoin => currency::is_bitcoin(candidate),
        Validator::Jwt => secret::is_jwt(candidate),
        Validator::HighEntropy => secret::is_random(candidate),
        Validator::BasicAuth => secret::is_basic_auth(candidate),
    }
}

/// The digits of a candidate.
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

/// The letters and digits of a candidate, letters in upper case.
fn characters(candidate: &[u8]) -> impl DoubleEndedIterator<Item = u8> + Clone {
    candidate
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_uppercase)
}

//! The authentication of whole tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate_fuzz::token::run(data));

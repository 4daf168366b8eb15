//! The masking of JSON bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate_fuzz::masking::run(data));

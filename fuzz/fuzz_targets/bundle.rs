//! The bundle loader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate_fuzz::bundle::run(data));

//! The policy compiler.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate_fuzz::policy::run(data));

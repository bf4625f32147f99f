//! See `flowctl::fuzzing::skill`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::skill(data));

//! See `flowctl::fuzzing::prompt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::prompt(data));

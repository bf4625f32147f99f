//! See `flowctl::fuzzing::decision`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::decision(data));

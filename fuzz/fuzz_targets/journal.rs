//! See `flowctl::fuzzing::journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::journal(data));

//! See `flowctl::fuzzing::expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::expression(data));

//! See `flowctl::fuzzing::evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::evidence(data));

//! See `flowctl::fuzzing::flow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::flow(data));

//! See `flowctl::fuzzing::terraform`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::terraform(data));

//! See `flowctl::fuzzing::promptflow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowctl::fuzzing::promptflow(data));

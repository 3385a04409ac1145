#![no_main]
#![allow(missing_docs, reason = "a program for libFuzzer")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| golden_fuzz::telemetry(data));

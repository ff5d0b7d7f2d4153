//! `cargo fuzz run -s none --features libfuzzer frame`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::frame(bytes));

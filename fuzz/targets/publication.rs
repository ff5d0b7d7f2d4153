//! `cargo fuzz run -s none --features libfuzzer publication`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::publication(bytes));

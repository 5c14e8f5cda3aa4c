//! The decoders of all vendors on any bytes: none panics, each answer has one end, and where the bytes were cut means
//! nothing. The same as the properties in `src/decode_tests.rs`, for longer and led by coverage.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (format, cut, bytes) = input;
    slipstream_providers::fuzz::check(usize::from(format), usize::from(cut), bytes);
});

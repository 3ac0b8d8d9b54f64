//! Feeds `checks::decoders`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_fuzz::checks;

fuzz_target!(|input: &[u8]| checks::decoders(input));

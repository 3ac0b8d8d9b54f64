//! Feeds `checks::engine_replies`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_fuzz::checks;

fuzz_target!(|input: &[u8]| checks::engine_replies(input));

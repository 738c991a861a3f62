//! Tables as psql prints them.
#![no_main]

use tests::mutation::{Reader, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Errors are results; panics and endless work are what is looked for.
    let _ = read(Reader::Data("psql.txt"), bytes);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernex_fuzz_targets::unpack(data));

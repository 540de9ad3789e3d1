//! Whole-system tests with real processes: `tests/it` proves what the parts together must do, `benches/figures` measures it.
//!
//! The programs must have been built: `cargo build --workspace --all-targets`, or `cargo xtask test`, which does.

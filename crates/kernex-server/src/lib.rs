//! Kernex.

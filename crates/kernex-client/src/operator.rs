//! The operator's side of the API.

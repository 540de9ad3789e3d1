//! The device's side of the API.

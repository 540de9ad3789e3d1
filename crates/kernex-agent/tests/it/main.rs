//! The agent against real processes, files and sockets; one binary, so that it is linked once.

mod deploy;
mod downloads;
mod keys;
mod plane;
mod processes;
mod support;

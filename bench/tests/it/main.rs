//! The benchmark itself, at its smallest: that it runs, cleans up, and tells what it is asked to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod runs;

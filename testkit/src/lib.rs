//! What tests need of the outside world. A dev-dependency only; production code never sees it.
//!
//! Failures are panics: a test that cannot have its database has failed.

mod database;
pub mod replay;

pub use database::TestDatabase;

//! What tests need of the outside world. A dev-dependency only; production code never sees it.
//!
//! Failures are panics: a test that cannot have its database has failed.

#[cfg(feature = "certificates")]
mod certificates;
mod database;
mod http;
#[cfg(feature = "laws")]
pub mod laws;
pub mod replay;
#[cfg(feature = "scripted")]
mod scripted;
pub mod servers;
pub mod v1_client;
#[cfg(feature = "sockets")]
mod v1_socket;

#[cfg(feature = "certificates")]
pub use certificates::{Authority, CertificateFiles};
pub use database::TestDatabase;
pub use http::http_get;
#[cfg(feature = "scripted")]
pub use scripted::{Line, ScriptedProvider};
pub use servers::TestServer;
pub use v1_client::V1Client;
#[cfg(feature = "sockets")]
pub use v1_socket::V1Socket;

//! What tests need of the outside world. A dev-dependency only; production code never sees it.
//!
//! Failures are panics: a test that cannot have its database has failed.

#[cfg(feature = "certificates")]
mod certificates;
mod database;
#[cfg(feature = "files")]
mod files;
mod http;
#[cfg(feature = "laws")]
pub mod laws;
pub mod replay;
#[cfg(feature = "scripted")]
mod scripted;
pub mod servers;
#[cfg(feature = "s3")]
mod signed_s3;
pub mod v1_client;
#[cfg(feature = "sockets")]
mod v1_socket;

#[cfg(feature = "certificates")]
pub use certificates::{Authority, CertificateFiles};
pub use database::TestDatabase;
#[cfg(feature = "files")]
pub use files::{ScriptedWeb, file_store, file_store_at};
pub use http::http_get;
#[cfg(feature = "scripted")]
pub use scripted::{Line, ScriptedProvider};
pub use servers::TestServer;
#[cfg(feature = "s3")]
pub use signed_s3::SignedS3;
pub use v1_client::V1Client;
#[cfg(feature = "sockets")]
pub use v1_socket::V1Socket;

//! How clients talk to Slipstream: WebSocket and HTTP. Authentication, the wire protocol, the hub that brings replies
//! to sockets, and the console page.
//!
//! Reads through `projections`, writes through `commands`; holds no SQL and decides no rule.

mod accounts;
mod auth;
mod catalogue;
mod gateway;
mod http;
mod hub;
mod meters;
mod probes;
pub mod protocol;
mod refusal;
mod settings;
mod shared;
mod socket;
mod whereabouts;

pub use accounts::{Accounts, KeyCheck, KeyCheckError};
pub use auth::{
    Authenticate, AuthenticationError, Caller, DevelopmentEmail, Handshake, Jwt, Method, Methods, Purpose,
    SessionEmail, SessionToken, Ticket,
};
pub use catalogue::{Catalogue, LongPrice, ModelInfo, ModelPrice, Models, ProviderModels, UnknownName};
pub use gateway::{Gateway, GatewayDeps, GatewayError, Serving};
pub use http::{openapi, serve_probes};
pub use meters::describe_metrics;
pub use probes::{Check, Probes, RenderMetrics};
pub use settings::Settings;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock of plain data: whoever panicked while holding it left the data whole, as each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

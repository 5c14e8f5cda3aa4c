//! Blobs on servers that speak like S3.
#![allow(clippy::unwrap_used, clippy::panic)]

mod moto;
mod signed;

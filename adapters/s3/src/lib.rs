//! Blobs in S3 and in what speaks like it (`MinIO`, R2). Clients upload and download by URLs that S3 itself checks; large
//! writes of ours go in parts. Knows no other AWS service, and takes its credentials from the settings alone.

mod blobs;
mod cors;
mod errors;
mod settings;
mod upload;

pub use blobs::S3Blobs;
pub use settings::S3Settings;

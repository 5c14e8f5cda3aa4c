//! The private PostgreSQL of one data folder: finds the binaries, makes the cluster, runs the server on a
//! Unix socket, stops it, and adopts one that outlived its owner.
//!
//! Owns processes, folders, locks and signals. Refuses SQL: callers connect with [`PrivatePostgres::url`].
//! File system calls are made directly, not on a blocking pool: they touch a handful of small local files
//! at start and stop.
//!
//! ```text
//! <data>/slipstream.lock   held by the owner; its process id and the socket folder
//! <data>/postgres/         the cluster
//! <data>/postgres.log      what the server says
//! <data>/s/                the socket, mode 0700 (elsewhere when that path would be too long)
//! ```

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod lock;
mod postmaster;
mod private;

pub use binaries::{Binaries, usual_folders};
pub use cluster::{Cluster, Death, Mode};
pub use error::PostgresError;
pub use folder::default_data_dir;
pub use lock::holder;
pub use private::{PreviousOwner, PrivatePostgres};

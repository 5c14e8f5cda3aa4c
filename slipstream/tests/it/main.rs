//! The binary as its users meet it: started as a process, spoken to over its sockets, killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod analytics;
mod audit;
mod client;
mod crash;
mod documents;
mod files;
mod first_run;
mod http_api;
mod large_fetch;
mod operator;
mod planted;
mod process;
mod proving;
mod rebuild;
mod refusals;
mod schemas;
mod sealing;
mod secrets;
mod security;
mod settings;
mod signing_in;
mod telemetry;
mod typescript;
mod users;
mod vendor_files;
mod vendors;

//! Makes cargo notice a new migration: `sqlx::migrate!` itself only tracks the files it has seen.
#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}

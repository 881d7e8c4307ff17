//! The cloud from outside: a real server on a free port of loopback, and `openapi.yaml` as the
//! judge of every exchange.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "all of this is test code")]

mod assets;
mod cli;
mod content;
mod enrollments;
mod events;
mod input;
mod keys;
mod pairing;
mod records;
mod releases;
mod rig;
mod schema;
mod settings;
mod spec;
mod tenants;
mod tokens;

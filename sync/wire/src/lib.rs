//! Cloud protocol v3 as types: what crosses the network, and nothing else.
//!
//! Both sides use these, so that a field is spelled once. Text and meaning of the protocol are in
//! `cloud/openapi.yaml`; tests hold both sides and this crate to that file.
//!
//! Start at [`envelope`] (how a manifest is proved) and [`manifest`] (what it says).
//!
//! Not here: I/O, clocks, randomness, what a device or a cloud does with any of it.

pub mod auth;
pub mod digest;
pub mod envelope;
pub mod event;
pub mod manifest;
pub mod operator;
pub mod order;
pub mod record;
pub mod release;

pub use digest::Digest;

//! The reference cloud: what the player is built, shown and tested against, and enough for a
//! small fleet.
//!
//! One process, SQLite and files in one directory. Start at [`api::table`] (every call there is);
//! `openapi.yaml` says what each means. From there: [`auth`] (who is asking), `store` (the one
//! place that speaks SQL, tenant by tenant), [`compose`] and [`check`] (pure: what a device is
//! told, and whether that is right), `publish` (signing).
//!
//! Depends on the protocol's types and on no other part of the player.

pub mod api;
pub mod auth;
pub mod check;
pub mod client;
mod cloud;
pub mod compose;
mod conditions;
pub mod error;
mod files;
mod guesses;
mod hub;
mod keys;
pub mod limits;
mod pairing;
mod publish;
pub mod records;
mod secret;
mod serve;
mod sniff;
mod store;
mod token;
pub mod world;

pub use keys::read_admin_token;
pub use serve::{Options, Server, serve};

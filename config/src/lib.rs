//! Settings you may rely on. Leaf of the house: knows no other crate of ours.
//!
//! Layers, later ones win: built-in defaults, `vitrine.toml`, `conf.d/*.toml` by name, environment
//! (`VITRINE_…`), command line. A [`Config`] in hand holds: every range has been checked.
//!
//! Start at [`model`] (what can be set) and [`limits`] (what nobody can).

pub mod limits;
pub mod model;
pub mod time;

pub use model::Config;

//! The whole player from outside: real binaries, real displays, real crashes.
//!
//! Start at [`player`] and [`cloud`] (the two programs under test as a person starts them), then
//! [`display`] (what is on the screen) and [`chaos`] and [`forge`] (what goes wrong between them).
//! Scenarios are in `tests/tests/*.rs`, `bin/demo.rs` is the same rig shown to people, and
//! `bin/bench` measures with it.

pub mod chaos;
pub mod cloud;
pub mod display;
pub mod forge;
pub mod gateway;
pub mod glass;
pub mod kiosk;
pub mod notify;
pub mod oracle;
pub mod patience;
pub mod picture;
pub mod player;
pub mod plug;
pub mod process;
pub mod reel;
pub mod release;
pub mod strace;
pub mod usage;

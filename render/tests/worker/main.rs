//! The media worker from outside: real files, real processes.
//!
//! Time is made up here: frames come ahead of their time, so a test asks for the next one at the
//! moment it is due and needs no real waiting. Real deadlines are only guards against hanging.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

mod colour;
mod ear;
mod faults;
mod hardware;
mod kinds;
mod lending;
mod life;
mod overlay;
mod pictures;
mod rig;
mod sounds;
mod stills;
#[path = "../support/mod.rs"]
mod support;
mod swaps;
mod walls;
mod zones;

/// Not a test: the process that the others start. By itself it has no stage and says so.
#[test]
#[ignore = "started by the other tests as their media worker"]
fn media_worker_entry() {
    match vitrine_render::worker::inherited_socket() {
        Ok(socket) => vitrine_render::worker::run(socket).expect("worker"),
        Err(error) => assert!(error.to_string().contains("started by the stage")),
    }
}

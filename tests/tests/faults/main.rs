//! The real player, killed at each of its calls to the file system, and each of them failing.
//!
//! A first run without faults lists the calls; then each of them, in each thread, has its turn. What
//! must hold after each is what [`vitrine_tests::oracle`] says. `./dev test` kills at every call
//! that changes the disk and fails one call of each kind; `./dev test --long` fails every call.

// A test that meets the unexpected must panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acts;
mod controls;
mod network;
mod power;
mod rig;
mod updates;

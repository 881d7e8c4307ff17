//! Scenarios: real cloud, real player, real display, one story each.

// A test that meets the unexpected must panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent_dies;
mod bad_manifests;
mod displays;
mod download;
mod glass;
mod headless;
mod keys;
mod kiosk_compositor;
mod kiosk_stage;
mod offline;
mod overlays;
mod parts_die;
mod processes;
mod rollback;
mod settings;
mod stage_set;
mod unshowable;
mod updates;
mod whole_way;

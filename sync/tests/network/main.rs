//! The network half from outside: a real server on loopback, the public handle, the real disk.

// All of this is test: it reads clocks, and whatever is not as expected is a failure.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

mod chaos;
mod headlines;
mod pair;
mod play;
mod refuse;
mod report;
mod rig;
mod secrets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rig::{Chaos, Player, TestCloud, World, clock, item, manifest, options, tuning};
use serde_json::{Value, json};
use vitrine_sync::model::{Digest, Live};
use vitrine_sync::wire::record::{Body, Fault, Record, Trust};
use vitrine_sync::{Connection, Event, Request, Sync};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n not much of a picture";

fn one_picture(version: u64) -> Value {
    manifest(version, &[("image/png", PNG)], vec![item("a", PNG)])
}

/// A cloud with one picture in force and a player that has it.
fn playing(dir: &Path) -> (TestCloud, Player) {
    let cloud = TestCloud::start();
    cloud.approve();
    cloud.add_asset(PNG);
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir, Some(&cloud.url)), tuning());
    player.live(1);
    (cloud, player)
}

fn bytes_of(live: &Live, wanted: &[u8]) -> Vec<u8> {
    fs::read(live.files.path(&Digest::of(wanted)).expect("named")).expect("readable")
}

fn fault(n: u32) -> Record {
    let body = Body::Fault(Fault { code: "test".into(), detail: format!("number {n}") });
    Record { id: format!("{n:032x}"), at: jiff::Timestamp::UNIX_EPOCH, trust: Trust::Guess, body }
}

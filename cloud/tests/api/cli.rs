//! The command line as a person uses it, against a server of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine_wire::auth::{PairingAnswer, TokenAnswer};

use crate::rig::{DEVICE_CODE, png};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vitrine-cloud");

struct Served {
    child: Child,
    url: String,
    dir: TempDir,
    token: String,
}

impl Served {
    fn start() -> Served {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert!(Path::new(said["admin_token_file"].as_str().unwrap()).exists());
        let url = said["url"].as_str().unwrap().to_owned();
        Served { child, url, dir, token: String::new() }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(arguments)
            .current_dir(self.dir.path())
            .env("VITRINE_CLOUD_URL", &self.url)
            .env("VITRINE_CLOUD_TOKEN", &self.token)
            .env_remove("http_proxy")
            .output()
            .unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[&["--json"], arguments].concat())).unwrap()
    }

    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} went well");
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the cloud something as a device does.
fn ask<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() })
}

#[test]
fn from_an_empty_directory_to_a_screen() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut served = Served::start();
    let made = served.json(&["tenant", "create", "acme", "--data", "data"]);
    served.token = made["operator_token"].as_str().unwrap().to_owned();
    std::fs::File::create(served.dir.path().join("note.txt")).unwrap();
    let pictures = [("a,b.png", "a"), ("c d.png", "c")];
    for (name, comment) in pictures {
        let path = served.dir.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), &png(comment))
            .unwrap();
    }
    let assets = served.json(&["asset", "add", "a,b.png"]);
    let digest = assets[0]["sha256"].as_str().unwrap();
    let (file, colour) = ("c d.png,duration=2s,fit=cover", "#00ff00,duration=500ms");
    let items = ["--item", digest, "--item", file, "--item", colour];
    let playlist = served.json(&[&["playlist", "set", "menu"], &items[..]].concat());
    let ids: Vec<_> = playlist["items"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(ids, ["a-b", "c-d", "colour"]);
    assert!(served.good(&["asset", "list"]).contains("c d.png"));
    let entry = "menu,days=mon-fri,from=08:00,until=18:00,priority=2";
    served.good(&["schedule", "set", "--entry", "menu", "--entry", entry]);
    served.good(&["publish"]);

    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    let request = json!({ "public_key": STANDARD.encode(key.as_bytes()), "name": "pi",
        "model": "m", "release": "r" });
    let pairing: PairingAnswer =
        ask(http.post(format!("{}/api/v3/pairing", served.url)).json(&request));
    let approved = served.good(&["pairing", "approve", &pairing.user_code, "--name", "lobby"]);
    assert!(approved.contains("fingerprint"), "{approved}");
    let request = json!({ "grant_type": DEVICE_CODE, "device_code": pairing.device_code });
    let tokens: TokenAnswer = ask(http.post(format!("{}/api/v3/token", served.url)).json(&request));
    let record = json!({ "records": [{ "id": "0".repeat(32), "at": "2026-07-01T12:00:00Z",
        "trust": "synced", "kind": "proof_of_play", "turn": 1, "manifest_version": 1,
        "playlist": "menu", "item": "a-b", "shown_ms": 2500, "frames_presented": 1,
        "frames_dropped": 0 }]});
    let told = http.post(format!("{}/api/v3/records", served.url)).json(&record);
    let _: Value = ask(told.bearer_auth(&tokens.access_token));

    assert!(served.good(&["device", "list"]).contains("lobby"));
    assert!(served.good(&["records", "lobby"]).contains("menu/a-b for 2.5 s"));
    assert!(served.good(&["order", "lobby", "identify"]).starts_with("order "));
    assert!(served.bad(&["screenshot", "lobby", "-o", "x.png"]).contains("order one"));
    assert!(served.bad(&["asset", "add", "note.txt"]).contains("JPEG"));
    assert!(served.bad(&["asset", "add", "nowhere.png"]).contains("nowhere.png"));
    assert!(served.bad(&["playlist", "remove", "menu"]).contains("schedule[0].target"));
    assert!(served.bad(&["pairing", "approve", "BBBB-BBBB", "--name", "x"]).contains("mistyped"));
    served.good(&["device", "remove", "lobby"]);
    assert_eq!(served.json(&["device", "list"]), json!([]));
}

#[test]
fn it_stops_when_it_is_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut served = Served::start();
        kill_process(Pid::from_child(&served.child), signal).unwrap();
        assert!(served.child.wait().unwrap().success(), "{signal:?}");
    }
}

#[test]
fn errors_say_what_is_wanted() {
    let served = Served::start();
    for (case, arguments, want) in [
        ("no token", &["device", "list"][..], "tenant create"),
        ("no admin token", &["tenant", "create", "x"], "--data"),
        ("wrong token", &["device", "list", "--token", "x"], "operator token"),
        (
            "no cloud",
            &["device", "list", "--token", "x", "--url", "http://127.0.0.1:1"],
            "127.0.0.1:1",
        ),
        ("no URL", &["device", "list", "--token", "x", "--url", "here"], "http://HOST"),
        ("no data", &["serve"], "--data"),
        ("same data twice", &["serve", "--data", "data", "--listen", "127.0.0.1:0"], "another"),
        ("cleartext for all", { &["serve", "--data", "d", "--listen", "0.0.0.0:0"] }, "TLS proxy"),
        (
            "odd public URL",
            { &["serve", "--data", "d", "--listen", "127.0.0.1:0", "--public-url", "ftp://x"] },
            "https://",
        ),
    ] {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(served.dir.path())
            .env("VITRINE_CLOUD_URL", &served.url)
            .env_remove("VITRINE_CLOUD_TOKEN")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(want), "case {case:?}: {text}");
    }
}

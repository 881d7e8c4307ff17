//! What sync has said last.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use vitrine_config::Word;
use vitrine_config::time::Mono;
use vitrine_sync::wire::record::{Download, Downloads};
use vitrine_sync::{Connection, FileProgress, Paired, Pairing, Progress, Written};

use crate::status::{DiskWritten, SettingSaid};

use crate::network::Trouble;

/// Troubles kept for a person who asks: a screenful.
const TROUBLES_MAX: usize = 10;

/// What sync has said last.
#[derive(Debug)]
pub struct CloudView {
    /// Whether the store has been read.
    pub started: bool,
    /// Whose device this is.
    pub paired: Option<Paired>,
    /// What a pairing screen must show.
    pub pairing: Option<Pairing>,
    /// How the connection is.
    pub connection: Connection,
    /// What is wrong on the way to the cloud, while it is out of reach.
    pub network: Option<Trouble>,
    /// How downloads are.
    pub progress: Option<Progress>,
    /// What it has the last word on of the settings.
    pub settings: BTreeMap<String, Word>,
    /// What was written to the disk, and when that was said.
    pub written: Option<(Written, Mono)>,
    /// How often the cloud was asked for news, whatever came of it.
    pub asked: u64,
    /// Why the last time came to nothing.
    pub ask_failed: Option<String>,
    /// The last troubles, newest first.
    pub troubles: VecDeque<String>,
}

impl CloudView {
    /// Nothing has been said.
    pub fn new() -> CloudView {
        CloudView {
            started: false,
            paired: None,
            pairing: None,
            connection: Connection::Connecting,
            network: None,
            progress: None,
            settings: BTreeMap::new(),
            written: None,
            asked: 0,
            ask_failed: None,
            troubles: VecDeque::new(),
        }
    }

    /// How the connection is now.
    pub fn connected(&mut self, connection: Connection) {
        if !matches!(connection, Connection::Offline { .. }) {
            self.network = None;
        }
        self.connection = connection;
    }

    /// The way to the cloud was looked at; it may have been mended meanwhile.
    pub fn looked(&mut self, trouble: Option<Trouble>) {
        let offline = matches!(self.connection, Connection::Offline { .. });
        self.network = trouble.filter(|_| offline);
    }

    /// The cloud was asked for news.
    pub fn asked(&mut self, result: Result<(), String>) {
        self.asked += 1;
        self.ask_failed = result.err();
    }

    /// Keeps a trouble for a person who asks.
    pub fn trouble(&mut self, at: Timestamp, code: &str, detail: &str) {
        self.troubles.push_front(format!("{at:.0} {code}: {detail}"));
        self.troubles.truncate(TROUBLES_MAX);
    }

    /// What it has the last word on of the settings, for a person.
    pub fn settings_said(&self) -> Vec<SettingSaid> {
        let said = |(key, word): (&String, &Word)| {
            let Word { value, at, by } = word.clone();
            SettingSaid { key: key.clone(), value, at, by }
        };
        self.settings.iter().map(said).collect()
    }

    /// What was written to the disk until it was said last, since `start`.
    pub fn written(&self, start: Mono) -> Option<DiskWritten> {
        let (written, at) = self.written?;
        let Written { content_bytes, content_kept_bytes, store_bytes } = written;
        let within_s = at.since(start).as_secs();
        Some(DiskWritten { content_bytes, content_kept_bytes, store_bytes, within_s })
    }

    /// The connection in a few words.
    pub fn connection_text(&self) -> String {
        match &self.connection {
            Connection::Off => "off".into(),
            Connection::Connecting => "connecting".into(),
            Connection::Online { push: true } => "online".into(),
            Connection::Online { push: false } => "online, polling".into(),
            Connection::Offline { why } => format!("offline: {why}"),
        }
    }

    /// Downloads; None if nothing is being prepared.
    pub fn downloads(&self) -> Option<Downloads> {
        let p = self.progress.as_ref().filter(|p| p.version > 0)?;
        let file = |file: &FileProgress| Download {
            asset: file.asset,
            name: file.name.clone(),
            bytes: file.bytes,
            bytes_here: file.bytes_here,
        };
        Some(Downloads {
            version: p.version,
            assets: p.assets as u64,
            assets_here: p.assets_here as u64,
            bytes: p.bytes,
            bytes_here: p.bytes_here,
            files: p.files.iter().map(file).collect(),
        })
    }

    /// When the next hour for downloads begins, if they wait for it.
    pub fn downloads_wait(&self) -> Option<Timestamp> {
        self.progress.as_ref().filter(|p| p.version > 0)?.opens_at
    }
}

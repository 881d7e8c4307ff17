//! What sync has said last.

use std::collections::VecDeque;

use jiff::Timestamp;
use vitrine_sync::wire::record::{Download, Downloads};
use vitrine_sync::{Connection, FileProgress, Paired, Pairing, Progress};

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
    /// How downloads are.
    pub progress: Option<Progress>,
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
            progress: None,
            asked: 0,
            ask_failed: None,
            troubles: VecDeque::new(),
        }
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

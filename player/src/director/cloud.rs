//! What sync has said last.

use std::collections::VecDeque;

use jiff::Timestamp;
use vitrine_sync::{Connection, Paired, Pairing, Progress};

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
            troubles: VecDeque::new(),
        }
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

    /// Downloads in a few words; None if nothing is being prepared.
    pub fn downloads_text(&self) -> Option<String> {
        let p = self.progress.filter(|p| p.version > 0)?;
        let mb = |bytes: u64| bytes / 1_000_000;
        let (files, here) = (p.assets, p.assets_here);
        Some(format!("{here} of {files} assets, {} of {} MB", mb(p.bytes_here), mb(p.bytes)))
    }
}

//! How the player is, for people and for the cloud.

use jiff::Timestamp;
use vitrine_config::time::{Mono, Now};
use vitrine_render::scene::Card;
use vitrine_sync::model::{Entry, EntryKind};
use vitrine_sync::wire::record::Heartbeat;

use super::Director;
use super::programme::Role;
use crate::schedule::{Due, Verdict};
use crate::status::{Showing, Status};

impl Director {
    /// State of the player at `now`.
    pub(super) fn status(&self, now: &Now) -> Status {
        let cloud = &self.cloud;
        let due = self.playback.agenda.due();
        Status {
            release: self.facts.release.clone(),
            at: now.wall,
            trust: now.trust,
            uptime_s: now.mono.since(self.started_at).as_secs(),
            tenant: cloud.paired.as_ref().map(|paired| paired.tenant.clone()),
            device: cloud.paired.as_ref().map(|paired| paired.device.clone()),
            user_code: cloud.pairing.as_ref().map(|pairing| pairing.user_code.clone()),
            connection: cloud.connection_text(),
            network: cloud.network.clone(),
            manifest_version: self.playback.version(),
            downloads: cloud.downloads(),
            downloads_wait: cloud.downloads_wait(),
            settings: cloud.settings_said(),
            written: cloud.written(self.started_at),
            asked: cloud.asked,
            ask_failed: cloud.ask_failed.clone(),
            due: self.due_text(),
            due_until: due.and_then(|due| due.until),
            showing: self.showing_lines(),
            stage: self.stage_text(),
            workers: self.health.walls(),
            frames_presented: self.health.frames_presented(),
            update: self.update_status(),
            troubles: cloud.troubles.iter().cloned().collect(),
        }
    }

    /// What the cloud is told at `now`.
    pub(super) fn heartbeat(&self, now: Mono) -> Heartbeat {
        Heartbeat {
            release: self.facts.release.clone(),
            uptime_s: now.since(self.started_at).as_secs(),
            manifest_version: self.playback.version(),
            showing: self.showing_text(),
            screen_ok: self.health.screen_ok(now),
            disk_free_bytes: self.host.disk_free_bytes,
            memory_free_bytes: self.host.memory_free_bytes,
            temperature_c: self.host.temperature_c,
            // Only sync knows these two.
            outbox: 0,
            tenant_key: None,
            downloads: self.cloud.downloads(),
        }
    }

    fn showing_lines(&self) -> Vec<Showing> {
        let since = |at: Mono| -> Timestamp { self.playback.agenda.wall(at) };
        let lines = self.ledger.on_screen().map(|(turn, line)| Showing {
            turn,
            zone: line.proof.zone.clone(),
            playlist: line.proof.playlist.clone(),
            item: line.proof.item.clone(),
            label: line.label.clone(),
            since: line.shown_at.map(since),
        });
        lines.collect()
    }

    fn showing_text(&self) -> String {
        let labels = self.ledger.on_screen().map(|(_, line)| line.label.clone());
        self.card_text().into_iter().chain(labels).collect::<Vec<_>>().join(", ")
    }

    fn card_text(&self) -> Option<String> {
        Some(match &self.card.as_ref()?.card {
            Card::Pairing { user_code, .. } => format!("card: waiting for approval of {user_code}"),
            Card::NoContent { headline, detail } => format!("card: {headline}. {detail}"),
            Card::Identify { name, .. } => format!("card: {name}"),
        })
    }

    /// Which entry is in force and why, or which card; and which overlays.
    fn due_text(&self) -> String {
        let mut text = self.main_text();
        for programme in self.playback.overlays().iter().filter(|p| p.role == Role::Beside) {
            let (display, entry) = (programme.at.display, &programme.entry);
            text.push_str(&format!("; on display {display} {entry:?}"));
        }
        let overlays = self.playback.overlays().iter().rev().filter(|p| p.role == Role::Overlay);
        let overlays: Vec<_> = overlays.map(|p| format!("{:?}", p.entry)).collect();
        if !overlays.is_empty() {
            text.push_str(&format!("; in front of it {}", overlays.join(", ")));
        }
        text
    }

    fn main_text(&self) -> String {
        let entries = self.playback.live().map(|live| &live.manifest.schedule[..]).unwrap_or(&[]);
        let playing = self.playback.programme().map(|programme| programme.entry.as_str());
        let entry = entries.iter().find(|entry| Some(entry.id.as_str()) == playing);
        match (entry, self.playback.agenda.due()) {
            (Some(entry), Some(due)) => why(entry, due),
            _ => self.card_text().unwrap_or_else(|| "nothing".into()),
        }
    }

    fn stage_text(&self) -> String {
        match self.health.stage() {
            Ok(hello) => {
                let (pid, size, gpu) = (hello.pid, hello.size, &hello.gpu);
                let text = format!("pid {pid}, {} x {} px, {gpu}", size.width_px, size.height_px);
                self.health.is_outdated().map_or(text.clone(), |why| format!("{text}; {why}"))
            }
            Err(why) => format!("none: {why}"),
        }
    }
}

/// Why `entry` plays.
fn why(entry: &Entry, due: &Due) -> String {
    let kind = match entry.kind {
        EntryKind::Interrupt => "interrupt",
        EntryKind::Normal => "normal",
        EntryKind::Fallback => "fallback",
        EntryKind::Overlay => "overlay",
    };
    let count = |verdict| due.verdicts.iter().filter(|v| **v == verdict).count();
    let mut text = format!("entry {:?} ({kind}, priority {})", entry.id, entry.priority);
    let others = due.entries.len().saturating_sub(1);
    for (number, what) in [
        (others, "taking turns with"),
        (count(Verdict::Outranked), "outranking"),
        (count(Verdict::NothingToShow), "passing over, for want of anything to show,"),
        (count(Verdict::NoDisplay), "passing over, for want of their display,"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {what} {number}"));
        }
    }
    text
}

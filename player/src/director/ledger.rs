//! What was really on the screen: proof of play from the display's own word.
//!
//! Every turn that was asked for is entered here, also those that the director has given up since:
//! the stage may have shown them before it knew.

use std::collections::BTreeMap;

use vitrine_config::time::Mono;
use vitrine_render::scene::Turn;
use vitrine_sync::model::Manifest;
use vitrine_sync::wire::record::ProofOfPlay;

use super::showing::Showing;
use crate::telemetry;

/// Most turns remembered: what is on the screen of the largest layout and what was asked for
/// besides, many times over. Beyond it the oldest that never came on the screen is forgotten.
const TURNS_MAX: usize = 256;

/// Turns and what became of them.
#[derive(Debug, Default)]
pub struct Ledger {
    turns: BTreeMap<Turn, Line>,
}

/// One turn.
#[derive(Debug)]
pub struct Line {
    /// The proof as far as it is known.
    pub proof: ProofOfPlay,
    /// What people call it.
    pub label: String,
    /// When its first frame was handed to the display; None while it is not there.
    pub shown_at: Option<Mono>,
}

impl Ledger {
    /// Enters a showing that the stage is asked for, once.
    pub fn enter(&mut self, showing: &Showing, manifest: &Manifest) {
        self.turns.entry(showing.turn).or_insert_with(|| line(showing, manifest));
        if self.turns.len() > TURNS_MAX {
            let unseen = self.turns.iter().find(|(_, line)| line.shown_at.is_none());
            if let Some(turn) = unseen.or(self.turns.first_key_value()).map(|(turn, _)| *turn) {
                self.turns.remove(&turn);
            }
        }
    }

    /// The display was handed the first frame of `turn`.
    pub fn shown(&mut self, turn: Turn, at: Mono) {
        if let Some(line) = self.turns.get_mut(&turn) {
            line.shown_at.get_or_insert(at);
        }
    }

    /// `turn` is off the screen at `at`: its proof, if it is an item's and was there.
    pub fn gone(&mut self, turn: Turn, at: Mono, frames: (u64, u64)) -> Option<ProofOfPlay> {
        proof(self.turns.get_mut(&turn)?, at, frames)
    }

    /// The stage is gone and took everything along; it was last seen alive at `at`. The frames of
    /// each are not known beyond the first.
    pub fn close(&mut self, at: Mono) -> Vec<ProofOfPlay> {
        let mut lines = std::mem::take(&mut self.turns);
        lines.values_mut().filter_map(|line| proof(line, at, (1, 0))).collect()
    }

    /// What is on the screen.
    pub fn on_screen(&self) -> impl Iterator<Item = (Turn, &Line)> {
        let shown = self.turns.iter().filter(|(_, line)| line.shown_at.is_some());
        shown.map(|(turn, line)| (*turn, line))
    }
}

fn line(showing: &Showing, manifest: &Manifest) -> Line {
    let proof = ProofOfPlay {
        turn: showing.turn,
        manifest_version: manifest.version,
        playlist: showing.playlist.clone(),
        item: showing.item.id.clone(),
        zone: showing.zone.clone(),
        asset: showing.item.content.asset(),
        shown_ms: 0,
        frames_presented: 0,
        frames_dropped: 0,
    };
    Line { proof, label: telemetry::label(&showing.item, manifest), shown_at: None }
}

fn proof(line: &mut Line, at: Mono, frames: (u64, u64)) -> Option<ProofOfPlay> {
    let shown_ms = u64::try_from(at.since(line.shown_at.take()?).as_millis()).unwrap_or(u64::MAX);
    let (frames_presented, frames_dropped) = frames;
    Some(ProofOfPlay { shown_ms, frames_presented, frames_dropped, ..line.proof.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::director::showing::{Lane, Maker, Turns};
    use crate::director::sim::{colour, config, live, mono, now, playlist};
    use crate::playlist::{Failures, Step, Stock};
    use crate::scene_of::Spot;

    /// As many showings of one item as a test wants.
    fn showings(count: usize) -> Vec<Showing> {
        let live = live(3, vec![playlist("p", vec![colour("a")])]);
        let (failures, config, mut turns) = (Failures::default(), config(), Turns::default());
        let now = now(0);
        let (wall, mono, trust) = (now.wall, now.mono, now.trust);
        let stock = Stock { live: &live, failures: &failures, wall, mono, trust };
        let mut maker = Maker { stock, config: &config, turns: &mut turns, once: false };
        let lane = Lane::new(Spot::screen(), "p".into(), None);
        let step = Step { index: 0, wraps: false };
        (0..count).filter_map(|_| lane.showing(step, &mut maker)).collect()
    }

    #[test]
    fn only_what_was_shown_is_proved_and_for_as_long_as_it_was() {
        let manifest = live(3, vec![playlist("p", vec![colour("a")])]).manifest;
        let mut ledger = Ledger::default();
        let showings = showings(3);
        showings.iter().for_each(|showing| ledger.enter(showing, &manifest));
        ledger.shown(1, mono(100));
        ledger.shown(1, mono(900));
        let proof = ledger.gone(1, mono(2_600), (60, 3)).expect("it was shown");
        assert_eq!((proof.turn, proof.manifest_version, proof.shown_ms), (1, 3, 2_500));
        assert_eq!((proof.frames_presented, proof.frames_dropped), (60, 3));
        assert_eq!(ledger.gone(1, mono(2_700), (1, 0)), None, "once");
        assert_eq!(ledger.gone(2, mono(2_700), (0, 0)), None, "never shown");
        assert_eq!(ledger.gone(9, mono(2_700), (9, 0)), None, "never asked for");
        ledger.shown(3, mono(3_000));
        assert_eq!(ledger.close(mono(4_000)).len(), 1);
        assert_eq!(ledger.close(mono(4_000)).len(), 0);
    }

    #[test]
    fn memory_is_bounded_and_what_is_on_the_screen_is_kept() {
        let manifest = live(3, vec![playlist("p", vec![colour("a")])]).manifest;
        let mut ledger = Ledger::default();
        let showings = showings(5_000);
        for showing in &showings {
            ledger.enter(showing, &manifest);
            if showing.turn == 7 {
                ledger.shown(7, mono(0));
            }
        }
        assert_eq!(ledger.turns.len(), TURNS_MAX);
        assert_eq!(ledger.on_screen().map(|(turn, _)| turn).collect::<Vec<_>>(), [7]);
    }
}

//! One showing of one item, and the lane in which showings follow one another.

use std::time::Duration;

use vitrine_config::Config;
use vitrine_config::time::{Mono, Now};
use vitrine_render::scene::{Layer, Start, Transition, Turn};
use vitrine_sync::model::{Content, Item};

use crate::playlist::{Step, Stock};
use crate::scene_of::{self, Spot};

/// A lone still is not shown anew at the end of its duration: nothing would change but a file
/// decoded for nothing. It is after this, so that its proof of play comes at least that often.
const LONE_STILL: Duration = Duration::from_secs(3_600);

/// What has gone on for this much longer than its file tells is no longer believed to end soon.
const UNTRUE: Duration = Duration::from_millis(500);

/// Gives out the numbers of showings.
#[derive(Debug, Default)]
pub struct Turns {
    newest: Turn,
}

impl Turns {
    /// A number higher than all before.
    pub fn next(&mut self) -> Turn {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }

    /// Goes on above `seen`, which somebody else has given out.
    pub fn rise_above(&mut self, seen: Turn) {
        self.newest = self.newest.max(seen);
    }
}

/// How long a showing is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// From its first frame.
    For(Duration),
    /// Until the video's last frame, or until a ticker has run across.
    ToItsEnd,
}

impl Lasts {
    /// What the item says, else what its kind and the settings say.
    pub fn of(item: &Item, config: &Config) -> Lasts {
        match (item.duration, &item.content) {
            (Some(duration), _) => Lasts::For(duration),
            (None, content) if content.has_an_end() => Lasts::ToItsEnd,
            (None, _) => Lasts::For(config.playback.image_duration),
        }
    }
}

/// One showing of one item. Its layer never changes: another look is another turn.
#[derive(Debug, Clone)]
pub struct Showing {
    /// Its number.
    pub turn: Turn,
    /// Place of the item in its playlist.
    pub index: usize,
    /// Whether the playlist began anew with it.
    pub wraps: bool,
    /// Where, if in a layout.
    pub zone: Option<String>,
    /// Of which playlist.
    pub playlist: String,
    /// What is shown.
    pub item: Item,
    /// The same in render's words.
    pub layer: Layer,
    /// For how long.
    pub lasts: Lasts,
    /// How long its file says that it lasts, once the stage has told.
    pub length: Option<Duration>,
    /// Since when the stage has been asked for it.
    pub asked_at: Option<Mono>,
    /// Whether the stage has everything it needs.
    pub prepared: bool,
    /// When its first frame was handed to the display.
    pub shown_at: Option<Mono>,
    /// When its last frame's time was over, with nothing to follow.
    pub ended_at: Option<Mono>,
    /// When it is given up, having left the screen.
    pub left_at: Option<Mono>,
}

impl Showing {
    /// When the stage has taken too long over it; None if it is not waited for.
    pub fn overdue_at(&self, prepare: Duration) -> Option<Mono> {
        let waited_for = !self.prepared && self.shown_at.is_none();
        self.asked_at.filter(|_| waited_for).map(|at| at.after(prepare))
    }

    /// When it ends and, where that can be known, the moment. `alone`: nothing else would follow.
    pub fn end(&self, alone: bool, now: Mono) -> (Start, Option<Mono>) {
        let turn = self.turn;
        match self.lasts {
            Lasts::For(lasts) => {
                let still = !matches!(self.item.content, Content::Video(_) | Content::Audio(_));
                let lasts = if alone && still { lasts.max(LONE_STILL) } else { lasts };
                let since = self.shown_at.unwrap_or(now);
                (Start::After { turn, lasts }, Some(since.after(lasts)))
            }
            Lasts::ToItsEnd => {
                let start = Start::AtEnd { turn, early: Duration::ZERO };
                (start, self.ended_at.or_else(|| self.foreseen_end(now)))
            }
        }
    }

    /// When its file is over, by what it tells of its length.
    fn foreseen_end(&self, now: Mono) -> Option<Mono> {
        let end = self.shown_at.unwrap_or(now).after(self.length?);
        Some(end).filter(|end| now.since(*end) <= UNTRUE)
    }

    /// How much before its end something that comes in for `crossing` may begin to: never before it
    /// is half over itself. Zero where the end is not foreseen.
    pub fn gives_way_early(&self, crossing: Duration) -> Duration {
        let length = self.length.filter(|_| self.lasts == Lasts::ToItsEnd);
        length.map_or(Duration::ZERO, |length| crossing.min(length / 2))
    }

    /// The same item under another number, for what is left of its time. None if that is nothing.
    pub fn again(&self, turn: Turn, now: Mono) -> Option<Showing> {
        let mut again = self.clone();
        if let (Lasts::For(lasts), Some(shown_at)) = (self.lasts, self.shown_at) {
            let left = lasts.saturating_sub(now.since(shown_at));
            let least = Duration::from_millis(vitrine_config::limits::ITEM_DURATION_MIN_MS);
            again.lasts = Lasts::For(left);
            if left < least {
                return None;
            }
        }
        (again.turn, again.layer.turn) = (turn, turn);
        // It takes nobody's place but its own.
        again.layer.entrance = None;
        (again.asked_at, again.prepared, again.length) = (None, false, None);
        (again.shown_at, again.ended_at, again.left_at) = (None, None, None);
        Some(again)
    }
}

/// Where the showings of one playlist follow one another.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Where on the page.
    pub spot: Spot,
    /// Playlist id.
    pub playlist: String,
    /// Place of the last item that was current.
    pub cursor: Option<usize>,
    /// Whether anything was ever current.
    pub begun: bool,
    /// Times the playlist has come to its end here.
    pub passes: u32,
    /// What should be on the screen. None: there is nothing to show.
    pub current: Option<Showing>,
}

/// What is needed to make showings.
pub struct Maker<'a> {
    /// What can be shown.
    pub stock: Stock<'a>,
    /// The settings.
    pub config: &'a Config,
    /// Numbers.
    pub turns: &'a mut Turns,
    /// Whether every playlist ends with its last item.
    pub once: bool,
}

impl Lane {
    /// A lane in which nothing has been shown yet. `bookmark`: where the playlist was left.
    pub fn new(spot: Spot, playlist: String, bookmark: Option<usize>) -> Lane {
        Lane { spot, playlist, cursor: bookmark, begun: false, passes: 0, current: None }
    }

    /// The step to what follows.
    pub fn step(&self, stock: &Stock) -> Option<Step> {
        stock.next(stock.playlist(&self.playlist)?, self.cursor)
    }

    /// The step back.
    pub fn step_back(&self, stock: &Stock) -> Option<Step> {
        stock.previous(stock.playlist(&self.playlist)?, self.cursor.unwrap_or(0))
    }

    /// A showing of the item that `step` leads to, under a new number.
    pub fn showing(&self, step: Step, maker: &mut Maker) -> Option<Showing> {
        let item = maker.stock.playlist(&self.playlist)?.items.get(step.index)?;
        let turn = maker.turns.next();
        let live = maker.stock.live;
        let mut layer = scene_of::layer(turn, item, &self.spot, live, maker.config)?;
        layer.entrance = self.entrance(step, &maker.stock, maker.config);
        Some(Showing {
            turn,
            index: step.index,
            wraps: step.wraps,
            zone: self.spot.zone.clone(),
            playlist: self.playlist.clone(),
            item: item.clone(),
            layer,
            lasts: Lasts::of(item, maker.config),
            length: None,
            asked_at: None,
            prepared: false,
            shown_at: None,
            ended_at: None,
            left_at: None,
        })
    }

    /// How the item that `step` leads to comes in.
    pub fn entrance(&self, step: Step, stock: &Stock, config: &Config) -> Option<Transition> {
        let playlist = stock.playlist(&self.playlist)?;
        let item = playlist.items.get(step.index)?;
        let stays = match Lasts::of(item, config) {
            Lasts::For(stays) => Some(stays),
            Lasts::ToItsEnd => None,
        };
        scene_of::entrance(item, Some(playlist), &self.spot, stays)
    }

    /// Makes `showing` the current one.
    pub fn take(&mut self, showing: Showing) {
        self.begun = true;
        self.passes = self.passes.saturating_add(u32::from(showing.wraps));
        self.cursor = Some(showing.index);
        self.current = Some(showing);
    }

    /// Puts the next item that can be shown on, if nothing is.
    pub fn fill(&mut self, maker: &mut Maker) {
        let Some(step) = self.step(&maker.stock).filter(|_| self.current.is_none()) else { return };
        // The first item of a lane begins a pass, wherever the playlist was left.
        let wraps = step.wraps && self.begun;
        if wraps && maker.once {
            self.passes += 1;
        } else if let Some(showing) = self.showing(Step { wraps, ..step }, maker) {
            self.take(showing);
        }
    }

    /// Numbers the current showing anew; the next item if its time is up.
    pub fn renumber(&mut self, maker: &mut Maker, now: &Now) {
        if let Some(current) = self.current.take() {
            let turn = maker.turns.next();
            self.current = current.again(turn, now.mono);
        }
        self.fill(maker);
    }
}

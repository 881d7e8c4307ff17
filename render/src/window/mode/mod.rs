//! The mode of the displays: the one that is asked for, where a display has it.
//!
//! In:  what is asked for, the displays that there are. Out: displays that run at it, and in words
//!      what was refused.
//!
//! A display is only ever given a mode that it lists itself: nobody may be there to see that it has
//! gone dark. Asked for by X11's extension RandR or Wayland's protocol wlr-output-management, on a
//! connection and a thread of its own: no program has to be installed for it, and a server that
//! answers late holds up no picture. Asked again when there are other displays.
//!
//! Not here: windows, which follow by themselves (`panes`).

mod places;
mod wayland;
mod x11;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use winit::monitor::MonitorHandle;

use super::under_wayland;
use crate::scene::{Mode, Size};
use crate::source::Waker;

/// A rate that is so near is the one that was meant: 60 means 59.94, too, and 24 means 23.976.
const NEAR_MILLIHERTZ: u32 = 500;
/// Faster than this is nothing for a display that nobody plays games on, unless it is asked for.
const FAST_MILLIHERTZ: u32 = 60_500;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A mode that a display lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    size: Size,
    refresh_millihertz: u32,
    /// The display's own.
    preferred: bool,
}

/// Has the displays run at what is asked for.
pub(super) struct Modes {
    /// What was asked for last, and of which displays. None: nothing ever was.
    asked: Option<(Option<Mode>, Vec<MonitorHandle>)>,
    /// A thread is at it.
    busy: bool,
    done: (SyncSender<Vec<String>>, Receiver<Vec<String>>),
    waker: Waker,
}

impl Modes {
    pub(super) fn new(waker: Waker) -> Modes {
        Modes { asked: None, busy: false, done: sync_channel(1), waker }
    }

    /// Asks for `mode` if that, or a display, is another one than before. Returns what was refused
    /// since the last call.
    pub(super) fn keep(
        &mut self,
        mode: Option<Mode>,
        displays: impl FnOnce() -> Vec<MonitorHandle>,
    ) -> Vec<String> {
        let refused = self.done.1.try_recv().ok();
        self.busy &= refused.is_none();
        // A display that was never asked for anything is left as it is.
        if !self.busy && (mode.is_some() || self.asked.is_some()) {
            let asked = Some((mode, displays()));
            if self.asked != asked {
                self.asked = asked;
                self.ask(mode);
            }
        }
        refused.unwrap_or_default()
    }

    fn ask(&mut self, mode: Option<Mode>) {
        let (done, waker) = (self.done.0.clone(), self.waker.clone());
        let work = move || {
            // There is room: only one is at it. A stage that has ended does not care.
            done.try_send(ask(mode)).ok();
            waker();
        };
        match Builder::new().name("mode".into()).spawn(work) {
            Ok(_) => self.busy = true,
            Err(error) => tracing::warn!(%error, "no thread to ask for a mode"),
        }
    }
}

/// Asks all displays for `mode`, None for their own. Returns what was refused.
fn ask(mode: Option<Mode>) -> Vec<String> {
    let asked = if under_wayland() { wayland::ask(mode) } else { x11::ask(mode) };
    asked.unwrap_or_else(|error| {
        let wanted = mode.map_or("its own mode".to_owned(), text);
        vec![format!("screen.mode: no display was given {wanted}: {error}")]
    })
}

/// The place of the offer that is meant by `mode`: of its size, the nearest to its rate; without a
/// rate the preferred one, else the fastest that is not too fast. None: there is no such offer.
fn choose(offers: &[Offer], mode: Option<Mode>) -> Option<usize> {
    let places = |fits: &dyn Fn(&Offer) -> bool| -> Vec<usize> {
        (0..offers.len()).filter(|place| fits(&offers[*place])).collect()
    };
    let Some(Mode { size, refresh_millihertz }) = mode else {
        return places(&|offer| offer.preferred).first().copied();
    };
    let sized = places(&|offer| offer.size == size).into_iter();
    let rate = |place: &usize| offers[*place].refresh_millihertz;
    match refresh_millihertz {
        Some(wanted) => {
            let off = |place: &usize| rate(place).abs_diff(wanted);
            sized.filter(|place| off(place) <= NEAR_MILLIHERTZ).min_by_key(off)
        }
        None => sized.max_by_key(|place| {
            let slow = rate(place) <= FAST_MILLIHERTZ;
            let rate = i64::from(rate(place));
            // The first of equals.
            (offers[*place].preferred, slow, if slow { rate } else { -rate }, usize::MAX - place)
        }),
    }
}

/// Tells that `display` has no such mode, and what it has.
fn missing(display: &str, mode: Option<Mode>, offers: &[Offer]) -> String {
    let mut listed: Vec<String> = Vec::new();
    for offer in offers {
        let text =
            text(Mode { size: offer.size, refresh_millihertz: Some(offer.refresh_millihertz) });
        if !listed.contains(&text) {
            listed.push(text);
        }
    }
    let listed = match listed.is_empty() {
        true => "none".to_owned(),
        false => listed.join(", "),
    };
    let wanted = mode.map_or("preferred mode".to_owned(), |mode| format!("mode {}", text(mode)));
    format!("screen.mode: {display} has no {wanted} and keeps the one it has; it lists {listed}")
}

/// As the settings have it.
fn text(mode: Mode) -> String {
    let Size { width_px, height_px } = mode.size;
    match mode.refresh_millihertz {
        Some(rate) => {
            format!("{width_px}x{height_px}@{}", (f64::from(rate) / 10.0).round() / 100.0)
        }
        None => format!("{width_px}x{height_px}"),
    }
}

fn changed(name: &str, offer: &Offer) {
    let mode = Mode { size: offer.size, refresh_millihertz: Some(offer.refresh_millihertz) };
    let mode = text(mode);
    tracing::info!("display {name} runs at {mode}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(width_px: u32, height_px: u32, rate: u32, preferred: bool) -> Offer {
        Offer { size: Size { width_px, height_px }, refresh_millihertz: rate, preferred }
    }

    /// As a television lists them, some of them twice.
    fn television() -> Vec<Offer> {
        vec![
            offer(3840, 2160, 30_000, true),
            offer(3840, 2160, 23_976, false),
            offer(1920, 1080, 119_880, false),
            offer(1920, 1080, 60_000, false),
            offer(1920, 1080, 59_940, false),
            offer(1920, 1080, 60_000, false),
            offer(1920, 1080, 50_000, false),
            offer(1280, 720, 144_000, false),
            offer(1280, 720, 120_000, false),
        ]
    }

    #[test]
    fn the_offer_that_is_meant() {
        let fhd = |rate| Some((1920, 1080, rate));
        for (case, wanted, place) in [
            ("its own", None, Some(0)),
            ("exactly", fhd(Some(50_000)), Some(6)),
            ("the nearer of two", fhd(Some(60_000)), Some(3)),
            ("the other one", fhd(Some(59_940)), Some(4)),
            ("as people say it", Some((3840, 2160, Some(24_000))), Some(1)),
            ("fast because it is asked for", fhd(Some(120_000)), Some(2)),
            ("no such rate", fhd(Some(75_000)), None),
            ("no such size", Some((1920, 1200, Some(60_000))), None),
            ("any rate: preferred", Some((3840, 2160, None)), Some(0)),
            ("any rate: not too fast", fhd(None), Some(3)),
            ("any rate: the least too fast", Some((1280, 720, None)), Some(8)),
            ("any rate, no such size", Some((800, 600, None)), None),
        ] {
            let mode = wanted.map(|(width_px, height_px, refresh_millihertz)| Mode {
                size: Size { width_px, height_px },
                refresh_millihertz,
            });
            assert_eq!(choose(&television(), mode), place, "case {case:?}");
        }
        assert_eq!(choose(&[], None), None);
    }

    #[test]
    fn a_missing_mode_is_told_with_those_that_there_are() {
        let mode = Mode { size: Size { width_px: 800, height_px: 600 }, refresh_millihertz: None };
        let offers = [offer(1920, 1080, 59_940, true), offer(1920, 1080, 59_940, false)];
        assert_eq!(
            missing("HDMI-A-1", Some(mode), &offers),
            "screen.mode: HDMI-A-1 has no mode 800x600 and keeps the one it has; \
             it lists 1920x1080@59.94"
        );
    }
}

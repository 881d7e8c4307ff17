//! The windows: one, or one on each display, as they are found.
//!
//! In:  what is asked for, the displays that the server names. Out: windows in the order of their
//! displays, and the screen that they make.
//!
//! Not here: drawing on them (`gpu::target`).

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::event_loop::ActiveEventLoop;
use winit::monitor::MonitorHandle;
use winit::window::{Fullscreen, Window, WindowAttributes, WindowId};

use super::{no_display, under_wayland};
use crate::gpu::Pane;
use crate::place::Area;
use crate::run::StageError;
use crate::scene::{Displays, Size};
use crate::screen::Screen;

/// What displays do; anything else is a driver that does not know.
const REFRESH_MILLIHERTZ: RangeInclusive<u32> = 20_000..=500_000;

/// A display that is to have a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    monitor: MonitorHandle,
    /// Where on the server's screen, under X11, where no window follows its display by itself.
    lies: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
}

/// All windows, in the order of their displays.
pub(super) struct Panes {
    /// None: full screen.
    size: Option<Size>,
    /// Where windows were to be; empty: it is one, wherever the server puts it.
    asked: Vec<Spot>,
    open: Vec<(Option<MonitorHandle>, Pane)>,
    /// Where each display is on the first window, where the compositor (cage) lays every window on
    /// all of them.
    spread: Vec<Area>,
}

impl Panes {
    /// None yet.
    pub(super) fn new(size: Option<Size>) -> Panes {
        Panes { size, asked: Vec::new(), open: Vec::new(), spread: Vec::new() }
    }

    /// The first one; there is one from the start on.
    pub(super) fn first(&self) -> Option<&Pane> {
        self.open.first().map(|(_, pane)| pane)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pane> {
        self.open.iter().map(|(_, pane)| pane)
    }

    /// Its place among them.
    pub(super) fn position(&self, id: WindowId) -> Option<usize> {
        self.iter().position(|pane| pane.window.id() == id)
    }

    /// Opens the first window.
    pub(super) fn begin(&mut self, events: &ActiveEventLoop) -> Result<(), StageError> {
        let wanted = match self.size {
            None => {
                self.asked = spots(Displays::First, events).unwrap_or_default();
                full_screen(main(events))
            }
            Some(size) => {
                let size = PhysicalSize::new(size.width_px, size.height_px);
                Window::default_attributes().with_inner_size(size)
            }
        };
        let on = self.asked.first().map(|spot| spot.monitor.clone());
        self.open.push((on, open(wanted, events)?));
        Ok(())
    }

    /// Whether it is for the displays to say where windows are.
    pub(super) fn is_full_screen(&self) -> bool {
        self.size.is_none()
    }

    /// Where windows shall be, if that has changed; empty: wherever one goes.
    pub(super) fn change(&self, displays: Displays, events: &ActiveEventLoop) -> Option<Vec<Spot>> {
        if !self.is_full_screen() {
            return None;
        }
        // Where one lies on all displays, there is no room for others.
        let one = !self.spread.is_empty();
        let wanted = spots(if one { Displays::First } else { displays }, events)?;
        (wanted != self.asked).then_some(wanted)
    }

    /// Moves windows whose displays are the same ones elsewhere or in another extent. False: there
    /// must be other windows.
    pub(super) fn follow(&mut self, wanted: &[Spot]) -> bool {
        let on = self.open.iter().map(|(monitor, _)| monitor.as_ref());
        let same = !wanted.is_empty() && on.eq(wanted.iter().map(|spot| Some(&spot.monitor)));
        if same {
            self.open.iter().zip(wanted).for_each(|((_, pane), spot)| put_on(&pane.window, spot));
            self.asked = wanted.to_vec();
        }
        same
    }

    /// Opens and closes windows; their surfaces must be gone.
    pub(super) fn make(&mut self, wanted: Vec<Spot>, events: &ActiveEventLoop) {
        self.asked.clone_from(&wanted);
        match wanted.is_empty() {
            true => self.be_alone(),
            false => self.spread(wanted, events),
        }
    }

    /// Closes all windows but the first, which goes to where the server puts one.
    fn be_alone(&mut self) {
        self.open.truncate(1);
        if let Some((monitor, pane)) = self.open.first_mut() {
            *monitor = None;
            pane.window.set_fullscreen(Some(Fullscreen::Borderless(None)));
        }
    }

    /// One window for each display, the ones that are there first.
    fn spread(&mut self, wanted: Vec<Spot>, events: &ActiveEventLoop) {
        let mut spare: Vec<_> = std::mem::take(&mut self.open);
        let kept: Vec<_> = wanted.iter().map(|spot| spot.monitor.clone()).collect();
        for spot in wanted {
            let there = |(on, pane): &(Option<MonitorHandle>, Pane)| {
                let on = on.clone().or_else(|| pane.window.current_monitor());
                on.as_ref() == Some(&spot.monitor)
            };
            let place = spare.iter().position(there);
            // One whose display has gone, or that never was on a certain one.
            let free = |on: &Option<MonitorHandle>| on.as_ref().is_none_or(|on| !kept.contains(on));
            let place = place.or_else(|| spare.iter().position(|(on, _)| free(on)));
            let pane = match place {
                Some(place) => {
                    let (_, pane) = spare.remove(place);
                    put_on(&pane.window, &spot);
                    Ok(pane)
                }
                None => open(full_screen(Some(spot.monitor.clone())), events),
            };
            match pane {
                Ok(pane) => self.open.push((Some(spot.monitor), pane)),
                // The others show what they can.
                Err(error) => tracing::warn!(%error, "no window on a display"),
            }
        }
        if self.open.is_empty() {
            self.open = spare;
        }
    }

    /// Looks at which displays the first window lies on. True: on others than before.
    pub(super) fn survey(&mut self, events: &ActiveEventLoop) -> bool {
        let full_screen = |pane: &&Pane| self.is_full_screen() && pane.is_paced();
        let window = self.first().filter(full_screen).map(|pane| size_of(&pane.window));
        let areas = || monitors(events).0.iter().map(area).collect::<Vec<_>>();
        let spread = window.map(|window| spread_over(window, &areas())).unwrap_or_default();
        let before = std::mem::replace(&mut self.spread, spread);
        before != self.spread
    }

    /// What the windows make together.
    pub(super) fn screen(&self, events: &ActiveEventLoop) -> Screen {
        let stacked = monitors(events).1;
        let sizes = self.iter().map(|pane| size_of(&pane.window)).collect();
        let nothing = Size { width_px: 0, height_px: 0 };
        let spread = Screen::spread(self.spread.clone(), stacked);
        spread.or_else(|| Screen::of(sizes, stacked)).unwrap_or_else(|| nothing.into())
    }

    /// For how long the first display shows each frame; as most do where it does not say.
    pub(super) fn refresh(&self, events: &ActiveEventLoop) -> Duration {
        let monitor = self.first().and_then(|pane| pane.window.current_monitor());
        // As it is now: a window hears of another rate of its display only when it moves.
        let fresh = events.available_monitors().find(|other| Some(other) == monitor.as_ref());
        let millihertz = fresh.or(monitor).and_then(|found| found.refresh_rate_millihertz());
        let rate = millihertz.filter(|rate| REFRESH_MILLIHERTZ.contains(rate)).unwrap_or(60_000);
        Duration::from_nanos(1_000_000_000_000 / u64::from(rate))
    }
}

pub(super) fn size_of(window: &Window) -> Size {
    let size = window.inner_size();
    Size { width_px: size.width, height_px: size.height }
}

fn area(monitor: &MonitorHandle) -> Area {
    let (position, size) = (monitor.position(), monitor.size());
    Area { x_px: position.x, y_px: position.y, width_px: size.width, height_px: size.height }
}

/// Where each display is on a window that lies on all of them; none if it does not.
fn spread_over(window: Size, displays: &[Area]) -> Vec<Area> {
    let left = displays.iter().map(|display| display.x_px).min().unwrap_or(0);
    let top = displays.iter().map(|display| display.y_px).min().unwrap_or(0);
    let within = |display: &Area| Area {
        x_px: display.x_px.saturating_sub(left),
        y_px: display.y_px.saturating_sub(top),
        ..*display
    };
    let areas: Vec<_> = displays.iter().map(within).collect();
    let reach = |at: i32, side: u32| at.unsigned_abs().saturating_add(side);
    let all = Size {
        width_px: areas.iter().map(|area| reach(area.x_px, area.width_px)).max().unwrap_or(0),
        height_px: areas.iter().map(|area| reach(area.y_px, area.height_px)).max().unwrap_or(0),
    };
    // One that is as large as all together shows the window alone.
    let alone = displays.iter().any(|display| display.size() == all);
    if window == all && !alone { areas } else { Vec::new() }
}

/// The display that one window goes on.
fn main(events: &ActiveEventLoop) -> Option<MonitorHandle> {
    let found = monitors(events).0;
    // winit makes one up where there is none.
    let named = events.primary_monitor().filter(|main| found.contains(main));
    named.or_else(|| found.into_iter().next())
}

/// Where windows shall be; empty: wherever one goes. None: there is no display to say so.
fn spots(displays: Displays, events: &ActiveEventLoop) -> Option<Vec<Spot>> {
    let found = monitors(events).0;
    let wanted = match displays != Displays::First && found.len() > 1 {
        true => found,
        // A compositor sees to it that its windows are where they can be seen.
        false if under_wayland() => Vec::new(),
        false => vec![main(events)?],
    };
    let spot = |monitor: MonitorHandle| {
        let lies = (!under_wayland()).then(|| (monitor.position(), monitor.size()));
        Spot { monitor, lies }
    };
    Some(wanted.into_iter().map(spot).collect())
}

/// The displays from the left, or, where all have the same left edge, from the top: then true.
pub(super) fn monitors(events: &ActiveEventLoop) -> (Vec<MonitorHandle>, bool) {
    let mut found: Vec<_> = events.available_monitors().collect();
    found.sort_by_key(|monitor| (monitor.position().x, monitor.position().y));
    // Two outputs that are one picture already are one display.
    found.dedup_by_key(|monitor| monitor.position());
    let left = |monitor: &MonitorHandle| monitor.position().x;
    let stacked = found.len() > 1 && found.windows(2).all(|two| left(&two[0]) == left(&two[1]));
    (found, stacked)
}

fn open(wanted: WindowAttributes, events: &ActiveEventLoop) -> Result<Pane, StageError> {
    let window = events.create_window(wanted.with_title("Vitrine")).map_err(no_display)?;
    window.set_cursor_visible(false);
    Ok(Pane { window: Arc::new(window), display: events.owned_display_handle() })
}

/// Full screen; where no window manager is there to see to that (a bare X server), the size of the
/// display does the same.
fn full_screen(monitor: Option<MonitorHandle>) -> WindowAttributes {
    // A compositor that leaves them to its windows would have them on the screen.
    let wanted = Window::default_attributes().with_decorations(false);
    match monitor {
        Some(monitor) => wanted
            .with_inner_size(monitor.size())
            .with_position(monitor.position())
            .with_fullscreen(Some(Fullscreen::Borderless(Some(monitor)))),
        None => wanted.with_fullscreen(Some(Fullscreen::Borderless(None))),
    }
}

/// Has a window go to where a display is, or follow it.
fn put_on(window: &Window, spot: &Spot) {
    let there = window.current_monitor().as_ref() == Some(&spot.monitor);
    // labwc does not move one that is full screen already.
    if under_wayland() && !there {
        window.set_fullscreen(None);
    }
    window.set_fullscreen(Some(Fullscreen::Borderless(Some(spot.monitor.clone()))));
    if let Some((position, size)) = spot.lies {
        window.set_outer_position(position);
        // Comes with an event of its own.
        let _ = window.request_inner_size(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_on_all_displays_or_on_one() {
        let area = |x_px, y_px, width_px, height_px| Area { x_px, y_px, width_px, height_px };
        let size = |width_px, height_px| Size { width_px, height_px };
        let row = [area(0, 0, 1280, 720), area(1280, 0, 800, 600)];
        let column = [area(100, -50, 640, 360), area(100, 310, 640, 360)];
        let inside = [area(0, 0, 1280, 720), area(200, 100, 800, 600)];
        for (case, window, displays, wanted) in [
            ("none", size(0, 0), &[][..], vec![]),
            ("the only one", size(1280, 720), &row[..1], vec![]),
            ("the first one", size(1280, 720), &row[..], vec![]),
            ("both", size(2080, 720), &row[..], row.to_vec()),
            ("the one that has the other in it", size(1280, 720), &inside[..], vec![]),
            (
                "both, away from the corner",
                size(640, 720),
                &column[..],
                vec![area(0, 0, 640, 360), area(0, 360, 640, 360)],
            ),
        ] {
            assert_eq!(spread_over(window, displays), wanted, "case {case:?}");
        }
    }
}

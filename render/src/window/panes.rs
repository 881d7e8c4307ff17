//! The windows: one, or one on each display, as they are found.
//!
//! In:  what is asked for, the displays that the server names. Out: windows in the order of their
//! displays, and the screen that they make.
//!
//! Not here: drawing on them (`gpu::target`).

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use winit::dpi::PhysicalSize;
use winit::event_loop::ActiveEventLoop;
use winit::monitor::MonitorHandle;
use winit::window::{Fullscreen, Window, WindowAttributes, WindowId};

use super::no_display;
use crate::gpu::Pane;
use crate::run::StageError;
use crate::scene::{Displays, Size};
use crate::screen::Screen;

/// What displays do; anything else is a driver that does not know.
const REFRESH_MILLIHERTZ: RangeInclusive<u32> = 20_000..=500_000;

/// All windows, in the order of their displays.
pub(super) struct Panes {
    /// None: full screen.
    size: Option<Size>,
    /// The displays that were to have a window; empty: it is one, wherever.
    asked: Vec<MonitorHandle>,
    open: Vec<(Option<MonitorHandle>, Pane)>,
}

impl Panes {
    /// None yet.
    pub(super) fn new(size: Option<Size>) -> Panes {
        Panes { size, asked: Vec::new(), open: Vec::new() }
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
            None => full_screen(
                events.primary_monitor().or_else(|| monitors(events).0.into_iter().next()),
            ),
            Some(size) => {
                let size = PhysicalSize::new(size.width_px, size.height_px);
                Window::default_attributes().with_inner_size(size)
            }
        };
        self.open.push((None, open(wanted, events)?));
        Ok(())
    }

    /// The displays that shall have a window, if those have changed; empty: wherever one goes.
    pub(super) fn change(
        &self,
        displays: Displays,
        events: &ActiveEventLoop,
    ) -> Option<Vec<MonitorHandle>> {
        let several = displays != Displays::First && self.size.is_none();
        let found = if several { monitors(events).0 } else { Vec::new() };
        let wanted = if found.len() > 1 { found } else { Vec::new() };
        (wanted != self.asked).then_some(wanted)
    }

    /// Opens and closes windows; their surfaces must be gone.
    pub(super) fn make(&mut self, wanted: Vec<MonitorHandle>, events: &ActiveEventLoop) {
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
    fn spread(&mut self, wanted: Vec<MonitorHandle>, events: &ActiveEventLoop) {
        let mut spare: Vec<_> = std::mem::take(&mut self.open);
        for monitor in wanted {
            let place = spare.iter().position(|(on, _)| on.as_ref() == Some(&monitor));
            let place = place.or_else(|| spare.iter().position(|(on, _)| on.is_none()));
            let pane = match place {
                Some(place) => {
                    let (_, pane) = spare.remove(place);
                    put_on(&pane.window, &monitor);
                    Ok(pane)
                }
                None => open(full_screen(Some(monitor.clone())), events),
            };
            match pane {
                Ok(pane) => self.open.push((Some(monitor), pane)),
                // The others show what they can.
                Err(error) => tracing::warn!(%error, "no window on a display"),
            }
        }
        if self.open.is_empty() {
            self.open = spare;
        }
    }

    /// What the windows make together.
    pub(super) fn screen(&self, events: &ActiveEventLoop) -> Screen {
        let sizes = self.iter().map(|pane| size_of(&pane.window)).collect();
        let nothing = Size { width_px: 0, height_px: 0 };
        Screen::of(sizes, monitors(events).1).unwrap_or_else(|| nothing.into())
    }

    /// For how long the first display shows each frame; as most do where it does not say.
    pub(super) fn refresh(&self) -> Duration {
        let monitor = self.first().and_then(|pane| pane.window.current_monitor());
        let millihertz = monitor.and_then(|found| found.refresh_rate_millihertz());
        let rate = millihertz.filter(|rate| REFRESH_MILLIHERTZ.contains(rate)).unwrap_or(60_000);
        Duration::from_nanos(1_000_000_000_000 / u64::from(rate))
    }
}

pub(super) fn size_of(window: &Window) -> Size {
    let size = window.inner_size();
    Size { width_px: size.width, height_px: size.height }
}

/// The displays from the left, or, where all have the same left edge, from the top: then true.
fn monitors(events: &ActiveEventLoop) -> (Vec<MonitorHandle>, bool) {
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
    let wanted = Window::default_attributes();
    match monitor {
        Some(monitor) => wanted
            .with_inner_size(monitor.size())
            .with_position(monitor.position())
            .with_fullscreen(Some(Fullscreen::Borderless(Some(monitor)))),
        None => wanted.with_fullscreen(Some(Fullscreen::Borderless(None))),
    }
}

fn put_on(window: &Window, monitor: &MonitorHandle) {
    window.set_fullscreen(Some(Fullscreen::Borderless(Some(monitor.clone()))));
    window.set_outer_position(monitor.position());
    // Comes with an event of its own.
    let _ = window.request_inner_size(monitor.size());
}

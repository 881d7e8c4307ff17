//! A stage in a window: full screen for a signage display, windowed for people at a desk.
//!
//! Ends when the agent says so or by the close button, and, unless it is the screen of a device that
//! anybody could walk up to, by Escape or q. No GPU that could draw:
//! `fallback` takes over the windows, so that the screen says what is wrong.
//!
//! Start at `panes` (which windows there are) and `gpus` (what draws on them).

mod blanking;
mod gpus;
mod mode;
mod panes;
mod plugs;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use vitrine_config::time::{Clock, Mono};
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, KeyEvent, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy};
use winit::keyboard::{Key, NamedKey};
use winit::window::WindowId;

use self::blanking::Awake;
use self::gpus::{Answer, Found, LOOK_AGAIN};
use self::mode::Modes;
use self::panes::{Panes, Spot, monitors, size_of};
use self::plugs::Plugs;
use crate::engine::Engine;
use crate::fallback::Fallback;
use crate::gpu::lookout::Lookout;
use crate::gpu::target::{Handed, Windows};
use crate::link::Agent;
use crate::run::{StageError, StageOptions};
use crate::scene::{Rotation, Size};
use crate::source::Waker;

/// Something has happened outside the window; what, the engine knows.
struct Woken;

/// Runs until the agent or a person ends it. `size` None: full screen.
///
/// # Errors
/// No display to open a window on; no threads.
pub(crate) fn run(
    options: StageOptions,
    clock: Arc<dyn Clock>,
    size: Option<Size>,
) -> Result<(), StageError> {
    let bell = Arc::new(OnceLock::<EventLoopProxy<Woken>>::new());
    let rung = Arc::clone(&bell);
    // A loop that is not there yet looks at everything when it comes; a closed one needs no waking.
    let waker: Waker = Arc::new(move || {
        if let Some(proxy) = rung.get() {
            proxy.send_event(Woken).ok();
        }
    });
    let keys = size.is_some() || matches!(options.agent, Agent::Pair(_));
    // Before the display: a worker gets ready and the agent speaks while that one opens.
    let engine = Engine::start(options, clock, waker.clone())?;
    let events = EventLoop::<Woken>::with_user_event().build().map_err(no_display)?;
    bell.get_or_init(|| events.create_proxy());
    let mut stage = WindowStage {
        engine,
        keys,
        gpu: sync_channel(1),
        lookout: Lookout::new(waker.clone()),
        panes: Panes::new(size),
        modes: size.is_none().then(|| Modes::new(waker.clone())),
        plugs: None,
        refresh: Duration::ZERO,
        waker,
        target: None,
        fallback: Vec::new(),
        look_at: None,
        look_again: LOOK_AGAIN,
        ready_at: None,
        beyond: None,
        hung: Rotation::None,
        listening: false,
        _awake: None,
        ended: Ok(()),
    };
    events.run_app(&mut stage).map_err(no_display)?;
    stage.ended
}

fn no_display(error: impl std::fmt::Display) -> StageError {
    StageError::NoDisplay(error.to_string())
}

struct WindowStage {
    engine: Engine,
    waker: Waker,
    /// A person at the keyboard may end it.
    keys: bool,
    gpu: (SyncSender<Answer>, Receiver<Answer>),
    /// For a real GPU while a software one draws.
    lookout: Lookout<Found>,
    panes: Panes,
    plugs: Option<Plugs>,
    /// None in a window: displays are somebody else's.
    modes: Option<Modes>,
    /// For how long the first display shows each frame.
    refresh: Duration,
    target: Option<Windows>,
    /// One for each window, when there is no GPU.
    fallback: Vec<Fallback>,
    /// When to look for a GPU again, and the pause after that.
    look_at: Option<Mono>,
    look_again: Duration,
    /// When a display that does not say so itself counts as ready for another frame.
    ready_at: Option<Mono>,
    /// That a display is larger than the GPU draws, as it was told last.
    beyond: Option<String>,
    /// How the card without a GPU was last turned.
    hung: Rotation,
    /// The display's word that it is ready for another frame is waited for.
    listening: bool,
    _awake: Option<Awake>,
    ended: Result<(), StageError>,
}

impl ApplicationHandler<Woken> for WindowStage {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.panes.first().is_some() {
            return;
        }
        let opened = self.panes.begin(events).and_then(|()| self.set_up());
        match opened {
            Ok(()) => self.measure(events),
            Err(error) => self.end(events, Err(error)),
        }
        // A GPU is being looked for: what else there is to ask of the X server costs no time now.
        if self.panes.is_full_screen() {
            self._awake = Awake::keep();
            self.plugs = Plugs::watch(self.waker.clone());
        }
    }

    fn user_event(&mut self, _events: &ActiveEventLoop, _event: Woken) {
        // `about_to_wait` follows each event.
    }

    fn window_event(&mut self, events: &ActiveEventLoop, id: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.end(events, Ok(())),
            // One of several goes with its display.
            WindowEvent::Destroyed if self.panes.position(id) == Some(0) => {
                self.end(events, Ok(()));
            }
            WindowEvent::KeyboardInput { event, .. } if self.keys && is_end_key(&event) => {
                self.end(events, Ok(()));
            }
            WindowEvent::Resized(size) => self.resize(id, size, events),
            WindowEvent::Occluded(false) => self.engine.redraw(),
            WindowEvent::RedrawRequested
                if self.panes.position(id) == Some(0) || !self.fallback.is_empty() =>
            {
                self.draw();
            }
            _ => {}
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        if let Err(error) = self.look_after_gpu() {
            self.end(events, Err(error));
        }
        self.keep_to_the_displays(events);
        if self.ready_at.take_if(|at| *at <= self.engine.now()).is_some() {
            self.engine.frame_done();
        }
        let work = self.engine.work();
        if work.quit {
            self.end(events, Ok(()));
        }
        if let (true, Some(pane)) = (work.draw, self.panes.first()) {
            pane.window.request_redraw();
        }
        events.set_control_flow(self.sleep(self.wake_at(work.wake_at)));
    }

    fn exiting(&mut self, _events: &ActiveEventLoop) {
        self.engine.close();
        // The surface goes before its window.
        self.target = None;
    }
}

impl WindowStage {
    /// Has a window on each display that is asked for, and what goes with that.
    fn keep_to_the_displays(&mut self, events: &ActiveEventLoop) {
        let (rotation, displays) = self.engine.hung();
        if !self.fallback.is_empty() && std::mem::replace(&mut self.hung, rotation) != rotation {
            self.panes.first().into_iter().for_each(|pane| pane.window.request_redraw());
        }
        self.engine.set_dark(events.available_monitors().next().is_none());
        if let (Some(plugs), Some(pane)) = (&self.plugs, self.panes.first()) {
            plugs.tell(&pane.window);
        }
        self.keep_to_the_mode(events);
        if self.panes.survey(events) {
            self.measure(events);
        }
        match self.panes.change(displays, events) {
            Some(wanted) if !self.panes.follow(&wanted) => self.set_out_anew(wanted, events),
            _ => self.keep_the_rhythm(events),
        }
    }

    fn keep_to_the_mode(&mut self, events: &ActiveEventLoop) {
        let wanted = self.engine.mode();
        let refused = self.modes.as_mut().map(|modes| modes.keep(wanted, || monitors(events).0));
        refused.into_iter().flatten().for_each(|what| self.engine.refused(what));
    }

    /// Has other windows. Surfaces go before their windows; everything is set up anew: it happens
    /// when somebody plugs a cable.
    fn set_out_anew(&mut self, wanted: Vec<Spot>, events: &ActiveEventLoop) {
        let drew = self.target.take().is_some();
        let card = std::mem::take(&mut self.fallback).pop().map(Fallback::into_why);
        self.panes.make(wanted, events);
        self.measure(events);
        let set_up = match card {
            Some(why) => self.show_card(&why),
            None if drew => {
                self.engine.drop_gpu();
                self.set_up()
            }
            None => Ok(()),
        };
        if let Err(error) = set_up {
            self.end(events, Err(error));
        }
    }

    /// Tells the engine what the windows are like.
    fn measure(&mut self, events: &ActiveEventLoop) {
        self.panes.survey(events);
        self.engine.resize(self.panes.screen(events));
        self.keep_the_rhythm(events);
        self.tell_what_is_beyond();
    }

    fn keep_the_rhythm(&mut self, events: &ActiveEventLoop) {
        let refresh = self.panes.refresh(events);
        if std::mem::replace(&mut self.refresh, refresh) != refresh {
            self.engine.set_refresh(refresh);
        }
    }

    fn resize(&mut self, id: WindowId, size: PhysicalSize<u32>, events: &ActiveEventLoop) {
        let size = Size { width_px: size.width, height_px: size.height };
        if let (Some(target), Some(place)) = (&mut self.target, self.panes.position(id)) {
            target.resize(place, size);
        }
        self.measure(events);
        self.engine.redraw();
    }

    fn draw(&mut self) {
        if !self.fallback.is_empty() {
            for (fallback, pane) in self.fallback.iter_mut().zip(self.panes.iter()) {
                fallback.draw(size_of(&pane.window), self.hung);
            }
            return;
        }
        let Some(target) = &mut self.target else { return };
        if std::mem::take(&mut self.listening) {
            self.engine.saw_refresh();
        }
        let (begun, before) = (self.engine.now(), self.engine.frames_presented());
        let handed = self.engine.frame(target);
        let drew = self.engine.frames_presented() > before;
        let pane = self.panes.first().filter(|_| drew);
        // An X server holds us up until its refresh, if it has one: without a GPU or over a network it
        // would take hundreds of frames a second.
        if pane.is_some_and(|pane| !pane.is_paced()) {
            self.ready_at = Some(begun.after(self.refresh * 9 / 10));
        } else if self.ready_at.is_none() {
            self.engine.frame_done();
        }
        // Wayland's word that it is ready for the next frame comes with its refresh. While something
        // moves, it is worth a wake-up to learn when that is.
        if let Some(pane) = pane.filter(|pane| pane.is_paced() && self.engine.is_moving()) {
            self.listening = true;
            pane.window.request_redraw();
        }
        if handed == Handed::Lost
            && let Err(error) = self.rebuild()
        {
            self.ended = Err(error);
        }
    }

    fn wake_at(&self, engine: Option<Mono>) -> Option<Mono> {
        let own = [engine, self.look_at, self.ready_at, self.lookout.wake_at()];
        own.into_iter().flatten().min()
    }

    fn sleep(&self, wake_at: Option<Mono>) -> ControlFlow {
        match wake_at {
            None => ControlFlow::Wait,
            Some(at) => ControlFlow::wait_duration(at.since(self.engine.now())),
        }
    }

    fn end(&mut self, events: &ActiveEventLoop, how: Result<(), StageError>) {
        if self.ended.is_ok() {
            self.ended = how;
        }
        events.exit();
    }
}

/// Whether windows are a Wayland compositor's.
fn under_wayland() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET")
}

fn is_end_key(event: &KeyEvent) -> bool {
    let ends = match &event.logical_key {
        Key::Named(NamedKey::Escape) => true,
        Key::Character(text) => text.eq_ignore_ascii_case("q"),
        _ => false,
    };
    ends && event.state == ElementState::Pressed
}

//! A stage in a window: full screen for a signage display, windowed for people at a desk.
//!
//! Ends when the agent says so or by the close button, and, unless it is the screen of a device that
//! anybody could walk up to, by Escape or q. No GPU that could draw:
//! `fallback` takes over the window, so that the screen says what is wrong.

use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

use vitrine_config::time::{Clock, Mono};
use wgpu::Surface;
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, KeyEvent, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy};
use winit::keyboard::{Key, NamedKey};
use winit::window::{Fullscreen, Window, WindowAttributes, WindowId};

use crate::engine::Engine;
use crate::fallback::Fallback;
use crate::gpu::painter::GpuPainter;
use crate::gpu::target::{Handed, Target, WindowTarget};
use crate::gpu::{Gpu, Pane};
use crate::link::Agent;
use crate::run::{StageError, StageOptions};
use crate::scene::Size;
use crate::source::Waker;

/// What displays do; anything else is a driver that does not know.
const REFRESH_MILLIHERTZ: RangeInclusive<u32> = 20_000..=500_000;

/// Something has happened outside the window; what, the engine knows.
struct Woken;

/// What the GPU's set-up thread found.
type Found = Result<(Gpu, Surface<'static>), String>;

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
        waker,
        size,
        keys,
        gpu: sync_channel(1),
        pane: None,
        target: None,
        fallback: None,
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
    size: Option<Size>,
    /// A person at the keyboard may end it.
    keys: bool,
    gpu: (SyncSender<Found>, Receiver<Found>),
    pane: Option<Pane>,
    target: Option<WindowTarget>,
    fallback: Option<Fallback>,
    ended: Result<(), StageError>,
}

impl ApplicationHandler<Woken> for WindowStage {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.pane.is_some() {
            return;
        }
        let opened = self.open(events).and_then(|pane| {
            self.set_up(&pane)?;
            Ok(pane)
        });
        match opened {
            Ok(pane) => {
                self.engine.resize(size_of(&pane.window));
                self.engine.set_refresh(refresh_of(&pane.window));
                self.pane = Some(pane);
            }
            Err(error) => self.end(events, Err(error)),
        }
    }

    fn user_event(&mut self, _events: &ActiveEventLoop, _event: Woken) {
        // `about_to_wait` follows each event.
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _id: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested | WindowEvent::Destroyed => self.end(events, Ok(())),
            WindowEvent::KeyboardInput { event, .. } if self.keys && is_end_key(&event) => {
                self.end(events, Ok(()));
            }
            WindowEvent::Resized(size) => self.resize(size),
            WindowEvent::Occluded(false) => self.engine.redraw(),
            WindowEvent::RedrawRequested => self.draw(),
            _ => {}
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        if let Err(error) = self.look_after_gpu() {
            self.end(events, Err(error));
        }
        let work = self.engine.work();
        if work.quit {
            self.end(events, Ok(()));
        }
        if let (true, Some(pane)) = (work.draw, &self.pane) {
            pane.window.request_redraw();
        }
        events.set_control_flow(self.sleep(work.wake_at));
    }

    fn exiting(&mut self, _events: &ActiveEventLoop) {
        self.engine.close();
        // The surface goes before its window.
        self.target = None;
    }
}

impl WindowStage {
    fn open(&self, events: &ActiveEventLoop) -> Result<Pane, StageError> {
        let mut wanted = Window::default_attributes().with_title("Vitrine");
        wanted = match self.size {
            None => full_screen(wanted, events),
            Some(Size { width_px, height_px }) => {
                wanted.with_inner_size(PhysicalSize::new(width_px, height_px))
            }
        };
        let window = Arc::new(events.create_window(wanted).map_err(no_display)?);
        window.set_cursor_visible(false);
        Ok(Pane { window, display: events.owned_display_handle() })
    }

    /// Looks for a GPU on a thread of its own: sources are prepared meanwhile.
    fn set_up(&self, pane: &Pane) -> Result<(), StageError> {
        let (found, waker, pane) = (self.gpu.0.clone(), self.waker.clone(), pane.clone());
        let open = move || {
            let gpu = Gpu::open(Some(&pane), &waker).and_then(|(gpu, surface)| {
                let surface = surface.ok_or_else(|| "no surface on the window".to_owned())?;
                Ok((gpu, surface))
            });
            // Let go of the window first, so that it can close.
            drop(pane);
            // Nobody waits any more: the stage has ended.
            found.try_send(gpu).ok();
            waker();
        };
        Builder::new()
            .name("gpu".into())
            .spawn(open)
            .map(drop)
            .map_err(|source| StageError::System { action: "start a thread", source })
    }

    /// Takes a new GPU into use; looks for another one when it was lost.
    fn look_after_gpu(&mut self) -> Result<(), StageError> {
        let Some(pane) = &self.pane else { return Ok(()) };
        if let Ok(found) = self.gpu.1.try_recv() {
            let window = pane.window.clone();
            let usable = found.and_then(|(gpu, surface)| {
                let target = WindowTarget::new(&gpu, surface, window)?;
                Ok((gpu, target))
            });
            match usable {
                Ok((gpu, target)) => {
                    let format = target.format();
                    self.engine.resize(target.size());
                    self.target = Some(target);
                    self.engine.use_gpu(GpuPainter::new(gpu, format));
                }
                Err(why) => self.fall_back(why)?,
            }
        } else if self.target.is_some() && self.engine.gpu().is_none() {
            self.rebuild()?;
        }
        Ok(())
    }

    /// Everything on the GPU is gone: start again.
    fn rebuild(&mut self) -> Result<(), StageError> {
        tracing::warn!("setting up the GPU again");
        self.target = None;
        self.engine.drop_gpu();
        let Some(pane) = self.pane.clone() else { return Ok(()) };
        self.set_up(&pane)
    }

    fn fall_back(&mut self, why: String) -> Result<(), StageError> {
        let Some(pane) = &self.pane else { return Ok(()) };
        tracing::warn!(why, "no usable GPU");
        self.engine.no_gpu(&why);
        let fallback = Fallback::open(pane, why)?;
        self.fallback = Some(fallback);
        pane.window.request_redraw();
        Ok(())
    }

    fn resize(&mut self, size: PhysicalSize<u32>) {
        let size = Size { width_px: size.width, height_px: size.height };
        self.engine.resize(size);
        if let Some(pane) = &self.pane {
            // Another mode mostly comes with another size.
            self.engine.set_refresh(refresh_of(&pane.window));
        }
        if let (Some(target), Some(painter)) = (&mut self.target, self.engine.gpu()) {
            target.resize(&painter.gpu, size);
        }
        self.engine.redraw();
    }

    fn draw(&mut self) {
        if let (Some(fallback), Some(pane)) = (&mut self.fallback, &self.pane) {
            fallback.draw(size_of(&pane.window));
            return;
        }
        let Some(target) = &mut self.target else { return };
        let handed = self.engine.frame(target);
        self.engine.frame_done();
        if handed == Handed::Lost
            && let Err(error) = self.rebuild()
        {
            self.ended = Err(error);
        }
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

fn size_of(window: &Window) -> Size {
    let size = window.inner_size();
    Size { width_px: size.width, height_px: size.height }
}

/// For how long the display shows each frame; as most do where it does not say.
fn refresh_of(window: &Window) -> Duration {
    let millihertz = window.current_monitor().and_then(|found| found.refresh_rate_millihertz());
    let plausible = millihertz.filter(|rate| REFRESH_MILLIHERTZ.contains(rate)).unwrap_or(60_000);
    Duration::from_nanos(1_000_000_000_000 / u64::from(plausible))
}

fn is_end_key(event: &KeyEvent) -> bool {
    let ends = match &event.logical_key {
        Key::Named(NamedKey::Escape) => true,
        Key::Character(text) => text.eq_ignore_ascii_case("q"),
        _ => false,
    };
    ends && event.state == ElementState::Pressed
}

/// Full screen; where no window manager is there to see to that (a bare X server), the size of the
/// display does the same.
fn full_screen(wanted: WindowAttributes, events: &ActiveEventLoop) -> WindowAttributes {
    let wanted = wanted.with_fullscreen(Some(Fullscreen::Borderless(None)));
    match events.primary_monitor().or_else(|| events.available_monitors().next()) {
        Some(monitor) => wanted.with_inner_size(monitor.size()).with_position(monitor.position()),
        None => wanted,
    }
}

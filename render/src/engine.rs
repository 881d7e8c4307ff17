//! Joins the stage to its agent, its sources and its GPU. The window and the offscreen loop both
//! drive this and nothing else.
//!
//! Not here: what to show (`stage`), when the loop runs (`window`, `offscreen`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use vitrine_config::time::{Clock, Mono};

use crate::gpu::capture;
use crate::gpu::lookout::Drawing;
use crate::gpu::painter::GpuPainter;
use crate::gpu::target::{Handed, Target};
use crate::link::{SNAPSHOTS_OPEN, StageLink};
use crate::owed::Owed;
use crate::pacing::Pacing;
use crate::report::{Hello, NO_GPU, Report};
use crate::run::{StageError, StageOptions};
use crate::scene::{Displays, Mode, Rotation, Size};
use crate::screen::Screen;
use crate::source::{Sources, Waker, Wall};
use crate::stage::{Painter, Stage};

/// A display that takes no frame is asked again after this, if nothing else happens before.
const RETRY: Duration = Duration::from_millis(250);

/// What the loop has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    /// End.
    pub quit: bool,
    /// Let the display ask for a frame.
    pub draw: bool,
    /// Come back then, whatever else happens.
    pub wake_at: Option<Mono>,
}

/// Number of the ask, and the PNG or why there is none.
type Snapshot = (u64, Result<Vec<u8>, String>);

/// Everything of a stage but its loop.
pub(crate) struct Engine {
    clock: Arc<dyn Clock>,
    /// The time of day for those who show it.
    wall: Arc<Wall>,
    waker: Waker,
    link: StageLink,
    sources: Sources,
    stage: Stage,
    painter: Option<GpuPainter>,
    gpu_name: String,
    /// What is known of it, and in words.
    zero_copy: (u64, String),
    size: Size,
    displays: u8,
    pacing: Pacing,
    retry_at: Option<Mono>,
    owed: Owed,
    greeted: bool,
    quit: bool,
    first_frame: Option<SyncSender<()>>,
    asked: Vec<u64>,
    being_taken: usize,
    taken: (SyncSender<Snapshot>, Receiver<Snapshot>),
}

impl Engine {
    /// Connects and starts the helper threads; the GPU follows with [`Engine::use_gpu`]. `waker` is
    /// called whenever [`Engine::work`] has something to do.
    ///
    /// # Errors
    /// No thread or descriptor can be had.
    pub(crate) fn start(
        options: StageOptions,
        clock: Arc<dyn Clock>,
        waker: Waker,
    ) -> Result<Engine, StageError> {
        let fail = |source| StageError::System { action: "start the decode threads", source };
        let wall = Arc::new(Wall::default());
        let sources = Sources::start(options.worker, waker.clone(), wall.clone()).map_err(fail)?;
        let link = StageLink::start(options.agent, waker.clone())?;
        let size = Size { width_px: 0, height_px: 0 };
        Ok(Engine {
            clock,
            wall,
            waker,
            link,
            sources,
            stage: Stage::new(size),
            painter: None,
            gpu_name: "being set up".to_owned(),
            zero_copy: Default::default(),
            size,
            displays: 1,
            pacing: Pacing::default(),
            retry_at: None,
            owed: Owed::default(),
            greeted: false,
            quit: false,
            first_frame: options.first_frame,
            asked: Vec::new(),
            being_taken: 0,
            taken: sync_channel(SNAPSHOTS_OPEN),
        })
    }

    /// The time now.
    pub(crate) fn now(&self) -> Mono {
        let now = self.clock.now();
        self.wall.set(&now);
        now.mono
    }

    /// Draws on this GPU from now on; pictures that lay on another one are made again.
    pub(crate) fn use_gpu(&mut self, mut painter: GpuPainter) {
        painter.borrow_frames(Arc::clone(self.sources.zero_copy()));
        self.gpu_name = painter.gpu.describe();
        tracing::info!(gpu = self.gpu_name, "drawing");
        if self.painter.replace(painter).is_some() {
            self.stage.lose_pictures();
        }
        self.greet_again();
    }

    /// There is no GPU: why, for the agent.
    pub(crate) fn no_gpu(&mut self, why: &str) {
        self.gpu_name = format!("{NO_GPU}{why}");
        self.greet_again();
    }

    /// Lets go of a GPU that was lost.
    pub(crate) fn drop_gpu(&mut self) {
        if self.painter.take().is_some_and(|painter| painter.gpu.is_lost()) {
            self.sources.zero_copy().lost();
        }
        self.stage.lose_pictures();
    }

    /// What draws.
    pub(crate) fn drawing(&self) -> Drawing {
        match self.gpu() {
            None => Drawing::Nothing,
            Some(painter) if painter.gpu.software => Drawing::Software,
            Some(_) => Drawing::Real,
        }
    }

    /// Whether the GPU is there and alive.
    pub(crate) fn gpu(&self) -> Option<&GpuPainter> {
        self.painter.as_ref().filter(|painter| !painter.gpu.is_lost())
    }

    /// The displays are these.
    pub(crate) fn resize(&mut self, screen: Screen) {
        let before = (self.size, self.displays);
        (self.size, self.displays) = (screen.main(), screen.displays());
        self.stage.resize(screen);
        if before != (self.size, self.displays) {
            self.greet_again();
        }
    }

    /// Whether there is no display at all: one that is switched off is mostly gone, too, and nobody
    /// is to take that for a stage that hangs.
    pub(crate) fn set_dark(&mut self, dark: bool) {
        self.stage.set_dark(dark);
    }

    /// How what is asked for comes onto the displays.
    pub(crate) fn hung(&self) -> (Rotation, Displays) {
        self.stage.hung()
    }

    /// What displays are to run at.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.stage.mode()
    }

    /// A display does not do what was asked of it.
    pub(crate) fn refused(&mut self, what: String) {
        tracing::warn!("{what}");
        self.link.say(Report::Refused { what }, Vec::new());
    }

    /// Frames that were handed over since the start.
    pub(crate) fn frames_presented(&self) -> u64 {
        self.stage.frames_presented()
    }

    /// Whether something on the screen should be moving.
    pub(crate) fn is_moving(&self) -> bool {
        self.stage.is_moving()
    }

    /// The display is ready for another frame right now, and lets us know within its own time.
    pub(crate) fn saw_refresh(&mut self) {
        let now = self.now();
        self.stage.saw_refresh(now);
    }

    /// The display says that it shows each frame for this long.
    pub(crate) fn set_refresh(&mut self, refresh: Duration) {
        self.stage.set_refresh(refresh);
    }

    /// Takes in what has happened and says what the loop has to do.
    pub(crate) fn work(&mut self) -> Work {
        let now = self.now();
        self.hear(now);
        let painter = self.painter.as_mut().map(|painter| painter as &mut dyn Painter);
        self.stage.tick(now, painter);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        if self.owed.is_due(now) {
            self.stage.redraw();
        }
        let able = self.painter.is_some() && self.retry_at.is_none();
        if able && self.stage.wants_frame() {
            self.pacing = self.pacing.want();
        }
        self.answer(now);
        self.report();
        let wake_at = [self.stage.wake_at(now), self.retry_at, self.owed.wake_at()];
        let wake_at = wake_at.into_iter().flatten().min();
        Work { quit: self.quit, draw: able && self.pacing == Pacing::Wanted, wake_at }
    }

    /// The display would take a frame: draws one if there is a reason to.
    pub(crate) fn frame(&mut self, target: &mut impl Target) -> Handed {
        let (pacing, draws) = self.pacing.draw();
        self.pacing = pacing;
        if !draws {
            return Handed::Over;
        }
        let now = self.now();
        let Some(painter) = &mut self.painter else { return Handed::Later };
        let Some(frame) = self.stage.compose(now, painter) else { return Handed::Later };
        let handed = target.hand_over(painter, &frame);
        match handed {
            Handed::Over | Handed::Partly => {
                self.stage.presented(self.clock.now().mono, painter);
                if let Some(tell) = self.first_frame.take() {
                    tracing::info!("the display has the first frame");
                    // Nobody waits for it: then nobody needs it.
                    tell.try_send(()).ok();
                }
                // While something moves all the time, a frame is always due: now is the moment.
                self.take_snapshots();
            }
            Handed::Later | Handed::Lost => {
                self.stage.not_presented();
                self.retry_at = Some(now.after(RETRY));
            }
        }
        self.owed.handed(handed, now);
        self.report();
        handed
    }

    /// The display is ready for another frame.
    pub(crate) fn frame_done(&mut self) {
        self.pacing = self.pacing.shown();
    }

    /// A frame is owed even though nothing has changed: the display has lost the last one.
    pub(crate) fn redraw(&mut self) {
        self.stage.redraw();
        self.retry_at = None;
        self.owed = Owed::default();
    }

    /// Lets go of the display: the agent hears what is gone.
    pub(crate) fn close(&mut self) {
        let now = self.now();
        self.stage.close(now);
        self.report();
    }

    fn hear(&mut self, now: Mono) {
        let inbox = self.link.drain();
        if inbox.connected {
            self.greeted = true;
            self.greet_again();
        }
        self.quit |= inbox.quit;
        self.asked.extend(inbox.snapshots);
        if let Some(wish) = inbox.wish {
            self.stage.wish(*wish, now, &mut self.sources);
            let painter = self.painter.as_mut().map(|painter| painter as &mut dyn Painter);
            self.stage.sweep(painter);
        }
    }

    /// Says who we are, if there is somebody to hear it.
    fn greet_again(&mut self) {
        if !self.greeted {
            return;
        }
        let hello = Hello {
            pid: std::process::id(),
            newest_turn: self.stage.newest_turn(),
            showing: self.stage.showing(),
            size: self.size,
            displays: self.displays,
            gpu: self.gpu_name.clone(),
            zero_copy: self.zero_copy.1.clone(),
        };
        self.link.say(Report::Hello(hello), Vec::new());
    }

    fn report(&mut self) {
        let news = self.sources.zero_copy().news();
        if self.zero_copy.0 != news {
            self.zero_copy = (news, self.sources.zero_copy().describe());
            self.greet_again();
        }
        for report in self.stage.take_reports() {
            if let Report::Failed { turn, error } = &report {
                tracing::warn!(turn, error, "a layer failed");
            }
            self.link.say(report, Vec::new());
        }
    }

    /// Takes the pictures asked for, after a frame that is due; hands on those that are ready.
    fn answer(&mut self, now: Mono) {
        while let Ok((id, png)) = self.taken.1.try_recv() {
            self.being_taken -= 1;
            self.say_snapshot(id, png);
        }
        let able = self.painter.is_some() && self.retry_at.is_none();
        if !(able && self.stage.is_behind(now)) {
            self.take_snapshots();
        }
    }

    fn take_snapshots(&mut self) {
        for id in std::mem::take(&mut self.asked) {
            if let Err(error) = self.take_snapshot(id) {
                self.say_snapshot(id, Err(error));
            }
        }
    }

    fn take_snapshot(&mut self, id: u64) -> Result<(), String> {
        if self.being_taken >= SNAPSHOTS_OPEN {
            return Err("too many pictures were asked for at once".to_owned());
        }
        let painter = self.painter.as_ref().ok_or("there is no GPU yet")?;
        let frame = self.stage.frame_again().ok_or("nothing was shown yet")?;
        // For people: the way up that the viewer sees it.
        let frame = frame.clone().upright();
        let pictures: Vec<_> = frame.pictures().map(|picture| (picture, picture.size)).collect();
        let (done, wake) = (self.taken.0.clone(), self.waker.clone());
        capture::start(painter, &pictures, move |png| {
            // There is room for as many as are being taken; a stage that has ended wants none.
            done.try_send((id, png)).ok();
            wake();
        })?;
        self.being_taken += 1;
        Ok(())
    }

    fn say_snapshot(&mut self, id: u64, png: Result<Vec<u8>, String>) {
        let (error, blob) = match png {
            Ok(png) => (None, png),
            Err(error) => (Some(error), Vec::new()),
        };
        self.link.say(Report::Snapshot { id, error }, blob);
    }
}

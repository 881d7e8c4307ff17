//! A stage without a display: the same frames onto a texture, up to 60 a second when something
//! changes, none otherwise. For tests, pictures and machines without a screen.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use vitrine_config::time::{Clock, Mono};

use crate::engine::Engine;
use crate::gpu::lookout::Lookout;
use crate::gpu::painter::GpuPainter;
use crate::gpu::target::{Handed, OFFSCREEN_FORMAT, Offscreen, Target};
use crate::gpu::{Gpu, Wanted};
use crate::run::{StageError, StageOptions};
use crate::scene::Size;
use crate::source::Waker;

/// As long as a frame stays on an ordinary display.
const REFRESH: Duration = Duration::from_nanos(16_666_667);
/// With nothing to wait for, the loop looks around this seldom.
const LONG: Duration = Duration::from_secs(3_600);

/// Runs until the agent says quit.
///
/// # Errors
/// No GPU, not even a software one; no threads.
pub(crate) fn run(
    options: StageOptions,
    clock: &Arc<dyn Clock>,
    size: Size,
) -> Result<(), StageError> {
    let open = |wanted, waker: &Waker| Gpu::open(wanted, None, waker).map(|(gpu, _)| gpu);
    run_on(options, clock, size, (Arc::new(open), Offscreen::new))
}

/// Sets up a GPU.
type Open = Arc<dyn Fn(Wanted, &Waker) -> Result<Gpu, String> + Send + Sync>;

/// The same on what `open` opens, onto what `make` makes for it.
fn run_on<T: Target>(
    options: StageOptions,
    clock: &Arc<dyn Clock>,
    size: Size,
    (open, make): (Open, impl Fn(&Gpu, Size) -> T),
) -> Result<(), StageError> {
    let (ring, bell) = sync_channel::<()>(1);
    // Full: it will ring anyway.
    let waker: Waker = Arc::new(move || {
        ring.try_send(()).ok();
    });
    let mut engine = Engine::start(options, clock.clone(), waker.clone())?;
    engine.resize(size.into());
    engine.set_refresh(REFRESH);
    let (gpu, ready) = sync_channel(1);
    let lookout = Lookout::new(waker.clone());
    let stage =
        OffscreenStage { engine, waker, open, gpu, ready, lookout, size, make, target: None };
    stage.set_up()?;
    stage.run(&bell)
}

struct OffscreenStage<T, M> {
    engine: Engine,
    waker: Waker,
    open: Open,
    gpu: SyncSender<Result<Gpu, String>>,
    ready: Receiver<Result<Gpu, String>>,
    lookout: Lookout<Gpu>,
    size: Size,
    make: M,
    target: Option<T>,
}

impl<T: Target, M: Fn(&Gpu, Size) -> T> OffscreenStage<T, M> {
    /// Looks for a GPU on a thread of its own: sources are prepared meanwhile.
    fn set_up(&self) -> Result<(), StageError> {
        let (open, found, waker) = (self.open.clone(), self.gpu.clone(), self.waker.clone());
        let set_up = move || {
            // Nobody waits any more: the stage has ended.
            found.try_send(open(Wanted::Any, &waker)).ok();
            waker();
        };
        Builder::new()
            .name("gpu".into())
            .spawn(set_up)
            .map(drop)
            .map_err(|source| StageError::System { action: "start a thread", source })
    }

    fn run(mut self, bell: &Receiver<()>) -> Result<(), StageError> {
        let mut next_refresh = Mono(0);
        loop {
            self.look_after_gpu()?;
            let now = self.engine.now();
            if now >= next_refresh {
                self.engine.frame_done();
            }
            let work = self.engine.work();
            if work.quit {
                self.engine.close();
                return Ok(());
            }
            if let (true, Some(target)) = (work.draw, &mut self.target) {
                let handed = self.engine.frame(target);
                next_refresh = now.after(REFRESH);
                if handed == Handed::Lost {
                    self.rebuild()?;
                }
                continue;
            }
            let refresh = Some(next_refresh).filter(|at| *at > now);
            let wake_at = [work.wake_at, refresh, self.lookout.wake_at()];
            let wake_at = wake_at.into_iter().flatten().min();
            let wait = wake_at.map_or(LONG, |at| at.since(now));
            if let Err(RecvTimeoutError::Disconnected) = bell.recv_timeout(wait) {
                return Ok(());
            }
        }
    }

    /// Takes a new GPU into use; looks for another one when it was lost or is none.
    fn look_after_gpu(&mut self) -> Result<(), StageError> {
        if let Ok(found) = self.ready.try_recv() {
            self.use_gpu(found.map_err(StageError::NoGpu)?);
        } else if self.target.is_some() && self.engine.gpu().is_none() {
            self.rebuild()?;
        }
        let (open, waker) = (self.open.clone(), self.waker.clone());
        let look = move || open(Wanted::Real, &waker).ok();
        let found = self.lookout.keep(self.engine.drawing(), self.engine.now(), || Some(look));
        if let Some(gpu) = found {
            self.target = None;
            self.engine.drop_gpu();
            self.use_gpu(gpu);
        }
        Ok(())
    }

    fn use_gpu(&mut self, gpu: Gpu) {
        self.target = Some((self.make)(&gpu, self.size));
        self.engine.use_gpu(GpuPainter::new(gpu, OFFSCREEN_FORMAT));
    }

    /// Everything on the GPU is gone: start again.
    fn rebuild(&mut self) -> Result<(), StageError> {
        self.target = None;
        self.engine.drop_gpu();
        self.set_up()
    }
}

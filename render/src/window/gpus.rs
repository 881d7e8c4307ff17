//! What draws on the windows: looked for, lost, found again, moved to.

use std::thread::Builder;
use std::time::Duration;

use wgpu::Surface;
use winit::window::WindowId;

use super::WindowStage;
use super::panes::size_of;
use crate::fallback::Fallback;
use crate::gpu::painter::GpuPainter;
use crate::gpu::target::{WindowTarget, Windows, beyond};
use crate::gpu::{Gpu, Pane, Wanted};
use crate::run::StageError;
use crate::source::Waker;

/// First pause before a GPU is looked for again where none was found; each next one is twice as long.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Longest such pause: a driver that comes back late still needs no visit.
const LOOK_AGAIN_MOST: Duration = Duration::from_secs(300);

/// A GPU with a surface on this window.
pub(super) type Found = (Gpu, Surface<'static>, WindowId);

/// What the set-up thread found, or what was tried.
pub(super) type Answer = Result<Found, String>;

impl WindowStage {
    /// Looks for a GPU on a thread of its own: sources are prepared meanwhile.
    pub(super) fn set_up(&self) -> Result<(), StageError> {
        let Some(pane) = self.panes.first().cloned() else { return Ok(()) };
        let (found, waker) = (self.gpu.0.clone(), self.waker.clone());
        let open = move || {
            // Nobody waits any more: the stage has ended.
            found.try_send(look_for(Wanted::Any, pane, &waker)).ok();
            waker();
        };
        Builder::new()
            .name("gpu".into())
            .spawn(open)
            .map(drop)
            .map_err(|source| StageError::System { action: "start a thread", source })
    }

    /// Takes a new GPU into use; looks for another one when it was lost or is none.
    pub(super) fn look_after_gpu(&mut self) -> Result<(), StageError> {
        if let Ok(found) = self.gpu.1.try_recv() {
            // The first window is another one by now.
            if matches!(&found, Ok((_, _, id)) if self.panes.position(*id) != Some(0)) {
                return self.set_up();
            }
            if let Err(why) = found.and_then(|found| self.draw_on(found)) {
                self.fall_back(why)?;
            }
        } else if self.target.is_some() && self.engine.gpu().is_none() {
            self.rebuild()?;
        } else if self.look_at.take_if(|at| *at <= self.engine.now()).is_some() {
            self.set_up()?;
        }
        self.look_out()
    }

    /// Moves from a software GPU to a real one as soon as there is one.
    fn look_out(&mut self) -> Result<(), StageError> {
        let (first, waker) = (self.panes.first().cloned(), self.waker.clone());
        let look = || first.map(|pane| move || look_for(Wanted::Real, pane, &waker).ok());
        let found = self.lookout.keep(self.engine.drawing(), self.engine.now(), look);
        let Some(found) = found.filter(|(_, _, id)| self.panes.position(*id) == Some(0)) else {
            return Ok(());
        };
        // Until the first frame of the new one the display keeps the picture that it has.
        (self.target, self.listening) = (None, false);
        self.engine.drop_gpu();
        self.draw_on(found).or_else(|why| {
            tracing::warn!(why, "back to software");
            self.set_up()
        })
    }

    fn draw_on(&mut self, (gpu, surface, _): Found) -> Result<(), String> {
        let (gpu, target) = self.target_on(gpu, surface)?;
        let format = target.format();
        self.target = Some(target);
        (self.fallback, self.look_again) = (Vec::new(), LOOK_AGAIN);
        self.engine.use_gpu(GpuPainter::new(gpu, format));
        self.tell_what_is_beyond();
        Ok(())
    }

    /// Says it once when a display is larger than the GPU draws.
    pub(super) fn tell_what_is_beyond(&mut self) {
        let Some(painter) = self.engine.gpu() else { return };
        let most_px = painter.gpu.most_px();
        let beyond = self.panes.iter().find_map(|pane| beyond(size_of(&pane.window), most_px));
        if self.beyond != beyond {
            beyond.iter().for_each(|what| self.engine.refused(what.clone()));
            self.beyond = beyond;
        }
    }

    /// Everything to draw on; `surface` is the first window's.
    fn target_on(&self, gpu: Gpu, surface: Surface<'static>) -> Result<(Gpu, Windows), String> {
        let mut surfaces = vec![surface];
        for pane in self.panes.iter().skip(1) {
            surfaces.push(gpu.surface(pane)?);
        }
        let windows = self.panes.iter().map(|pane| pane.window.clone());
        let targets = surfaces.into_iter().zip(windows);
        let targets = targets.map(|(surface, window)| WindowTarget::new(&gpu, surface, window));
        let targets = targets.collect::<Result<_, _>>()?;
        Ok((gpu, Windows::new(targets)))
    }

    /// Everything on the GPU is gone: start again.
    pub(super) fn rebuild(&mut self) -> Result<(), StageError> {
        tracing::warn!("setting up the GPU again");
        (self.target, self.listening) = (None, false);
        self.engine.drop_gpu();
        self.set_up()
    }

    fn fall_back(&mut self, why: String) -> Result<(), StageError> {
        tracing::warn!(why, "no usable GPU");
        self.engine.no_gpu(&why);
        self.look_at = Some(self.engine.now().after(self.look_again));
        self.look_again = (self.look_again * 2).min(LOOK_AGAIN_MOST);
        self.show_card(&why)
    }

    /// Says on each window why there is nothing better.
    pub(super) fn show_card(&mut self, why: &str) -> Result<(), StageError> {
        let fallbacks = self.panes.iter().map(|pane| Fallback::open(pane, why.to_owned()));
        self.fallback = fallbacks.collect::<Result<_, _>>()?;
        self.panes.iter().for_each(|pane| pane.window.request_redraw());
        Ok(())
    }
}

/// A GPU that can draw on the window, which is let go of, so that it can close.
fn look_for(wanted: Wanted, pane: Pane, waker: &Waker) -> Answer {
    let (gpu, surface) = Gpu::open(wanted, Some(&pane), waker)?;
    let surface = surface.ok_or_else(|| "no surface on the window".to_owned())?;
    Ok((gpu, surface, pane.window.id()))
}

//! Sound: a pipeline of its own behind the one that decodes, so that a device that is missing,
//! busy or pulled out costs the sound and nothing else.
//!
//! In:  decoded samples, the device, the start.
//! Out: sound, in step with the pictures: both pipelines share clock and time zero.
//!
//! The device is opened at the start, not before: HDMI takes one client at a time, and until then
//! the item before this one has it.
//!
//! Here: which samples are heard when. In `choice`: on which device; in `device`: how they get there;
//! in `level`: how loud.

mod choice;
mod device;
mod level;

pub use choice::has_sound_server;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{Buffer, Caps, ClockTime, Element, FlowSuccess};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_audio::{AUDIO_FORMAT_F32, AudioCapsBuilder};

use self::device::{Device, let_go};
use self::level::Level;
use super::outlet::Outlet;
use super::pipeline;
use super::player::Wish;
use super::protocol::Medium;
use crate::scene::AudioOut;

/// Samples are handed on this much ahead: more than the device buffers, less than is noticed when
/// they are thrown away.
const AHEAD: ClockTime = ClockTime::from_mseconds(400);
/// A busy device is asked again this often …
const RETRY: Duration = Duration::from_millis(100);
/// … and this many times: the item before has long gone by then.
const TRIES: u32 = 30;

/// Samples kept while the device opens: at 20 ms each, more than [`AHEAD`].
const WAITING: usize = 64;

/// Where samples go; they wait as long as no device is open.
#[derive(Default)]
pub struct Sound {
    /// Without pictures: who tells the stage that it goes on.
    alone: Option<Arc<Outlet>>,
    looped: bool,
    feed: Mutex<Feed>,
    level: Arc<Mutex<Level>>,
    when: Mutex<When>,
}

/// On the clock.
#[derive(Default)]
struct When {
    start: Option<ClockTime>,
    end: Option<ClockTime>,
}

#[derive(Default)]
struct Feed {
    source: Option<AppSrc>,
    waiting: VecDeque<(Buffer, Caps)>,
    /// Added to running times: what earlier rounds of a loop took that began by a flush, and what
    /// another worker has played.
    offset: ClockTime,
    over: bool,
    hushed: bool,
}

impl Sound {
    /// Nothing heard yet.
    pub fn new(wish: &Wish, outlet: &Arc<Outlet>) -> Sound {
        let alone = (wish.medium == Medium::Sound).then(|| Arc::clone(outlet));
        Sound { alone, looped: wish.looped, ..Sound::default() }
    }

    /// The decoding pipeline's sink: lets samples out [`AHEAD`] of their time.
    pub fn sink(self: &Arc<Self>) -> AppSink {
        let caps = AudioCapsBuilder::new_interleaved().format(AUDIO_FORMAT_F32).build();
        let (first, next, last) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        let callbacks = AppSinkCallbacks::builder()
            .new_preroll(move |sink| {
                first.prepare(sink);
                Ok(FlowSuccess::Ok)
            })
            .new_sample(move |sink| {
                next.feed(&sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?);
                Ok(FlowSuccess::Ok)
            })
            .eos(move |_| last.run_out());
        let sink = AppSink::builder()
            .caps(&caps)
            // Pictures, where there are any, are waited for alone.
            .async_(self.alone.is_some())
            .max_buffers(4)
            .callbacks(callbacks.build())
            .build();
        sink.set_property("enable-last-sample", false);
        sink.set_property("ts-offset", -i64::try_from(AHEAD.nseconds()).unwrap_or(0));
        sink
    }

    /// Opens the device on a thread of its own and plays from `base` on.
    pub fn start(self: &Arc<Self>, out: &AudioOut, volume: f32, base: ClockTime) {
        *self.level() = Level::new(volume);
        self.foresee(|when| when.start = Some(base));
        let (sound, out) = (Arc::clone(self), out.clone());
        let spawned = thread::Builder::new()
            .name("sound".into())
            .spawn(move || sound.play(|| choice::open_sink(&out), base));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the sound: it plays silently");
        }
    }

    /// Something else is foreseen to take its place then: it is silent from that moment on.
    pub fn end_at(&self, at: Option<ClockTime>) {
        self.foresee(|when| when.end = at);
    }

    fn foresee(&self, change: impl FnOnce(&mut When)) {
        let mut when = self.when.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut when);
        let end = when.start.and_then(|start| Some(when.end?.saturating_sub(start)));
        self.level().end_at(end);
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the device as soon as can be without a click: somebody else may want it.
    pub fn hush(&self) {
        let mut feed = self.lock();
        feed.hushed = true;
        feed.waiting.clear();
        if let Some(source) = &feed.source {
            let_go(source);
        }
    }

    /// Running times begin at zero `due` after the start.
    pub fn go_on(&self, due: ClockTime) {
        self.lock().offset = due;
    }

    /// Running times begin at zero again, after a round of this length.
    pub fn begin_again(&self, round: ClockTime) {
        let mut feed = self.lock();
        feed.offset += round;
        feed.over = false;
    }

    /// Plays until all has been heard; tries another time when the device fails.
    fn play(&self, open: impl Fn() -> Result<Element, glib::BoolError>, base: ClockTime) {
        let mut last_error = None;
        for _ in 0..TRIES {
            if self.lock().hushed {
                return;
            }
            let device = open().and_then(|sink| Device::start(&sink, &self.level, base));
            match device.and_then(|device| self.play_to(&device)) {
                Ok(()) => return,
                Err(error) => last_error = Some(error),
            }
            thread::park_timeout(RETRY);
        }
        tracing::warn!(error = ?last_error, "no sound device works: it plays silently");
    }

    fn play_to(&self, device: &Device) -> Result<(), glib::BoolError> {
        self.lock().attach(device.source.clone());
        let heard = device.watch();
        self.lock().source = None;
        heard
    }

    /// The first sample is there.
    fn prepare(&self, sink: &AppSink) {
        let Some(outlet) = &self.alone else { return };
        if let Some(length) = pipeline::length(sink).filter(|_| !self.looped && !outlet.has_shown())
        {
            outlet.length(length);
        }
        if let Ok(sample) = sink.pull_preroll() {
            outlet.beat(&sample);
        }
    }

    /// The last sample has come, of this round at least.
    fn run_out(&self) {
        match &self.alone {
            Some(outlet) if !outlet.has_shown() => {
                outlet.fail("the file ends before its first sound".to_owned());
            }
            Some(outlet) if !self.looped => outlet.end(),
            _ => {}
        }
        if !self.looped {
            self.end();
        }
    }

    fn feed(&self, sample: &gstreamer::Sample) {
        if let Some(outlet) = &self.alone {
            outlet.beat(sample);
        }
        let mut feed = self.lock();
        if let (Some(buffer), Some(caps)) = (timed(sample, feed.offset), sample.caps_owned()) {
            feed.put(buffer, caps);
        }
    }

    fn end(&self) {
        let mut feed = self.lock();
        feed.over = true;
        feed.end();
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    fn attach(&mut self, source: AppSrc) {
        if self.hushed {
            let_go(&source);
        }
        self.source = Some(source);
        while let Some((buffer, caps)) = self.waiting.pop_front() {
            self.put(buffer, caps);
        }
        if self.over {
            self.end();
        }
    }

    fn put(&mut self, buffer: Buffer, caps: Caps) {
        let Some(source) = &self.source else {
            if self.hushed {
                return;
            }
            self.waiting.push_back((buffer, caps));
            if self.waiting.len() > WAITING {
                self.waiting.pop_front();
            }
            return;
        };
        if source.caps().as_ref() != Some(&caps) {
            source.set_caps(Some(&caps));
        }
        // Refused while the device closes: then this sample is not heard.
        let _ = source.push_buffer(buffer);
    }

    fn end(&self) {
        if let Some(source) = &self.source {
            // Refused while the device closes, which is what is wanted.
            let _ = source.end_of_stream();
        }
    }
}

/// The sample's buffer, stamped with time since the start: it rises through all rounds of a loop.
fn timed(sample: &gstreamer::Sample, offset: ClockTime) -> Option<Buffer> {
    let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
    let mut buffer = sample.buffer_owned()?;
    let at = segment.to_running_time(buffer.pts()?)? + offset;
    buffer.make_mut().set_pts(at);
    Some(buffer)
}

#[cfg(test)]
mod tests;

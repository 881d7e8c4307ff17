//! A device being played to.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{
    ClockTime, Element, ElementFactory, MessageView, Pad, PadProbeInfo, PadProbeReturn,
    PadProbeType, Pipeline, State,
};
use gstreamer_app::{AppLeakyType, AppSrc};
use gstreamer_audio::AudioInfo;

use super::level::Level;

/// Samples that may wait for the device; older ones are dropped.
const QUEUE: ClockTime = ClockTime::from_mseconds(1_000);
/// What is on its way to the ears when a sound is hushed is heard for this long at most.
const LAST_WORDS: ClockTime = ClockTime::from_mseconds(400);

/// A device being played to. Shared by all who say how loud it is.
pub struct Device {
    pipeline: Pipeline,
    pub source: AppSrc,
    level: Arc<Mutex<Level>>,
}

impl Device {
    /// Plays to `sink` from `base` on, by the clock that the pictures go by.
    pub fn start(
        sink: &Element,
        level: &Arc<Mutex<Level>>,
        base: ClockTime,
    ) -> Result<Self, glib::BoolError> {
        let pipeline = Pipeline::new();
        let source = AppSrc::builder()
            .format(gstreamer::Format::Time)
            .leaky_type(AppLeakyType::Downstream)
            .max_time(QUEUE)
            .build();
        let convert = ElementFactory::make("audioconvert").build()?;
        let resample = ElementFactory::make("audioresample").build()?;
        let parts = [source.upcast_ref(), &convert, &resample, sink];
        pipeline.add_many(parts)?;
        Element::link_many(parts)?;
        // The last place before the device's own buffer where samples can be changed.
        if let Some(pad) = source.static_pad("src") {
            let level = Arc::clone(level);
            pad.add_probe(PadProbeType::BUFFER, move |pad, info| level_out(pad, info, &level));
        }
        pipeline.use_clock(Some(&gstreamer::SystemClock::obtain()));
        pipeline.set_start_time(ClockTime::NONE);
        pipeline.set_base_time(base);
        let device = Device { pipeline, source, level: Arc::clone(level) };
        let started = device.pipeline.set_state(State::Playing);
        started.map_err(|_| glib::bool_error!("the sound pipeline does not start"))?;
        Ok(device)
    }

    /// Waits until all has been heard, or the device fails.
    pub fn watch(&self) -> Result<(), glib::BoolError> {
        let Some(bus) = self.pipeline.bus() else { return Ok(()) };
        let mut until = None;
        loop {
            let left = until.map(|until: ClockTime| until.saturating_sub(self.now()));
            let Some(message) = bus.timed_pop(left) else { return Ok(()) };
            match message.view() {
                MessageView::Eos(_) => return Ok(()),
                MessageView::Application(_) => until = Some(self.last_words()),
                MessageView::Error(error) => {
                    return Err(glib::bool_error!("sound: {}", error.error()));
                }
                _ => {}
            }
        }
    }

    /// When all that cannot be taken back has been heard.
    fn last_words(&self) -> ClockTime {
        let end = self.level.lock().unwrap_or_else(PoisonError::into_inner).end_soon();
        end.min(self.now() + LAST_WORDS)
    }

    fn now(&self) -> ClockTime {
        self.pipeline.current_running_time().unwrap_or(ClockTime::ZERO)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Cannot be refused in a way that would matter: the process is disposable.
        let _ = self.pipeline.set_state(State::Null);
    }
}

/// Tells the device's own thread that it is not wanted any more.
pub fn let_go(source: &AppSrc) {
    let hushed = gstreamer::Structure::new_empty("hushed");
    // Refused while the device closes, which is what is wanted.
    let _ = source.post_message(gstreamer::message::Application::new(hushed));
}

fn level_out(pad: &Pad, info: &mut PadProbeInfo, level: &Mutex<Level>) -> PadProbeReturn {
    let shape = pad.current_caps().and_then(|caps| AudioInfo::from_caps(&caps).ok());
    if let (Some(shape), Some(buffer)) = (shape, info.buffer_mut())
        && let Some(at) = buffer.pts()
        && let Ok(mut bytes) = buffer.make_mut().map_writable()
        && let Ok(samples) = bytemuck::try_cast_slice_mut(bytes.as_mut_slice())
    {
        let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
        level.apply(samples, shape.channels() as usize, shape.rate(), at);
    }
    PadProbeReturn::Ok
}

//! Sound: a pipeline of its own behind the one that decodes, so that a device that is missing,
//! busy or pulled out costs the sound and nothing else.
//!
//! In:  decoded samples, the device, the start.
//! Out: sound, in step with the pictures: both pipelines share clock and time zero.
//!
//! The device is opened at the start, not before: HDMI takes one client at a time, and until then
//! the item before this one has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{
    Buffer, Caps, ClockTime, Element, ElementFactory, FlowSuccess, MessageView, Pipeline, State,
};
use gstreamer_app::{AppLeakyType, AppSink, AppSinkCallbacks, AppSrc};

use crate::scene::AudioOut;

/// Samples are handed on this much ahead: more than the device buffers, less than is noticed when
/// they are thrown away.
const AHEAD: ClockTime = ClockTime::from_mseconds(400);
/// Samples that may wait for the device; older ones are dropped.
const QUEUE: ClockTime = ClockTime::from_mseconds(1_000);
/// The device's own buffer and how often it is filled, in microseconds: few wake-ups.
const DEVICE_BUFFER_US: i64 = 200_000;
const DEVICE_PERIOD_US: i64 = 40_000;
/// Drift between device and clock before it is corrected, in microseconds: lips stay in step.
const DRIFT_US: i64 = 20_000;
/// A busy device is asked again this often …
const RETRY: Duration = Duration::from_millis(100);
/// … and this many times: the item before has long gone by then.
const TRIES: u32 = 30;

/// Samples kept while the device opens: at 20 ms each, more than [`AHEAD`].
const WAITING: usize = 64;

/// Where samples go; they wait as long as no device is open.
#[derive(Default)]
pub struct Sound {
    feed: Mutex<Feed>,
}

#[derive(Default)]
struct Feed {
    source: Option<AppSrc>,
    waiting: VecDeque<(Buffer, Caps)>,
    /// Added to running times: what earlier rounds of a loop took that began by a flush.
    offset: ClockTime,
    over: bool,
    hushed: bool,
}

/// A device being played to.
struct Device {
    pipeline: Pipeline,
    source: AppSrc,
}

impl Sound {
    /// The decoding pipeline's sink: lets samples out [`AHEAD`] of their time.
    pub fn sink(self: &Arc<Self>) -> AppSink {
        let caps = gstreamer_audio::AudioCapsBuilder::new().any_features().build();
        let (next, last) = (Arc::clone(self), Arc::clone(self));
        let callbacks = AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                next.feed(&sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?);
                Ok(FlowSuccess::Ok)
            })
            .eos(move |_| last.end());
        let sink = AppSink::builder()
            .caps(&caps)
            .async_(false)
            .max_buffers(4)
            .callbacks(callbacks.build())
            .build();
        sink.set_property("enable-last-sample", false);
        sink.set_property("ts-offset", -i64::try_from(AHEAD.nseconds()).unwrap_or(0));
        sink
    }

    /// Opens the device on a thread of its own and plays from `base` on.
    pub fn start(self: &Arc<Self>, out: &AudioOut, volume: f32, base: ClockTime) {
        let (sound, out) = (Arc::clone(self), out.clone());
        let spawned = thread::Builder::new()
            .name("sound".into())
            .spawn(move || sound.play(|| open_sink(&out), volume, base));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the sound: it plays silently");
        }
    }

    /// Lets go of the device at once: somebody else may want it.
    pub fn hush(&self) {
        let mut feed = self.lock();
        feed.hushed = true;
        feed.waiting.clear();
        if let Some(source) = feed.source.take() {
            let_go(&source);
        }
    }

    /// Running times begin at zero again, after a round of this length.
    pub fn begin_again(&self, round: ClockTime) {
        let mut feed = self.lock();
        feed.offset += round;
        feed.over = false;
    }

    /// Plays until all has been heard; tries another time when the device fails.
    fn play(
        &self,
        open: impl Fn() -> Result<Element, glib::BoolError>,
        volume: f32,
        base: ClockTime,
    ) {
        let mut last_error = None;
        for _ in 0..TRIES {
            if self.lock().hushed {
                return;
            }
            let device = open().and_then(|sink| Device::start(&sink, volume, base));
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

    fn feed(&self, sample: &gstreamer::Sample) {
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
            return;
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
        if self.hushed {
            return;
        }
        let Some(source) = &self.source else {
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

/// Tells the device's own thread that it is not wanted any more.
fn let_go(source: &AppSrc) {
    let hushed = gstreamer::Structure::new_empty("hushed");
    // Refused while the device closes, which is what is wanted.
    let _ = source.post_message(gstreamer::message::Application::new(hushed));
}

/// The sample's buffer, stamped with time since the start: it rises through all rounds of a loop.
fn timed(sample: &gstreamer::Sample, offset: ClockTime) -> Option<Buffer> {
    let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
    let mut buffer = sample.buffer_owned()?;
    let at = segment.to_running_time(buffer.pts()?)? + offset;
    buffer.make_mut().set_pts(at);
    Some(buffer)
}

impl Device {
    fn start(sink: &Element, volume: f32, base: ClockTime) -> Result<Self, glib::BoolError> {
        let pipeline = Pipeline::new();
        let source = AppSrc::builder()
            .format(gstreamer::Format::Time)
            .leaky_type(AppLeakyType::Downstream)
            .max_time(QUEUE)
            .build();
        let convert = ElementFactory::make("audioconvert").build()?;
        let resample = ElementFactory::make("audioresample").build()?;
        let level = ElementFactory::make("volume").property("volume", f64::from(volume)).build()?;
        let parts = [source.upcast_ref(), &convert, &resample, &level, sink];
        pipeline.add_many(parts)?;
        Element::link_many(parts)?;
        pipeline.use_clock(Some(&gstreamer::SystemClock::obtain()));
        pipeline.set_start_time(ClockTime::NONE);
        pipeline.set_base_time(base);
        let device = Device { pipeline, source };
        let started = device.pipeline.set_state(State::Playing);
        started.map_err(|_| glib::bool_error!("the sound pipeline does not start"))?;
        Ok(device)
    }

    /// Waits until all has been heard, or the device fails.
    fn watch(&self) -> Result<(), glib::BoolError> {
        let bus = self.pipeline.bus();
        for message in bus.iter().flat_map(|bus| bus.iter_timed(ClockTime::NONE)) {
            match message.view() {
                MessageView::Eos(_) | MessageView::Application(_) => break,
                MessageView::Error(error) => {
                    return Err(glib::bool_error!("sound: {}", error.error()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Cannot be refused in a way that would matter: the process is disposable.
        let _ = self.pipeline.set_state(State::Null);
    }
}

/// The first sink that opens. Opening it now tells whether it works.
fn open_sink(out: &AudioOut) -> Result<Element, glib::BoolError> {
    let mut last_error = glib::bool_error!("no sound sink is installed");
    for (factory, device) in candidates(out) {
        match try_sink(factory, device.as_deref()) {
            Ok(sink) => return Ok(sink),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn candidates(out: &AudioOut) -> Vec<(&'static str, Option<String>)> {
    match out {
        AudioOut::None => Vec::new(),
        AudioOut::Alsa(device) => vec![("alsasink", Some(device.clone()))],
        // A sound server owns the devices of a desktop; without one, asking for it takes long.
        AudioOut::Auto if has_sound_server() => vec![("pulsesink", None), ("alsasink", None)],
        AudioOut::Auto => vec![("alsasink", None)],
    }
}

fn has_sound_server() -> bool {
    let socket = std::env::var_os("XDG_RUNTIME_DIR")
        .map(|dir| std::path::Path::new(&dir).join("pulse/native"));
    std::env::var_os("PULSE_SERVER").is_some() || socket.is_some_and(|path| path.exists())
}

fn try_sink(factory: &str, device: Option<&str>) -> Result<Element, glib::BoolError> {
    let sink = ElementFactory::make(factory)
        .property("buffer-time", DEVICE_BUFFER_US)
        .property("latency-time", DEVICE_PERIOD_US)
        .property("drift-tolerance", DRIFT_US)
        .build()?;
    if let Some(device) = device {
        sink.set_property("device", device);
    }
    match sink.set_state(State::Ready) {
        Ok(_) => Ok(sink),
        Err(_) => {
            // An element has to be at rest before it may be dropped.
            let _ = sink.set_state(State::Null);
            Err(glib::bool_error!("{factory} {}: does not open", device.unwrap_or("default")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const RATE: usize = 48_000;
    /// 20 ms each.
    const BUFFERS: i32 = 25;

    /// Half a second of full-scale square wave through `sound`, with a device that opens at the
    /// second try; what the device got.
    fn heard(volume: f32) -> Vec<i16> {
        gstreamer::init().expect("gstreamer");
        let sound = Arc::new(Sound::default());
        let decoded = gstreamer::parse::bin_from_description(
            &format!(
                "audiotestsrc wave=square volume=1 samplesperbuffer=960 num-buffers={BUFFERS} \
                 ! capsfilter caps=audio/x-raw,format=S16LE,channels=1,rate={RATE}"
            ),
            true,
        )
        .expect("source");
        let pipeline = Pipeline::new();
        let sink = sound.sink();
        pipeline.add_many([decoded.upcast_ref::<Element>(), sink.upcast_ref()]).expect("parts");
        decoded.link(&sink).expect("link");
        pipeline.set_state(State::Playing).expect("play");

        let samples = Arc::new(Mutex::new(Vec::new()));
        let device = device(&samples);
        let tries = AtomicUsize::new(0);
        let open = || match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Err(glib::bool_error!("busy")),
            _ => Ok(device.clone().upcast()),
        };
        sound.play(open, volume, ClockTime::ZERO);
        pipeline.set_state(State::Null).expect("stop");
        std::mem::take(&mut samples.lock().expect("samples"))
    }

    /// A device that writes down what it is given.
    fn device(samples: &Arc<Mutex<Vec<i16>>>) -> AppSink {
        let caps = gstreamer_audio::AudioCapsBuilder::new_interleaved()
            .format(gstreamer_audio::AudioFormat::S16le)
            .channels(1)
            .build();
        let samples = Arc::clone(samples);
        let note = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?;
            let map = sample.buffer().expect("buffer").map_readable().expect("map");
            let heard = map.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            samples.lock().expect("samples").extend(heard);
            Ok(FlowSuccess::Ok)
        };
        let callbacks = AppSinkCallbacks::builder().new_sample(note).build();
        AppSink::builder().sync(false).caps(&caps).callbacks(callbacks).build()
    }

    #[test]
    fn a_busy_device_costs_no_sample_and_the_volume_counts() {
        for (volume, peak) in [(1.0, 32_767), (0.25, 8_191)] {
            let samples = heard(volume);
            assert_eq!(samples.len(), RATE / 2, "volume {volume}");
            let quiet = samples.iter().filter(|sample| sample.unsigned_abs() < peak - 200).count();
            assert_eq!(quiet, 0, "volume {volume}");
            let loud = samples.iter().filter(|sample| sample.unsigned_abs() > peak + 200).count();
            assert_eq!(loud, 0, "volume {volume}");
        }
    }

    #[test]
    fn a_hushed_sound_lets_go_of_its_device_and_asks_for_none() {
        gstreamer::init().expect("gstreamer");
        let sound = Arc::new(Sound::default());
        let samples = Arc::new(Mutex::new(Vec::new()));
        let device = device(&samples);
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let playing = Arc::clone(&sound);
        let thread = thread::Builder::new().name("sound".into()).spawn(move || {
            let open = || {
                tell.send(()).expect("the test listens");
                Ok(device.clone().upcast())
            };
            // Ends although nothing says that the sound is over.
            playing.play(open, 1.0, ClockTime::ZERO);
            playing.play(|| unreachable!("a device was asked for"), 1.0, ClockTime::ZERO);
        });
        told.recv().expect("a device was opened");
        sound.hush();
        thread.expect("thread").join().expect("no panic");
        sound.lock().put(Buffer::new(), Caps::new_empty());
        assert!(sound.lock().waiting.is_empty());
    }

    #[test]
    fn what_waits_for_a_device_is_bounded() {
        gstreamer::init().expect("gstreamer");
        let mut feed = Feed::default();
        for _ in 0..WAITING * 3 {
            feed.put(Buffer::new(), Caps::new_empty());
        }
        assert_eq!(feed.waiting.len(), WAITING);
    }

    #[test]
    fn sound_goes_where_it_is_told() {
        let named = candidates(&AudioOut::Alsa("sysdefault:CARD=vc4hdmi0".into()));
        assert_eq!(named, [("alsasink", Some("sysdefault:CARD=vc4hdmi0".to_owned()))]);
        assert_eq!(candidates(&AudioOut::Auto).last(), Some(&("alsasink", None)));
        assert!(candidates(&AudioOut::None).is_empty());
    }
}

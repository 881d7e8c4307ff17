//! What comes out, with a device that writes down what it is given.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use gstreamer::{MessageType, Pipeline, State};
use vitrine_config::time::Mono;

use super::super::loan::Ledger;
use super::super::outlet::Outlet;
use super::super::pipeline;
use super::super::player::{Player, Wish};
use super::super::protocol::{Event, Medium};
use super::super::socket::Socket;
use super::*;
use crate::test_media::media;

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
             ! capsfilter caps=audio/x-raw,format=F32LE,channels=1,rate={RATE}"
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
    *sound.level() = Level::new(volume);
    sound.play(open, ClockTime::ZERO);
    pipeline.set_state(State::Null).expect("stop");
    let heard = std::mem::take(&mut *samples.lock().expect("samples"));
    heard.into_iter().flat_map(|(_, samples)| samples).collect()
}

/// What a device was given, with its time after the start.
type Heard = Arc<Mutex<Vec<(ClockTime, Vec<i16>)>>>;

/// A device that writes down what it is given.
fn device(samples: &Heard) -> AppSink {
    let caps = gstreamer_audio::AudioCapsBuilder::new_interleaved()
        .format(gstreamer_audio::AudioFormat::S16le)
        .channels(1)
        .build();
    let samples = Arc::clone(samples);
    let note = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?;
        let buffer = sample.buffer().expect("buffer");
        let map = buffer.map_readable().expect("map");
        let heard = map.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        let heard = (buffer.pts().expect("a time"), heard.collect());
        samples.lock().expect("samples").push(heard);
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
        // But for the ramp at the beginning.
        let after = samples.iter().skip(RATE / 100);
        let quiet = after.filter(|sample| sample.unsigned_abs() < peak - 200).count();
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
        playing.play(open, ClockTime::ZERO);
        playing.play(|| unreachable!("a device was asked for"), ClockTime::ZERO);
    });
    told.recv().expect("a device was opened");
    sound.hush();
    thread.expect("thread").join().expect("no panic");
    sound.lock().put(Buffer::new(), Caps::new_empty());
    assert!(sound.lock().waiting.is_empty());
}

/// Formats whose demuxers cannot start over by themselves are flushed and begin anew: the device that
/// has played the first round plays the next one.
#[test]
fn a_round_after_a_flush_is_heard_by_the_same_device() {
    gstreamer::init().expect("gstreamer");
    let sound = Arc::new(Sound { looped: true, ..Sound::default() });
    *sound.level() = Level::new(1.0);
    let file = media("sound.wav");
    let description = format!("filesrc location={} ! wavparse ! audioconvert", file.display());
    let decoded = gstreamer::parse::bin_from_description(&description, true).expect("source");
    let (pipeline, sink) = (Pipeline::new(), sound.sink());
    // Nobody waits for the time of a sample here.
    sink.set_sync(false);
    pipeline.add_many([decoded.upcast_ref::<Element>(), sink.upcast_ref()]).expect("parts");
    decoded.link(&sink).expect("link");

    let samples = Arc::new(Mutex::new(Vec::new()));
    let (playing, device) = (Arc::clone(&sound), device(&samples));
    let open = move || Ok(device.clone().upcast());
    let ears = thread::Builder::new().name("sound".into());
    let ears = ears.spawn(move || playing.play(open, ClockTime::ZERO)).expect("thread");
    while sound.lock().source.is_none() {
        thread::park_timeout(Duration::from_millis(5));
    }
    let bus = pipeline.bus().expect("bus");
    let round_is_over = || {
        let patience = ClockTime::from_seconds(60);
        bus.timed_pop_filtered(patience, &[MessageType::Eos]).expect("the end of a round");
    };
    let heard_ms = || {
        let samples = samples.lock().expect("samples");
        samples.last().map_or(0, |(at, samples): &(ClockTime, Vec<i16>)| {
            at.mseconds() + samples.len() as u64 * 1_000 / RATE as u64
        })
    };
    pipeline.set_state(State::Playing).expect("play");
    for round in 1..=2 {
        round_is_over();
        while heard_ms() + 20 < round * 1_000 {
            thread::park_timeout(Duration::from_millis(5));
        }
        sound.begin_again(ClockTime::from_seconds(1));
        pipeline.seek_simple(gstreamer::SeekFlags::FLUSH, ClockTime::ZERO).expect("a seek");
    }
    sound.hush();
    pipeline.set_state(State::Null).expect("stop");
    ears.join().expect("no panic");
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

/// When each picture that is bright is due, in nanoseconds after the start. Gives slots back on a
/// thread of its own, until the worker's end of the socket is closed.
fn flashes(stage: Socket, outlet: &Arc<Outlet>) -> Receiver<u64> {
    let (tell, told) = sync_channel(100);
    let outlet = Arc::downgrade(outlet);
    let watch = move || {
        let mut lent = Ledger::default();
        while let (Ok(Some(received)), Some(outlet)) = (stage.receive(), outlet.upgrade()) {
            match Event::read(received.bytes()).expect("a message") {
                Event::Lend { number } => lent.add(number, received.fd).expect("lent"),
                Event::Frame(frame) => {
                    let place = frame.lent.expect("lent");
                    let [luma, ..] = lent.of(&place, frame.shape).expect("inside");
                    let first = place.pieces[0].offset_bytes as usize;
                    if luma.in_memory().expect("mapped")[first] > 128 {
                        // Nobody listens any more after the first one.
                        let _ = tell.send(frame.at_ns);
                    }
                    outlet.give_back(frame.generation, frame.slot);
                }
                Event::Failed { text } => panic!("{text}"),
                _ => {}
            }
        }
    };
    thread::Builder::new().name("stage".into()).spawn(watch).expect("thread");
    told
}

/// When the first loud sample is heard, in nanoseconds after the start.
fn clap(heard: &[(ClockTime, Vec<i16>)]) -> Option<u64> {
    heard.iter().find_map(|(at, samples)| {
        let place = samples.iter().position(|sample| sample.unsigned_abs() > 2_000)?;
        Some(at.nseconds() + (place * 1_000_000_000 / RATE) as u64)
    })
}

fn wait_for_clap(heard: &Heard) -> u64 {
    loop {
        if let Some(at) = clap(&heard.lock().expect("samples")) {
            return at;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A worker that takes another one's place in mid-play.
#[test]
fn what_goes_on_is_in_step_with_what_was() {
    gstreamer::init().expect("gstreamer");
    let from = ClockTime::from_mseconds(700);
    for name in ["clap.mp4", "clap.webm"] {
        let (stage, worker) = Socket::pair().expect("sockets");
        let from_ns = from.nseconds();
        let outlet = Arc::new(Outlet::new(Arc::new(Socket::from_fd(worker)), false, from_ns));
        let flashes = flashes(stage, &outlet);
        let sound = Arc::new(Sound::default());
        *sound.level() = Level::new(1.0);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (playing, device) = (Arc::clone(&sound), device(&heard));
        let start = gstreamer::SystemClock::obtain().time().saturating_sub(from);
        let open = move || Ok(device.clone().upcast());
        let ears = thread::Builder::new().name("sound".into());
        let ears = ears.spawn(move || playing.play(open, start)).expect("thread");

        let file = std::fs::File::open(media(name)).expect("media").into();
        // This device is not looked for.
        let (medium, audio) = (Medium::Video, AudioOut::None);
        let (looped, software, lend) = (false, true, false);
        let wish = Wish { medium, volume: 1.0, looped, software, lend, from_ns, audio };
        let player = Player::assemble(file, wish, outlet, Some(Arc::clone(&sound)));
        let player = player.expect("a pipeline");
        player.start(Mono(start.nseconds()));
        let (seen_ns, heard_ns) = (flashes.recv().expect("a flash"), wait_for_clap(&heard));
        assert!(seen_ns.abs_diff(heard_ns) <= 20_000_000, "{name}: {seen_ns} {heard_ns}");
        assert!(seen_ns.abs_diff(1_000_000_000) < 40_000_000, "{name}: {seen_ns}");
        let first = heard.lock().expect("samples").first().map(|(at, _)| *at);
        let late = first.and_then(|first| first.checked_sub(from));
        assert!(late.is_some_and(|late| late.mseconds() < 60), "{name}: begins at {first:?}");
        sound.hush();
        ears.join().expect("no panic");
    }
}

#[test]
fn what_is_seen_and_what_is_heard_are_in_step() {
    gstreamer::init().expect("gstreamer");
    for name in ["clap.mp4", "clap.webm"] {
        let (stage, worker) = Socket::pair().expect("sockets");
        let outlet = Arc::new(Outlet::new(Arc::new(Socket::from_fd(worker)), false, 0));
        let flashes = flashes(stage, &outlet);
        let sound = Arc::new(Sound::default());
        *sound.level() = Level::new(1.0);
        let file = std::fs::File::open(media(name)).expect("media").into();
        let (medium, audio) = (Medium::Video, AudioOut::Auto);
        let (looped, software, lend, from_ns) = (false, false, false, 0);
        let wish = Wish { medium, volume: 1.0, looped, software, lend, from_ns, audio };
        let pipeline = pipeline::build(file, &outlet, Some(&sound), &wish).expect("pipeline");
        let clock = gstreamer::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        pipeline.set_start_time(ClockTime::NONE);
        pipeline.set_state(State::Paused).expect("prepared");
        let patience = ClockTime::from_seconds(60);
        let ready =
            pipeline.bus().expect("bus").timed_pop_filtered(patience, &[MessageType::AsyncDone]);
        ready.expect("prepared");

        let base = clock.time();
        pipeline.set_base_time(base);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let device = device(&heard);
        let (playing, played_to) = (Arc::clone(&sound), device.clone());
        let open = move || Ok(played_to.clone().upcast());
        let ears = thread::Builder::new().name("sound".into());
        let ears = ears.spawn(move || playing.play(open, base)).expect("thread");
        pipeline.set_state(State::Playing).expect("play");

        let seen_ns = flashes.recv().expect("a flash");
        let heard_ns = wait_for_clap(&heard);
        // Both go by one clock and one zero.
        assert_eq!(device.base_time(), Some(base), "{name}");
        let apart_ms = seen_ns.abs_diff(heard_ns) / 1_000_000;
        assert!(apart_ms <= 20, "{name}: {seen_ns} {heard_ns}");
        assert!(seen_ns.abs_diff(1_000_000_000) < 40_000_000, "{name}: {seen_ns}");
        sound.hush();
        pipeline.set_state(State::Null).expect("stop");
        ears.join().expect("no panic");
    }
}

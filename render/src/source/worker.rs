//! Moving pictures: the stage's handle on a media worker process.
//!
//! In:  a file, the start, the present.
//! Out: the picture due, when the next one is due, when the last one is over.
//!
//! Never waits: what takes time happens in the worker or on the source's own thread
//! (`worker::link`). A worker that hangs is noticed here, by the time that is handed in:
//! [`Source::poll`] wants to be called at least once a second while a source is prepared or plays.

mod setbacks;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags};
use vitrine_config::limits::PREPARE_MAX_MS;
use vitrine_config::time::Mono;

use super::decode::avif::Decoded;
use super::lent::{LentPicture, Loans, planes, planes_in_memory};
use super::{Chroma, Picture, Plane, Source, SourceError, State, Waker};
use crate::scene::{AudioOut, Size};
use crate::worker::Walls;
use crate::worker::frames::Seen;
use crate::worker::link::{Arrival, Job, Link};
use crate::worker::pool::Supply;
pub use crate::worker::pool::{WorkerCommand, WorkerPool};
use crate::worker::protocol::{Command, Frame, Medium};
use crate::worker::timeline::Timeline;

/// From the hand-over of the file to its first frame, unless others took longer lately. Local files need
/// 10 to 700 ms; one that has not shown up by then mostly never does, and a second try mostly works.
const FIRST_FRAME_WITHIN: Duration = Duration::from_millis(2_500);
/// The same for a still, which may have as much to decode as half a second of film, on one core.
const STILL_WITHIN: Duration = Duration::from_secs(10);
/// From the first look to a worker that is ready for the file: its own look at all plug-ins takes
/// ten seconds on a slow device, once.
const STARTED_WITHIN: Duration = Duration::from_secs(30);
/// From then to the first frame. Who asked gives up before, as settings and device demand.
const PREPARED_WITHIN: Duration = Duration::from_millis(PREPARE_MAX_MS);
/// From the end of the last frame known to word of another one. Longer than any stall of a disk
/// that a viewer would sit through.
const FRAME_WITHIN: Duration = Duration::from_secs(5);
/// The same for a worker that takes the place of another one: it may have as much to decode as lies
/// between two whole pictures.
const GOES_ON_WITHIN: Duration = Duration::from_secs(10);
/// Frame memories at a time: an old one stays while its last frame is on screen. More comes from
/// a worker that does not keep to the protocol.
const MEMORIES: usize = 3;

/// What to play.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoSpec {
    /// To be opened for reading.
    pub path: PathBuf,
    /// 0.0 (silent) to 1.0 (as recorded).
    pub volume: f32,
    /// Starts over at the end, without a gap.
    pub looped: bool,
    /// Where sound goes.
    pub audio: AudioOut,
}

/// A playing file. Dropping it ends its worker, without waiting for that.
pub struct VideoSource {
    spec: VideoSpec,
    medium: Medium,
    /// The file, where it is in memory.
    held: Option<Arc<OwnedFd>>,
    supply: Supply,
    waker: Waker,
    link: Link,
    timeline: Timeline,
    lasts: Option<Duration>,
    /// The decoder of hardware in use.
    hardware: Option<String>,
    mended: Option<String>,
    broke_off: Option<String>,
    leaves_at: Option<Mono>,
    hushed: bool,
    /// Numbered through all workers.
    memories: Vec<(u32, Seen)>,
    loans: Loans,
    /// Its worker was told that it may lend frames; and that it is not to any more.
    lends: bool,
    keeps: bool,
    /// Why it was told not to, although others may: hardware failed while it lent.
    unlent: Option<String>,
    /// What was before the worker at work.
    before: setbacks::Before,
    watch: Watch,
    failed: Option<SourceError>,
    walls: Option<Walls>,
}

/// How long the first frame is in coming.
#[derive(Debug, Default)]
struct Watch {
    since: Option<Mono>,
    opened: Opened,
    /// A worker was ready for the file.
    started: bool,
    rebuilt: bool,
    /// The first frame has come.
    over: bool,
    now: Mono,
}

#[derive(Debug, Default, PartialEq)]
enum Opened {
    #[default]
    NotYet,
    Unseen,
    At(Mono),
}

impl VideoSource {
    /// Begins to prepare `spec`; never waits. `waker` is called, from another thread, when there
    /// is news.
    pub fn open(spec: VideoSpec, pool: &WorkerPool, waker: Waker) -> Self {
        VideoSource::with((spec, Medium::Video, None), pool.supply(), waker)
    }

    /// Begins to prepare a sound. Its pictures are empty and come about once a second of it: somebody
    /// has to take them all the same.
    pub fn sound(spec: VideoSpec, pool: &WorkerPool, waker: Waker) -> VideoSource {
        VideoSource::with((spec, Medium::Sound, None), pool.supply(), waker)
    }

    /// Begins to decode one picture, which `bytes` hold and messages call `name`.
    ///
    /// # Errors
    /// No memory to hand them over.
    pub(super) fn still(
        name: PathBuf,
        bytes: &[u8],
        supply: Supply,
        waker: Waker,
    ) -> io::Result<VideoSource> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("vitrine-still", flags)?);
        file.write_all(bytes)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)?;
        let spec = VideoSpec { path: name, volume: 0.0, looped: false, audio: AudioOut::None };
        let held = Some(Arc::new(OwnedFd::from(file)));
        Ok(VideoSource::with((spec, Medium::Still, held), supply, waker))
    }

    fn with(
        (spec, medium, held): (VideoSpec, Medium, Option<Arc<OwnedFd>>),
        supply: Supply,
        waker: Waker,
    ) -> VideoSource {
        let lends = supply.zero_copy().may_lend();
        let software = supply.distrusts(&spec.path);
        let job = job(&spec, medium, held.clone(), (software, lends));
        VideoSource {
            link: Link::open(job, supply.clone(), waker.clone()),
            spec,
            medium,
            held,
            supply,
            waker,
            timeline: Timeline::default(),
            lasts: None,
            hardware: None,
            mended: None,
            broke_off: None,
            leaves_at: None,
            hushed: false,
            memories: Vec::new(),
            loans: Loans::default(),
            lends,
            keeps: false,
            unlent: None,
            before: setbacks::Before::default(),
            watch: Watch::default(),
            failed: None,
            walls: None,
        }
    }

    fn drain(&mut self) {
        while let Some(arrival) = self.link.next(self.timeline.waits()) {
            let taken = match arrival {
                Arrival::Opened => {
                    self.watch.opened = Opened::Unseen;
                    if self.leaves_at.is_some() {
                        self.foretell();
                    }
                    Ok(())
                }
                Arrival::Hardware(decoder) => {
                    // Once is enough.
                    self.hardware = Some(decoder).filter(|_| !self.before.is_software());
                    Ok(())
                }
                Arrival::Length(ns) => {
                    self.lasts = Some(Duration::from_nanos(ns));
                    Ok(())
                }
                Arrival::Walls(walls) => {
                    self.walls = Some(walls);
                    Ok(())
                }
                Arrival::Pool { generation, memory } => {
                    self.add_memory(self.before.numbered(generation), memory)
                }
                Arrival::Frame(mut frame) => {
                    frame.generation = self.before.numbered(frame.generation);
                    self.before.has_followed();
                    self.timeline.push(frame).map_err(|error| format!("the media worker {error}"))
                }
                Arrival::Lent(mut frame, buffers) => {
                    let own = frame.generation;
                    frame.generation = self.before.numbered(own);
                    self.before.has_followed();
                    self.loans.add(&frame, own, buffers, &self.link);
                    self.timeline.push(frame).map_err(|error| format!("the media worker {error}"))
                }
                Arrival::End(at_ns) => {
                    self.timeline.end(at_ns);
                    Ok(())
                }
                Arrival::BrokeOff(at_ns, text) => {
                    self.break_off(at_ns, &text);
                    Ok(())
                }
                Arrival::Failed(text) => Err(text),
            };
            if let Err(text) = taken
                && !self.try_once_more(&text)
            {
                self.fail(&text);
            }
        }
    }

    fn add_memory(&mut self, generation: u32, memory: Seen) -> Result<(), String> {
        self.memories.retain(|(number, _)| self.timeline.uses(*number));
        if self.memories.len() >= MEMORIES {
            return Err("the media worker keeps changing its frame memory".to_owned());
        }
        self.memories.push((generation, memory));
        Ok(())
    }

    /// The first failure is the one that counts, unless software may do better than hardware.
    fn fail(&mut self, text: &str) {
        if self.failed.is_some() || self.leave_lending(text) || self.leave_hardware(text) {
            return;
        }
        self.failed = Some(SourceError(format!("{}: {text}", self.spec.path.display())));
        self.close();
    }

    /// Hardware that fails before its first frame gets another chance, without lending: if that goes
    /// well, it was for this.
    fn leave_lending(&mut self, text: &str) -> bool {
        let Some(decoder) = self.hardware.as_ref().filter(|_| self.lends) else { return false };
        if self.timeline.front().is_some() {
            return false;
        }
        self.unlent = Some(format!("{decoder} fails with it: {text}"));
        (self.lends, self.hardware) = (false, None);
        self.begin_anew();
        true
    }

    fn close(&mut self) {
        self.link.close();
        self.before.close();
    }

    /// The first picture, for somebody else than the screen.
    pub(super) fn decoded(&self) -> Option<Decoded<'_>> {
        let frame = self.timeline.front()?;
        let (_, memory) = self.memories.iter().find(|(number, _)| *number == frame.generation)?;
        Some(Decoded { shape: frame.shape, slot: memory.slot(frame.slot)?, colour: frame.colour })
    }

    fn state(&self) -> State {
        match (&self.failed, self.timeline.front()) {
            (Some(error), _) => State::Failed(error.clone()),
            (None, Some(frame)) => State::Ready(size(frame)),
            (None, None) => State::Preparing,
        }
    }

    /// Finds out whose fault it was; tells the worker when frames are not to be lent any more.
    fn judge_lending(&mut self) {
        let by_hardware = self.hardware.is_some() && self.timeline.front().is_some();
        if let Some(why) = self.unlent.take_if(|_| by_hardware) {
            self.supply.zero_copy().refuse(&why);
        }
        if self.lends && !self.keeps && !self.supply.zero_copy().may_lend() {
            self.keeps = true;
            let sent = self.link.send(&Command::Keep);
            self.send(sent);
        }
    }

    fn watch(&mut self, now: Mono) {
        if self.failed.is_some() {
            return;
        }
        if self.timeline.front().is_none() {
            return self.watch_first_frame(now);
        }
        if !std::mem::replace(&mut self.watch.over, true)
            && let (Opened::At(at), Medium::Video) = (&self.watch.opened, self.medium)
        {
            self.supply.first_frame_came(now.since(*at));
        }
        let (since, within) = match self.before.awaited_since() {
            Some(since) => (Some(since), GOES_ON_WITHIN),
            None => (self.timeline.dry_since(), FRAME_WITHIN),
        };
        if since.is_some_and(|since| now.since(since) > within) {
            if self.hardware.is_some() && !self.loans.is_empty() {
                // Perhaps it waits for what it has lent.
                self.supply.zero_copy().refuse("a decoder stopped while frames of it were lent");
            }
            self.fail(&format!("no further frame within {} s", within.as_secs()));
        }
    }

    fn watch_first_frame(&mut self, now: Mono) {
        let first_frame_within = self.supply.first_frame_within(FIRST_FRAME_WITHIN);
        let watch = &mut self.watch;
        let since = *watch.since.get_or_insert(now);
        if watch.opened == Opened::Unseen {
            watch.opened = Opened::At(now);
            if !std::mem::replace(&mut watch.started, true) {
                watch.since = Some(now);
                return;
            }
        }
        let within = match self.medium {
            Medium::Still => STILL_WITHIN,
            Medium::Video | Medium::Sound => first_frame_within,
        };
        let late = matches!(watch.opened, Opened::At(at) if now.since(at) > within);
        if !watch.started {
            if now.since(since) > STARTED_WITHIN {
                let within_s = STARTED_WITHIN.as_secs();
                self.fail(&format!("no media worker was ready within {within_s} s"));
            }
        } else if now.since(since) > PREPARED_WITHIN {
            self.fail(&format!("no first frame within {} s", PREPARED_WITHIN.as_secs()));
        } else if late && !watch.rebuilt {
            watch.rebuilt = true;
            tracing::warn!(path = %self.spec.path.display(), "no first frame yet: another worker");
            let text = format!("no first frame within {} ms", within.as_millis());
            if !self.leave_hardware(&text) {
                self.begin_anew();
            }
        }
    }

    fn foretell(&mut self) {
        let sent = self.link.send(&Command::LeavesAt { at: self.leaves_at });
        self.send(sent);
    }

    fn send(&mut self, sent: std::io::Result<()>) {
        if let Err(error) = sent {
            self.fail(&format!("the media worker does not listen: {error}"));
        }
    }
}

impl Source for VideoSource {
    fn poll(&mut self, now: Mono) -> State {
        self.watch.now = now;
        self.drain();
        self.judge_lending();
        self.before.see_off(now);
        self.watch(now);
        self.state()
    }

    fn start(&mut self, at: Mono) {
        self.timeline.start(at);
        let sent = self.link.start(Command::Start { at });
        self.send(sent);
    }

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        self.watch.now = now;
        self.drain();
        let (mut sent, link, loans) = (Ok(()), &self.link, &mut self.loans);
        let before = &self.before;
        let frame = self.timeline.take(now, |done| {
            if loans.let_go(&done) {
                return;
            }
            let Frame { generation, slot, .. } = done;
            let Some(generation) = before.own(generation) else { return };
            let answer = link.send(&Command::Release { generation, slot });
            sent = std::mem::replace(&mut sent, Ok(())).and(answer);
        });
        self.send(sent);
        // A frame taken is a frame less ahead: the next one may be worth a wake-up now.
        self.drain();
        let frame = frame?;
        if let Some(lent) = frame.lent {
            let Frame { shape, colour, pixel_aspect, .. } = frame;
            let loan = self.loans.find(&frame)?;
            let in_memory = || planes_in_memory(&lent, loan);
            // What hardware lends may be a device's, and is asked of the GPU first.
            if let Some(planes) = self.hardware.is_none().then(in_memory).flatten() {
                return Some(picture(&frame, planes));
            }
            return Some(Picture::Lent(LentPicture { colour, pixel_aspect, shape, lent, loan }));
        }
        let (_, memory) = self.memories.iter().find(|(number, _)| *number == frame.generation)?;
        Some(picture(&frame, planes(frame.shape, memory.slot(frame.slot)?)?))
    }

    fn next_at(&self) -> Option<Mono> {
        self.timeline.next_at()
    }

    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }

    fn ends_at(&self) -> Option<Mono> {
        self.timeline.ends_at()
    }

    fn taken(&self) -> Option<u64> {
        Some(self.timeline.taken())
    }

    fn dropped(&self) -> u64 {
        self.timeline.dropped()
    }

    fn mended(&mut self) -> Option<String> {
        self.mended.take()
    }

    fn broke_off(&mut self) -> Option<String> {
        self.broke_off.take()
    }

    fn leaves_at(&mut self, at: Option<Mono>) {
        if std::mem::replace(&mut self.leaves_at, at) != at {
            self.foretell();
        }
    }

    fn walls(&self) -> Option<Walls> {
        self.walls
    }

    fn is_starting(&self) -> bool {
        self.failed.is_none() && self.watch.opened == Opened::NotYet
    }

    fn leave(&mut self) {
        self.hushed = true;
        let sent = self.link.send(&Command::Hush);
        self.send(sent);
    }

    fn again(&mut self) {
        self.timeline.again();
    }
}

impl Drop for VideoSource {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the worker is told. A volume of zero is the same as no sound.
fn job(
    spec: &VideoSpec,
    medium: Medium,
    held: Option<Arc<OwnedFd>>,
    (software, lend): (bool, bool),
) -> Job {
    let volume = if spec.volume.is_finite() { spec.volume.clamp(0.0, 1.0) } else { 1.0 };
    let audio = if volume > 0.0 { spec.audio.clone() } else { AudioOut::None };
    // Hardware is made for films.
    let software = software || medium == Medium::Still;
    let lend = lend && medium == Medium::Video;
    let (looped, from_ns) = (spec.looped, 0);
    let open = Command::Open { medium, volume, looped, software, lend, from_ns, audio };
    Job { path: spec.path.clone(), held, open }
}

fn size(frame: &Frame) -> Size {
    Size { width_px: frame.shape.width_px(), height_px: frame.shape.height_px() }
}

fn picture<'a>(frame: &Frame, (luma, chroma): (Plane<'a>, Chroma<'a>)) -> Picture<'a> {
    let Frame { colour, pixel_aspect, .. } = *frame;
    Picture::Yuv { size: size(frame), luma, chroma, colour, pixel_aspect }
}

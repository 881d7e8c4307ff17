//! Moving pictures: the stage's handle on a media worker process.

use std::ffi::OsString;
use std::path::PathBuf;

use vitrine_config::time::Mono;

use super::{Picture, Source, SourceError, State, Waker};
use crate::scene::AudioOut;

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

/// How a media worker process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for WorkerCommand {
    /// This executable with `media-worker`.
    fn default() -> Self {
        WorkerCommand {
            program: PathBuf::from("/proc/self/exe"),
            args: vec![OsString::from("media-worker")],
        }
    }
}

/// Where worker processes come from.
#[derive(Debug)]
pub struct WorkerPool {
    _command: WorkerCommand,
}

impl WorkerPool {
    /// A pool without processes.
    pub fn new(command: WorkerCommand) -> Self {
        WorkerPool { _command: command }
    }

    /// Keeps one initialised spare worker from now on, so that the next source starts at once.
    pub fn warm(&self) {}
}

/// A playing file.
#[derive(Debug)]
pub struct VideoSource {
    spec: VideoSpec,
}

impl VideoSource {
    /// Begins to prepare `spec`; never blocks. `waker` is called when there is news.
    pub fn open(spec: VideoSpec, _pool: &WorkerPool, _waker: Waker) -> Self {
        VideoSource { spec }
    }
}

impl Source for VideoSource {
    fn poll(&mut self, _now: Mono) -> State {
        State::Failed(SourceError(format!("{}: no media worker", self.spec.path.display())))
    }

    fn start(&mut self, _at: Mono) {}

    fn take(&mut self, _now: Mono) -> Option<Picture<'_>> {
        None
    }

    fn next_at(&self) -> Option<Mono> {
        None
    }
}

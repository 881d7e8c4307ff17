//! Where log lines go, and what happens when a thread panics.
//!
//! Levels are a contract: ERROR always means a bug of ours, WARN something that a person should
//! look at (a bad file, a lost cloud, a dead worker), INFO what happened, DEBUG and TRACE why.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};
use vitrine_config::model::{Log, LogFormat};

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Journal,
    Text,
    Json,
}

/// Sets the log up for the rest of the process's life. A second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|error| {
        crate::out::complain(&format!("log.level = {:?}: {error}; using info", log.filter));
        EnvFilter::new("info")
    });
    let sink = choose(log.format, journal_is_there());
    let _ = tracing_subscriber::registry().with(writer(sink).with_filter(filter)).try_init();
    die_of_panics();
}

fn choose(format: LogFormat, journal: bool) -> Sink {
    match format {
        LogFormat::Json => Sink::Json,
        LogFormat::Text if journal => Sink::Journal,
        LogFormat::Text => Sink::Text,
    }
}

/// systemd says with `JOURNAL_STREAM` = `device:inode` which descriptor is the journal; a child
/// whose standard error was redirected inherits the variable, so the numbers must match.
fn journal_is_there() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|facts| stream == format!("{}:{}", facts.st_dev, facts.st_ino))
}

fn writer(sink: Sink) -> Box<dyn Layer<Registry> + Send + Sync> {
    // A log that cannot be written must not end the player: internal errors stay silent.
    let text = || fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    match sink {
        Sink::Journal => match tracing_journald::layer() {
            Ok(journal) => journal.with_syslog_identifier("vitrine".to_owned()).boxed(),
            Err(_) => text().without_time().with_ansi(false).boxed(),
        },
        Sink::Text => text().with_ansi(io::stderr().is_terminal()).boxed(),
        Sink::Json => text().json().flatten_event(true).boxed(),
    }
}

/// A panic is a bug, and a player with one thread missing is worse than one that starts anew in a
/// second: the whole process ends, and whoever started it starts it again. Decoders of foreign
/// pictures are the exception: `render` catches theirs and reports the picture as failed.
fn die_of_panics() {
    std::panic::set_hook(Box::new(|info| {
        let line = describe(info);
        tracing::error!("{line}");
        if !tracing::enabled!(tracing::Level::ERROR) {
            crate::out::complain(&line);
        }
        if !thread_name().starts_with(CAUGHT_THREADS) {
            std::process::abort();
        }
    }));
}

/// Names of the threads whose panics are caught where they happen.
const CAUGHT_THREADS: &str = "decode-";

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    let place = info.location().map_or_else(|| "somewhere".to_owned(), ToString::to_string);
    format!("thread {} panicked at {place}: {what}", thread_name())
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or("without a name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_get_json_people_the_journal_if_there_is_one() {
        for (format, journal, want) in [
            (LogFormat::Text, false, Sink::Text),
            (LogFormat::Text, true, Sink::Journal),
            (LogFormat::Json, true, Sink::Json),
            (LogFormat::Json, false, Sink::Json),
        ] {
            assert_eq!(choose(format, journal), want, "{format:?}, journal: {journal}");
        }
    }
}

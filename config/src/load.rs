//! Which layers there are, and what they say.
//!
//! In: [`Sources`]. Out: a [`Config`] or everything that is wrong.
//! Not here: the meaning of values (`check`), waiting for changes (`watch`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::afar::{self, Afar};
use crate::check::{self, Reading};
use crate::error::{Place, Problem, Problems};
use crate::limits::{CONFIG_FILE_BYTES, CONFIG_FILES};
use crate::model::Config;
use crate::raw::{self, Raw};

/// Where settings come from, the weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The main file; `conf.d/*.toml` beside it come after it, by name. `None`: no files.
    pub file: Option<PathBuf>,
    /// A missing `file` is a problem, as it should be when a person named it. Else it is as good
    /// as an empty one, and only what cannot be read is a problem.
    pub file_required: bool,
    /// What the cloud has the last word on.
    pub afar: Afar,
    /// What was on the boot partition, kept by the player; comes after the drop-ins. One that is not
    /// there or not for us to read is as good as an empty one.
    pub provisioned: Option<PathBuf>,
    /// Variables of the environment, names and values; those without `VITRINE_` are passed over.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, the later ones win.
    pub overrides: Vec<String>,
}

impl Sources {
    /// `file` and the environment of this process. Bytes that are no UTF-8 are replaced, so that
    /// the check refuses them where they matter.
    pub fn of_process(file: Option<PathBuf>) -> Sources {
        let environment = std::env::vars_os()
            .map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .filter(|(name, _)| name.starts_with("VITRINE_"))
            .collect();
        Sources { file, environment, ..Sources::default() }
    }
}

/// Reads and checks all layers.
///
/// # Errors
/// Everything that is wrong in any layer, also in values that a later layer overrides.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    let reading = read(sources);
    if reading.problems.is_empty() { Ok(reading.config) } else { Err(reading.problems) }
}

/// Reads all layers and takes what holds, so that a player starts whatever is written there: a
/// wrong value leaves what the layers below it say. The second is everything that is wrong.
pub fn load_what_holds(sources: &Sources) -> (Config, Option<Problems>) {
    let reading = read(sources);
    let problems = (!reading.problems.is_empty()).then_some(reading.problems);
    (reading.config, problems)
}

/// Checks one file alone: no `conf.d`, no environment.
///
/// # Errors
/// Everything that is wrong in it; that it cannot be read, or is not there.
pub fn check_file(path: &Path) -> Result<Config, Problems> {
    let reading = check::check([file(path, true)]);
    if reading.problems.is_empty() { Ok(reading.config) } else { Err(reading.problems) }
}

/// Reads what can be read of all layers.
pub fn read(sources: &Sources) -> Reading {
    let mut layers = files(sources);
    layers.push(sources.afar.layer());
    let variables = sources.environment.iter();
    layers.push(collect(variables.filter_map(|(name, value)| raw::variable(name, value))));
    layers.push(collect(sources.overrides.iter().map(|text| raw::assignment(text))));
    check::check(layers)
}

/// What the files say, key by key, as the command line takes it: no environment, nothing from afar.
pub fn files_say(sources: &Sources) -> BTreeMap<String, String> {
    afar::said(&check::check(files(sources)))
}

fn files(sources: &Sources) -> Vec<Raw> {
    let Some(main) = &sources.file else { return Vec::new() };
    let mut layers = vec![file(main, sources.file_required)];
    match drop_ins(main) {
        Ok(paths) => layers.extend(paths.iter().map(|path| file(path, true))),
        Err(problem) => layers.push(Raw { problems: vec![problem], ..Raw::default() }),
    }
    if let Some(path) = sources.provisioned.as_ref().filter(|path| File::open(path).is_ok()) {
        layers.push(file(path, false));
    }
    layers
}

fn collect(results: impl Iterator<Item = Result<raw::Entry, Problem>>) -> Raw {
    let mut raw = Raw::default();
    for result in results {
        match result {
            Ok(entry) => raw.entries.push(entry),
            Err(problem) => raw.problems.push(problem),
        }
    }
    raw
}

/// The directory of drop-ins that belongs to a main file.
pub fn drop_in_dir(main: &Path) -> PathBuf {
    main.with_file_name("conf.d")
}

/// The drop-ins beside `main`, by name. Hidden ones are left out: editors lock and swap there.
pub fn drop_ins(main: &Path) -> Result<Vec<PathBuf>, Problem> {
    let dir = drop_in_dir(main);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(whole_file(&dir, error.to_string(), "a readable directory")),
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_drop_in(path))
        .collect();
    if paths.len() > CONFIG_FILES {
        let found = format!("{} files *.toml", paths.len());
        return Err(whole_file(&dir, found, &format!("at most {CONFIG_FILES}")));
    }
    paths.sort();
    Ok(paths)
}

fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// One file as a layer.
fn file(path: &Path, required: bool) -> Raw {
    match text_of(path) {
        Ok(text) => raw::document(path, &text),
        Err(None) if !required => Raw::default(),
        Err(problem) => {
            let missing = || whole_file(path, "no such file".into(), "a file with settings");
            Raw { problems: vec![problem.unwrap_or_else(missing)], ..Raw::default() }
        }
    }
}

/// The text of a file; `None` as the error if there is no such file.
fn text_of(path: &Path) -> Result<String, Option<Problem>> {
    let unreadable = |error: io::Error| {
        (!is_absent(&error)).then(|| whole_file(path, error.to_string(), "a readable file"))
    };
    let file = open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        let want = "a regular file";
        return Err(Some(whole_file(path, "a directory, pipe or device".into(), want)));
    }
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > CONFIG_FILE_BYTES {
        let want = format!("at most {CONFIG_FILE_BYTES} bytes");
        return Err(Some(whole_file(path, "a longer file".into(), &want)));
    }
    String::from_utf8(bytes).map_err(|error| Some(not_utf8(path, &error)))
}

/// Opens without waiting: a named pipe would hold us until somebody writes.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Problem {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line_start = good.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
    let place = Place::At {
        path: path.into(),
        line: good.iter().filter(|&&b| b == b'\n').count() + 1,
        column: String::from_utf8_lossy(&good[line_start..]).chars().count() + 1,
    };
    let found = format!("byte 0x{:02x}", error.as_bytes()[good.len()]);
    Problem { place, key: None, found, want: "UTF-8 text".into() }
}

fn whole_file(path: &Path, found: String, want: &str) -> Problem {
    Problem { place: Place::File(path.into()), key: None, found, want: want.into() }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

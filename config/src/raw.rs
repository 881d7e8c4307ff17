//! What is written, and where: text in, entries of known keys out, with nothing understood yet.
//!
//! In: the text of one file, one variable, or one `section.key=value`.
//! Out: [`Entry`]s in the order of the text, and a [`Problem`] for each thing that is none.
//! Promises: `everything_wrong_is_found_at_once`, `random_bytes_never_panic`.
//! Not here: ranges and forms (`check`), which files there are (`load`).
//!
//! The tree is walked by hand: deserialising into structs would stop at the first mistake.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Place, Problem};
use crate::keys::{self, KEYS, Key};
use crate::nearest::nearest;

/// Characters of a value that a problem repeats.
const FOUND_CHARS: usize = 60;

/// Letters by which a variable may differ from a known one and still be taken for it.
const VARIABLE_SLIPS: usize = 2;

/// A value for a known key.
pub struct Entry {
    pub key: &'static Key,
    pub value: Value,
    pub place: Place,
    /// As it was written, shortened.
    pub found: String,
}

/// A value before anybody asked what it means.
#[derive(Debug, PartialEq)]
pub enum Value {
    Whole(i64),
    Text(String),
    /// From the environment or the command line, where nothing is quoted: a number or a text,
    /// whichever the key takes.
    Bare(String),
    /// A truth value, a date, a list …: no key takes one.
    Other,
}

/// What one layer says.
#[derive(Default)]
pub struct Raw {
    pub entries: Vec<Entry>,
    pub problems: Vec<Problem>,
}

/// Reads the text of the file at `path`; the path is only for the places.
pub fn document(path: &Path, text: &str) -> Raw {
    let mut walk = Walk { path, text, raw: Raw::default() };
    let (tree, errors) = DeTable::parse_recoverable(text);
    for (section, value) in tree.get_ref() {
        walk.section(section, value);
    }
    let mut broken = BTreeSet::new();
    let mut slips = Vec::new();
    for error in &errors {
        let place = walk.place(&error.span().unwrap_or(0..0));
        // One slip of the pen makes several of these; the first on a line is the cause.
        if broken.insert(line_of(&place)) {
            slips.push(not_toml(place, error.message()));
        }
    }
    // What stands on such a line was guessed by the parser.
    let mut raw = walk.raw;
    raw.problems.retain(|problem| !broken.contains(&line_of(&problem.place)));
    raw.entries.retain(|entry| !broken.contains(&line_of(&entry.place)));
    raw.problems.extend(slips);
    raw
}

/// Reads a variable of the environment; `None` if it is nothing to us.
///
/// `VITRINE_…` is also the prefix of variables that are no settings (the cloud's operator token is
/// one), so an unknown one is a problem only if it is a slip away from a known one or the
/// beginning of one. Its value is not repeated: it may be anything.
pub fn variable(name: &str, value: &str) -> Option<Result<Entry, Problem>> {
    let rest = name.strip_prefix("VITRINE_")?;
    let place = Place::Environment(name.into());
    if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
        return Some(Ok(bare(key, value, place)));
    }
    let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let begins = |known: &&String| rest.contains('_') && known.starts_with(name);
    let slip = || nearest(name, VARIABLE_SLIPS, known.iter().map(String::as_str));
    let meant = known.iter().find(begins).map(String::as_str).or_else(slip)?;
    let want = format!("a known setting; nearest: {meant}");
    Some(Err(Problem { place, key: None, found: "no setting".into(), want }))
}

/// Reads one `section.key=value` of the command line.
pub fn assignment(text: &str) -> Result<Entry, Problem> {
    let place = Place::CommandLine;
    let Some((name, value)) = text.split_once('=') else {
        let want = "section.key=value, such as cloud.poll_s=30".into();
        return Err(Problem { place, key: None, found: written(text), want });
    };
    let (name, value) = (name.trim(), value.trim());
    match KEYS.iter().find(|key| key.full == name) {
        Some(key) => Ok(bare(key, value, place)),
        None => Err(unknown(place, name)),
    }
}

fn bare(key: &'static Key, value: &str, place: Place) -> Entry {
    Entry { key, value: Value::Bare(value.into()), place, found: written(value) }
}

/// The text of a file on the way through its tree.
struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    raw: Raw,
}

impl Walk<'_> {
    fn section(&mut self, name: &Spanned<toml::de::DeString>, value: &Spanned<DeValue>) {
        let known = keys::sections().find(|section| section == name.get_ref());
        match (known, value.get_ref()) {
            (Some(section), DeValue::Table(table)) => {
                for (key, value) in table {
                    self.entry(section, key, value);
                }
            }
            (Some(section), _) => {
                let found = self.found(value);
                let want = format!("[{section}] and its keys below it");
                self.problem(name.span(), section, found, want);
            }
            (None, DeValue::Table(_)) => self.unknown_section(name),
            (None, _) => {
                let problem = unknown(self.place(&name.span()), name.get_ref());
                self.raw.problems.push(problem);
            }
        }
    }

    fn unknown_section(&mut self, name: &Spanned<toml::de::DeString>) {
        let want = match nearest(name.get_ref(), slips(name.get_ref()), keys::sections()) {
            Some(meant) => format!("a known section; nearest: [{meant}]"),
            None => {
                let known: Vec<String> = keys::sections().map(|name| format!("[{name}]")).collect();
                format!("one of {}", known.join(", "))
            }
        };
        let found = format!("[{}]", written(name.get_ref()));
        let place = self.place(&name.span());
        self.raw.problems.push(Problem { place, key: None, found, want });
    }

    fn entry(
        &mut self,
        section: &str,
        name: &Spanned<toml::de::DeString>,
        value: &Spanned<DeValue>,
    ) {
        let full = format!("{section}.{}", name.get_ref());
        match KEYS.iter().find(|key| key.full == full) {
            Some(key) => {
                let (place, found) = (self.place(&value.span()), self.found(value));
                self.raw.entries.push(Entry { key, value: plain(value.get_ref()), place, found });
            }
            None => {
                let problem = unknown(self.place(&name.span()), &full);
                self.raw.problems.push(problem);
            }
        }
    }

    fn problem(&mut self, span: Range<usize>, key: &str, found: String, want: String) {
        let place = self.place(&span);
        self.raw.problems.push(Problem { place, key: Some(key.into()), found, want });
    }

    fn found(&self, value: &Spanned<DeValue>) -> String {
        match value.get_ref() {
            DeValue::Table(_) => "{…}".into(),
            _ => written(self.text.get(value.span()).unwrap_or_default()),
        }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::At {
            path: self.path.into(),
            line: before.bytes().filter(|&b| b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn plain(value: &DeValue) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.as_ref().into()),
        DeValue::Integer(whole) => {
            i64::from_str_radix(whole.as_str(), whole.radix()).map_or(Value::Other, Value::Whole)
        }
        _ => Value::Other,
    }
}

fn not_toml(place: Place, message: &str) -> Problem {
    let found = format!("no TOML ({})", written(message));
    Problem { place, key: None, found, want: "key = value below [section]".into() }
}

/// The problem of a key that nobody knows: a right name in the wrong section is found too. Its value is
/// not repeated: it may be a secret under a name that is not quite right.
fn unknown(place: Place, full: &str) -> Problem {
    let (section, name) = full.split_once('.').unwrap_or(("", full));
    let elsewhere = KEYS.iter().find(|key| key.name() == name).map(|key| key.full);
    let want = match elsewhere
        .or_else(|| nearest(full, slips(full), KEYS.iter().map(|key| key.full)))
    {
        Some(meant) => format!("a known key; nearest: {meant}"),
        None => {
            let known: Vec<&str> =
                KEYS.iter().filter(|key| key.section() == section).map(|key| key.name()).collect();
            match known.as_slice() {
                [] => format!("a key of {}", keys::sections().collect::<Vec<_>>().join(", ")),
                names => format!("one of {}", names.join(", ")),
            }
        }
    };
    Problem { place, key: None, found: written(full), want }
}

/// Letters by which a key in a file may differ from the suggested one: a third, at least two.
fn slips(text: &str) -> usize {
    (text.len() / 3).max(2)
}

/// What a problem repeats of a text: its beginning, on one line, without a user's name and
/// password in a URL.
fn written(text: &str) -> String {
    let text = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://…{}", &text[..scheme], &text[at..])
        }
        _ => text.into(),
    };
    let mut short: String = text.chars().take(FOUND_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.chars().flat_map(on_one_line).collect()
}

fn on_one_line(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

fn line_of(place: &Place) -> Option<usize> {
    match place {
        Place::At { line, .. } => Some(*line),
        _ => None,
    }
}

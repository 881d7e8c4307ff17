//! Files and folders of a machine, made into the content model: `vitrine play PATH…`.
//!
//! In:  paths of files and folders.
//! Out: one playlist of all pictures, videos and sounds in them, in force at once; a [`Complaint`] for each
//!      file that is passed over.
//!
//! Files are told apart by their first bytes; where these say nothing, by their name. A folder gives
//! the files in it, by name, without hidden ones and without folders below.
//!
//! Not here: whether a decoder can make something of a file (`render`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vitrine_config::limits;

use crate::model::{
    Asset, Complaint, Content, Digest, Entry, EntryKind, Files, Fit, Item, Live, Manifest,
    Playlist, Target, Validity,
};

/// Enough for every signature below; SVG files open with comments and declarations.
const HEAD_BYTES: usize = 1_024;

/// The id of the one playlist and the one schedule entry.
const MAIN: &str = "main";

/// Nothing to play.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No path was given.
    #[error("nothing to play: name a picture, a video, a sound, or a folder of them")]
    NoPath,
    /// A path that is not there or cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Path {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// None of the files is a picture, a video or a sound.
    #[error(
        "nothing to play in {path}: no picture, video or sound among {files} files{first}",
        path = path.display(),
        first = first.as_ref().map(|c| format!("; {}: {}", c.place, c.text)).unwrap_or_default()
    )]
    Empty {
        /// The first path given.
        path: PathBuf,
        /// How many files were looked at.
        files: usize,
        /// The first file that was passed over, and why.
        first: Option<Complaint>,
    },
}

/// Looks at `paths`, in the order given, and puts what can be played in force.
///
/// # Errors
///
/// No path, a path that is not there, or nothing in them to play.
pub fn load(paths: &[PathBuf]) -> Result<(Live, Vec<Complaint>), FolderError> {
    let first = paths.first().ok_or(FolderError::NoPath)?;
    let mut files = Vec::new();
    for path in paths {
        let found = expand(path);
        files.extend(found.map_err(|source| FolderError::Path { path: path.clone(), source })?);
    }
    let mut found = Found::default();
    for path in &files {
        if let Err(text) = found.take(path) {
            found.complaints.push(Complaint { place: path.display().to_string(), text });
        }
    }
    let Found { items, assets, named, complaints, .. } = found;
    if items.is_empty() {
        let (path, files) = (first.clone(), files.len());
        let first = complaints.into_iter().next();
        return Err(FolderError::Empty { path, files, first });
    }
    let live = Live {
        manifest: manifest(items, assets),
        files: Files::Named(named),
        missing: BTreeSet::new(),
        headlines: BTreeMap::new(),
    };
    Ok((live, complaints))
}

/// A file is itself; a folder is the files in it.
fn expand(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        // What cannot be looked at is complained of when it is opened.
        if !hidden(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[derive(Default)]
struct Found {
    items: Vec<Item>,
    assets: BTreeMap<Digest, Asset>,
    named: BTreeMap<Digest, PathBuf>,
    complaints: Vec<Complaint>,
    names: BTreeMap<String, usize>,
}

impl Found {
    fn take(&mut self, path: &Path) -> Result<(), String> {
        if self.items.len() >= limits::ITEMS {
            return Err(format!("one too many: at most {} files are played", limits::ITEMS));
        }
        let (kind, size_bytes) = look(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let digest = Digest::of(path.as_os_str().as_encoded_bytes());
        let media_type = kind.media_type.to_owned();
        let asset = Asset { sha256: digest, size_bytes, media_type, name: name.clone() };
        self.assets.insert(digest, asset);
        self.named.insert(digest, path.to_owned());
        let id = self.unique(name);
        self.items.push(item(id, kind, digest));
        Ok(())
    }

    /// The name; from the second time on with a number.
    fn unique(&mut self, name: String) -> String {
        let times = self.names.entry(name.clone()).or_insert(0);
        *times += 1;
        if *times == 1 { name } else { format!("{name} ({times})") }
    }
}

fn item(id: String, kind: Kind, digest: Digest) -> Item {
    let content = match kind.media_type {
        image if image.starts_with("image/") => Content::Image(digest),
        audio if audio.starts_with("audio/") => Content::Audio(digest),
        _ => Content::Video(digest),
    };
    Item {
        id,
        content,
        duration: None,
        fit: Fit::default(),
        focus: [0.5; 2],
        background: None,
        transition: None,
        volume: 1.0,
        valid: Validity::default(),
    }
}

fn manifest(items: Vec<Item>, assets: BTreeMap<Digest, Asset>) -> Manifest {
    let playlist = Playlist { id: MAIN.into(), name: MAIN.into(), transition: None, items };
    let entry = Entry {
        id: MAIN.into(),
        kind: EntryKind::Normal,
        priority: 0,
        display: 1,
        target: Target::Playlist(MAIN.into()),
        windows: Vec::new(),
        valid: Validity::default(),
    };
    Manifest {
        version: 1,
        tenant: String::new(),
        device: String::new(),
        content: Digest([0; 32]),
        not_after: None,
        assets,
        playlists: BTreeMap::from([(MAIN.into(), playlist)]),
        layouts: BTreeMap::new(),
        schedule: vec![entry],
        settings: BTreeMap::new(),
    }
}

/// What a file is, and how long.
fn look(path: &Path) -> Result<(Kind, u64), String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    // A pipe would keep us waiting for ever.
    if !about.is_file() {
        return Err("not a plain file".into());
    }
    if about.len() == 0 {
        return Err("empty".into());
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(|error| error.to_string())?;
    match by_bytes(&head) {
        Bytes::Is(kind) => Ok((kind, about.len())),
        Bytes::Not(what) => Err(what.into()),
        Bytes::Silent => by_name(path)
            .map(|kind| (kind, about.len()))
            .ok_or_else(|| "no picture, video or sound, by its first bytes and its name".into()),
    }
}

/// A kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    media_type: &'static str,
}

const fn kind(media_type: &'static str) -> Kind {
    Kind { media_type }
}

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Bytes {
    Is(Kind),
    /// Something that is surely not played, and why.
    Not(&'static str),
    Silent,
}

/// Signatures at the start of a file.
const SIGNATURES: &[(&[u8], Kind)] = &[
    (b"\xff\xd8\xff", kind("image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", kind("image/png")),
    (b"GIF8", kind("image/gif")),
    (b"II*\0", kind("image/tiff")),
    (b"MM\0*", kind("image/tiff")),
    (b"BM", kind("image/bmp")),
    (b"\x1a\x45\xdf\xa3", kind("video/x-matroska")),
    (b"fLaC", kind("audio/flac")),
    (b"ID3", kind("audio/mpeg")),
    (b"FLV\x01", kind("video/x-flv")),
    (b"\0\0\x01\xba", kind("video/mpeg")),
    (b"\0\0\x01\xb3", kind("video/mpeg")),
];

/// Length of a packet of an MPEG transport stream; each begins with 0x47.
const TS_PACKET: usize = 188;

fn by_bytes(head: &[u8]) -> Bytes {
    if let Some((_, kind)) = SIGNATURES.iter().find(|(start, _)| head.starts_with(start)) {
        return Bytes::Is(*kind);
    }
    match (head.get(..4), head.get(4..8), head.get(8..12)) {
        (Some(b"RIFF"), _, Some(b"WEBP")) => Bytes::Is(kind("image/webp")),
        (Some(b"RIFF"), _, Some(b"AVI ")) => Bytes::Is(kind("video/x-msvideo")),
        (_, Some(b"ftyp"), Some(b"avif" | b"avis")) => Bytes::Is(kind("image/avif")),
        (_, Some(b"ftyp"), Some(b"heic" | b"heix" | b"mif1" | b"msf1")) => {
            Bytes::Not("HEIC pictures are not shown")
        }
        (Some(b"RIFF"), _, Some(b"WAVE")) => Bytes::Is(kind("audio/wav")),
        (Some(b"OggS"), ..) => Bytes::Is(ogg(head)),
        (_, Some(b"ftyp"), Some(b"M4A " | b"M4B ")) => Bytes::Is(kind("audio/mp4")),
        (_, Some(b"ftyp" | b"moov" | b"mdat" | b"wide"), _) => Bytes::Is(kind("video/mp4")),
        _ if head.first() == Some(&0x47) && head.get(TS_PACKET) == Some(&0x47) => {
            Bytes::Is(kind("video/mp2t"))
        }
        _ if is_mpeg_audio(head) => Bytes::Is(kind("audio/mpeg")),
        _ if is_svg(head) => Bytes::Is(kind("image/svg+xml")),
        _ => Bytes::Silent,
    }
}

/// The first pages of a file name the codecs that are in it.
fn ogg(head: &[u8]) -> Kind {
    let moves = head.windows(7).any(|found| found == b"\x80theora" || found == b"\x01video\0");
    if moves { kind("video/ogg") } else { kind("audio/ogg") }
}

/// A frame of MPEG audio without anything before it: eleven bits of ones, then its kind, in which not
/// everything has a meaning.
fn is_mpeg_audio(head: &[u8]) -> bool {
    match *head {
        [0xff, second, third, ..] => {
            let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
            let (rate, samples) = (third >> 4, third >> 2 & 3);
            second >= 0xe0 && version != 1 && matches!(layer, 1 | 2) && rate != 15 && samples != 3
        }
        _ => false,
    }
}

/// A text that opens a tag, one of the first of which is `svg`.
fn is_svg(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    text.starts_with(b"<") && head.windows(4).any(|window| window == b"<svg")
}

fn by_name(path: &Path) -> Option<Kind> {
    let end = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
    Some(match end.as_str() {
        "jpg" | "jpeg" => kind("image/jpeg"),
        "png" | "apng" => kind("image/png"),
        "webp" => kind("image/webp"),
        "avif" => kind("image/avif"),
        "gif" => kind("image/gif"),
        "bmp" => kind("image/bmp"),
        "tif" | "tiff" => kind("image/tiff"),
        "svg" => kind("image/svg+xml"),
        "mp4" | "m4v" | "mov" => kind("video/mp4"),
        "mkv" => kind("video/x-matroska"),
        "webm" => kind("video/webm"),
        "avi" => kind("video/x-msvideo"),
        "mpg" | "mpeg" => kind("video/mpeg"),
        "ts" | "m2ts" | "mts" => kind("video/mp2t"),
        "ogv" => kind("video/ogg"),
        "mp3" => kind("audio/mpeg"),
        "m4a" => kind("audio/mp4"),
        "ogg" | "oga" | "opus" => kind("audio/ogg"),
        "flac" => kind("audio/flac"),
        "wav" => kind("audio/wav"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn put(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    }

    #[test]
    fn a_folder_plays_by_name_and_complains_of_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (root, png) = (dir.path(), b"\x89PNG\r\n\x1a\n....");
        put(root, "b.png", png);
        put(root, "a.dat", b"\x1a\x45\xdf\xa3webm");
        put(root, ".hidden.png", png);
        put(root, "c.jpg", b"");
        put(root, "d.txt", b"shopping list");
        put(root, "e.mp4", b"unknown bytes with a good name");
        fs::create_dir(root.join("below")).unwrap();
        put(&root.join("below"), "z.png", png);
        std::os::unix::fs::symlink("nowhere", root.join("f.png")).unwrap();
        let (live, complaints) = load(&[root.to_owned()]).unwrap();
        let items = &live.manifest.playlists[MAIN].items;
        let got: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(got, ["a.dat", "b.png", "e.mp4"]);
        assert!(matches!(items[0].content, Content::Video(_)), "by bytes, not by name");
        let at: Vec<_> = complaints.iter().map(|c| c.place.rsplit('/').next().unwrap()).collect();
        assert_eq!(at, ["c.jpg", "d.txt", "f.png"], "{complaints:?}");
        for item in items {
            let asset = item.content.asset().unwrap();
            assert!(live.files.path(&asset).unwrap().is_file() && live.missing.is_empty());
        }
    }

    #[test]
    fn paths_play_in_the_order_given_also_twice() {
        let dir = tempfile::tempdir().unwrap();
        let one = put(dir.path(), "1.gif", b"GIF89a");
        let two = put(dir.path(), "2.gif", b"GIF89a");
        let (live, _) = load(&[two.clone(), one, two]).unwrap();
        let items = &live.manifest.playlists[MAIN].items;
        let got: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(got, ["2.gif", "1.gif", "2.gif (2)"]);
        assert_eq!(live.manifest.assets.len(), 2);
    }

    #[test]
    fn nothing_to_play_is_said_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        let text = |paths: &[PathBuf]| load(paths).unwrap_err().to_string();
        assert!(text(&[]).contains("name a picture"));
        assert!(text(&[root.join("gone")]).contains("gone: No such file"));
        assert!(text(std::slice::from_ref(&root)).contains("among 0 files"));
        put(&root, "list.txt", b"milk");
        assert!(text(&[root]).contains("list.txt: no picture, video or sound"));
    }

    #[test]
    fn first_bytes_tell() {
        let ts = [&[0x47; 1][..], &[0; TS_PACKET - 1], &[0x47]].concat();
        for (case, head, want) in [
            ("jpeg", &b"\xff\xd8\xff\xe0"[..], Some(kind("image/jpeg"))),
            ("webp", b"RIFF\0\0\0\0WEBPVP8 ", Some(kind("image/webp"))),
            ("tiff", b"II*\0\x08\0\0\0", Some(kind("image/tiff"))),
            ("avi", b"RIFF\0\0\0\0AVI LIST", Some(kind("video/x-msvideo"))),
            ("wav", b"RIFF\0\0\0\0WAVEfmt ", Some(kind("audio/wav"))),
            ("flac", b"fLaC\0\0\0\x22", Some(kind("audio/flac"))),
            ("mp3 with a label", b"ID3\x04\0\0", Some(kind("audio/mpeg"))),
            ("mp3", b"\xff\xfb\x90\x64", Some(kind("audio/mpeg"))),
            ("no mp3", b"\xff\xfe\x41\0", None),
            ("opus", b"OggS\0\x02....OpusHead", Some(kind("audio/ogg"))),
            ("theora", b"OggS\0\x02....\x80theora", Some(kind("video/ogg"))),
            ("m4a", b"\0\0\0\x1cftypM4A ", Some(kind("audio/mp4"))),
            ("mp4", b"\0\0\0\x20ftypisom", Some(kind("video/mp4"))),
            ("mov", b"\0\0\0\x08wide\0\0\0\0", Some(kind("video/mp4"))),
            ("avif", b"\0\0\0\x20ftypavif", Some(kind("image/avif"))),
            ("heic", b"\0\0\0\x20ftypheic", None),
            ("ts", &ts, Some(kind("video/mp2t"))),
            ("svg", b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg>", Some(kind("image/svg+xml"))),
            ("html", b"<html><body>", None),
            ("short", b"R", None),
        ] {
            let got = match by_bytes(head) {
                Bytes::Is(kind) => Some(kind),
                Bytes::Not(_) | Bytes::Silent => None,
            };
            assert_eq!(got, want, "case {case:?}");
        }
    }
}

//! Fonts: those of the system, those that come with content, and one that is always there.
//!
//! Found when the first text is drawn, on a decode thread: looking through a system's fonts takes
//! tens of milliseconds. Files are mapped, not read.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use cosmic_text::fontdb::{Database, Family, ID, Language, Query, Weight};
use cosmic_text::{FontSystem, SwashCache};

use crate::source::svg::{BOLD_FONT, REGULAR_FONT};

/// The font that is compiled in: Latin, Greek, Cyrillic.
const BUILT_IN: &str = "Vitrine Sans";
/// Families that look well on a screen; the first that is installed is the one for texts that name
/// none.
const USUAL: [&str; 4] = ["Noto Sans", "DejaVu Sans", "Liberation Sans", "FreeSans"];
/// Fonts of content that are kept known, one a zone; beyond it all is found anew.
const FILES: usize = 32;
/// Longest font file: one with all of Chinese, Japanese and Korean has 20 MB.
const FONT_BYTES: u64 = 64 << 20;

/// All fonts, and what draws with them.
pub(super) struct Fonts {
    pub system: FontSystem,
    pub cache: SwashCache,
    files: Vec<FontFile>,
}

struct FontFile {
    path: PathBuf,
    /// Under which its faces are found, and nothing else is.
    family: String,
}

static FONTS: LazyLock<Mutex<Fonts>> = LazyLock::new(|| Mutex::new(Fonts::find()));

/// The fonts of this process; one text is drawn at a time.
pub(super) fn lock() -> MutexGuard<'static, Fonts> {
    FONTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fonts {
    fn find() -> Fonts {
        let mut system = FontSystem::new();
        let all = system.db_mut();
        for data in [REGULAR_FONT, BOLD_FONT] {
            let mut own = Database::new();
            own.load_font_data(data.to_vec());
            adopt(all, &own, BUILT_IN);
        }
        let is_there = |family: &&str| find(all, Family::Name(family), Weight::NORMAL).is_some();
        let usual = USUAL.into_iter().find(is_there).unwrap_or(BUILT_IN);
        all.set_sans_serif_family(usual);
        tracing::debug!(faces = all.len(), usual, "fonts found");
        Fonts { system, cache: SwashCache::new(), files: Vec::new() }
    }

    /// The name under which the faces of this file are found.
    ///
    /// # Errors
    /// A file that is no font or cannot be read.
    pub(super) fn family_of(&mut self, path: &Path) -> Result<String, String> {
        if let Some(file) = self.files.iter().find(|file| file.path == path) {
            return Ok(file.family.clone());
        }
        let own = load(path).map_err(|error| format!("font {}: {error}", path.display()))?;
        if self.files.len() >= FILES {
            *self = Fonts::find();
        }
        let family = format!("Vitrine File {}", self.files.len());
        adopt(self.system.db_mut(), &own, &family);
        self.files.push(FontFile { path: path.to_owned(), family: family.clone() });
        Ok(family)
    }

    /// The weight to ask of a family: the nearest that it has, the wanted one where it has all.
    pub(super) fn weight(&self, family: Family<'_>, wanted: u16) -> Weight {
        let db = self.system.db();
        let nearest = find(db, family, Weight(wanted)).and_then(|id| db.face(id));
        let Some(face) = nearest else { return Weight(wanted) };
        let varies = db.with_face_data(face.id, |data, _| varies(data)).unwrap_or(false);
        if varies { Weight(wanted) } else { face.weight }
    }
}

fn find(all: &Database, family: Family<'_>, weight: Weight) -> Option<ID> {
    all.query(&Query { families: &[family], weight, ..Query::default() })
}

/// A font with axes says so in the list of its tables.
fn varies(data: &[u8]) -> bool {
    let Some(&[high, low]) = data.get(4..6) else { return false };
    let count = usize::from(u16::from_be_bytes([high, low]));
    let tables = data.get(12..).unwrap_or_default().chunks_exact(16);
    tables.take(count).any(|table| table.starts_with(b"fvar"))
}

fn load(path: &Path) -> Result<Database, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() || found.len() > FONT_BYTES {
        let bytes = found.len();
        return Err(format!("{bytes} bytes, want a plain file of at most {FONT_BYTES}"));
    }
    let mut own = Database::new();
    own.load_font_file(path).map_err(|error| error.to_string())?;
    if own.is_empty() {
        Err("no face in it: want TrueType or OpenType".to_owned())
    } else {
        Ok(own)
    }
}

/// Takes the faces of `own` under another name.
fn adopt(all: &mut Database, own: &Database, family: &str) {
    for face in own.faces() {
        let mut face = face.clone();
        face.families = vec![(family.to_owned(), Language::English_UnitedStates)];
        all.push_face_info(face);
    }
}

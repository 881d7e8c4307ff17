//! RSS 0.9 to 2.0 and Atom 1.0.
//!
//! What stands in the file counts, not what should: names of closing tags are not compared, and an
//! entity of HTML means what it means there. But a feed that breaks off is none.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use vitrine_config::limits;

use super::plain;

/// Longest quote of what came instead of a feed.
const QUOTE_CHARS: usize = 40;

/// How the text of an element is meant.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Html,
    /// Its elements are part of it.
    Inline,
}

/// An element whose text is being gathered.
struct Gathered {
    depth: usize,
    kind: Kind,
    is_title: bool,
    text: String,
}

/// One item of the feed.
struct Item {
    depth: usize,
    prefix: Option<Vec<u8>>,
    title: String,
    /// The first text that stands in where there is no title.
    other: String,
}

#[derive(Default)]
struct Reading {
    depth: usize,
    known: bool,
    item: Option<Item>,
    gathered: Option<Gathered>,
    lines: Vec<String>,
}

pub(super) fn read(text: &str) -> Result<Vec<String>, String> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut reading = Reading::default();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("is no XML at byte {}: {error}", reader.error_position()))?;
        match event {
            Event::Start(tag) => reading.opens(&tag)?,
            Event::Empty(tag) => {
                reading.opens(&tag)?;
                reading.closes();
            }
            Event::End(_) => reading.closes(),
            Event::Text(text) => reading.text(&text.decode().unwrap_or_default()),
            Event::CData(text) => reading.text(&text.decode().unwrap_or_default()),
            Event::GeneralRef(name) => {
                reading.text(&plain::of_entity(&name.decode().unwrap_or_default()));
            }
            Event::Eof if !reading.known => return Err("is empty, or no XML at all".into()),
            Event::Eof if reading.depth > 0 => return Err("breaks off before its end".into()),
            Event::Eof => return Ok(reading.lines),
            _ => {}
        }
        if reading.lines.len() >= limits::FEED_HEADLINES {
            return Ok(reading.lines);
        }
    }
}

impl Reading {
    fn opens(&mut self, tag: &BytesStart) -> Result<(), String> {
        let local = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
        if !self.known {
            if !matches!(local.as_str(), "rss" | "RDF" | "feed") {
                let found: String = local.chars().take(QUOTE_CHARS).collect();
                return Err(format!("begins with <{found}>, want <rss>, <feed> or <rdf:RDF>"));
            }
            self.known = true;
        }
        self.depth += 1;
        let prefix = tag.name().prefix().map(|prefix| prefix.as_ref().to_vec());
        if let Some(gathered) = &mut self.gathered {
            gathered.text.push_str(if plain::parts_words(&local) { " " } else { "" });
            return Ok(());
        }
        match &self.item {
            None if matches!(local.as_str(), "item" | "entry") => {
                let (title, other) = Default::default();
                self.item = Some(Item { depth: self.depth, prefix, title, other });
            }
            // Others of the same name are somebody's extension: `media:title`.
            Some(item) if self.depth == item.depth + 1 && item.prefix == prefix => {
                let is_title = local == "title";
                if is_title || matches!(local.as_str(), "description" | "summary" | "content") {
                    let (depth, kind) = (self.depth, kind(tag));
                    let text = String::new();
                    self.gathered = Some(Gathered { depth, kind, is_title, text });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(gathered) = &mut self.gathered
            && gathered.text.len() < plain::TEXT_BYTES
        {
            gathered.text.push_str(text);
        }
    }

    fn closes(&mut self) {
        if let Some(done) = self.gathered.take_if(|gathered| gathered.depth >= self.depth) {
            let line = match done.kind {
                Kind::Html => plain::of_html(&done.text),
                Kind::Plain | Kind::Inline => plain::line(&done.text),
            };
            if let Some(item) = &mut self.item {
                let place = if done.is_title { &mut item.title } else { &mut item.other };
                if place.is_empty() {
                    *place = line;
                }
            }
        }
        if let Some(Item { title, other, .. }) = self.item.take_if(|item| item.depth >= self.depth)
        {
            let line = if title.is_empty() { other } else { title };
            self.lines.extend(Some(line).filter(|line| !line.is_empty()));
        }
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Atom says how it means its texts; in RSS everybody writes HTML.
fn kind(tag: &BytesStart) -> Kind {
    let named = tag.try_get_attribute("type").ok().flatten();
    match named.as_ref().map(|attribute| &*attribute.value) {
        Some(b"xhtml") => Kind::Inline,
        Some(b"text" | b"text/plain") => Kind::Plain,
        _ => Kind::Html,
    }
}

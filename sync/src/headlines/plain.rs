//! Foreign text made into one plain line.

use quick_xml::escape::resolve_html5_entity;
use vitrine_config::limits;

/// Text that is looked at: a headline is cut far below. What ends a piece of markup is looked for from
/// each of them, so that twice the text is four times the work.
pub(super) const TEXT_BYTES: usize = 16 << 10;
/// Longest name of an entity, with room to spare: what is longer is no entity.
const ENTITY_BYTES: usize = 40;
/// Elements whose text is not to be read.
const UNREAD: [&str; 2] = ["script", "style"];

/// One line of text: no line ends, no control characters, no marks that would turn what follows.
pub(super) fn line(text: &str) -> String {
    // Left open, such a mark turns the headlines behind it.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let blank = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let clean: String = text.chars().filter(|c| !turns(*c)).collect();
    let words: Vec<&str> = clean.split(blank).filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    if let Some((cut, _)) = line.char_indices().nth(limits::HEADLINE_CHARS) {
        line.truncate(cut);
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    line
}

/// The text of a piece of HTML, in one line. No more than [`TEXT_BYTES`] of it are read.
pub(super) fn of_html(html: &str) -> String {
    let html = beginning(html);
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (piece, len) = match from.starts_with('<') {
            true => tag(from),
            false => entity(from),
        };
        piece.push_to(&mut text);
        rest = from.get(len..).unwrap_or_default();
    }
    text.push_str(rest);
    line(&text)
}

/// As much of it as is read, without half a tag at its end.
fn beginning(html: &str) -> &str {
    let cut = &html[..html.floor_char_boundary(TEXT_BYTES)];
    let half = cut.rfind('<').filter(|open| !cut[*open..].contains('>') && cut.len() < html.len());
    &cut[..half.unwrap_or(cut.len())]
}

/// Whether words on both sides of such an element stand apart.
pub(super) fn parts_words(element: &str) -> bool {
    let element = element.to_ascii_lowercase();
    matches!(
        element.as_str(),
        "br" | "p" | "div" | "li" | "ul" | "ol" | "tr" | "td" | "th" | "hr" | "img" | "blockquote"
    ) || matches!(element.as_bytes(), [b'h', b'1'..=b'6'])
}

/// What a piece of markup becomes.
enum Piece {
    Text(char),
    Known(&'static str),
    Nothing,
}

impl Piece {
    fn push_to(self, text: &mut String) {
        match self {
            Piece::Text(c) => text.push(c),
            Piece::Known(known) => text.push_str(known),
            Piece::Nothing => {}
        }
    }
}

/// What `from` begins with, which is `<`, and how long that is.
fn tag(from: &str) -> (Piece, usize) {
    if from.starts_with("<!--") {
        return (Piece::Nothing, from.find("-->").map_or(from.len(), |end| end + 3));
    }
    let inside = from.get(1..).unwrap_or_default();
    let opens = inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
    let Some(end) = from.find('>').filter(|_| opens) else { return (Piece::Text('<'), 1) };
    let name = inside.trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let unread = UNREAD.iter().find(|unread| name.eq_ignore_ascii_case(unread));
    if let Some(unread) = unread.filter(|_| !inside.starts_with('/')) {
        let close = from.to_ascii_lowercase().find(&format!("</{unread}"));
        return (Piece::Nothing, close.unwrap_or(from.len()));
    }
    (if parts_words(name) { Piece::Text(' ') } else { Piece::Nothing }, end + 1)
}

/// What `from` begins with, which is `&`, and how long that is.
fn entity(from: &str) -> (Piece, usize) {
    let ends = from.bytes().take(ENTITY_BYTES).position(|byte| byte == b';');
    let name = ends.and_then(|end| from.get(1..end));
    match (name.and_then(resolved), ends) {
        (Some(piece), Some(end)) => (piece, end + 1),
        _ => (Piece::Text('&'), 1),
    }
}

fn resolved(name: &str) -> Option<Piece> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(Piece::Known);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    code.ok().and_then(char::from_u32).map(Piece::Text)
}

/// What an entity of an XML text stands for.
pub(super) fn of_entity(name: &str) -> String {
    let mut text = String::new();
    match resolved(name) {
        Some(piece) => piece.push_to(&mut text),
        None => text = format!("&{name};"),
    }
    text
}

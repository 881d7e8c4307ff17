//! The built-in pictures, composed as SVG: readable from across a room, calm, at any size.
//!
//! In:  a card and a size. Out: the drawing as text, for `source::svg`.
//!
//! Promises: texts never run out of the picture, however long; what a text says is escaped; below
//! about 160 by 90 pixels only the one thing that matters is drawn.

use std::fmt::Write as _;

use qrcode::{EcLevel, QrCode};
use vitrine_config::limits::TEXTURE_SIDE_PX;

use super::svg::text_width_em;
use crate::scene::{Card, Size};

const BACK_TOP: &str = "#17202b";
const BACK_BOTTOM: &str = "#0c1117";
const BRIGHT: &str = "#f4f7fa";
const CALM: &str = "#9db0c2";
const ACCENT: &str = "#6cc4f5";

/// Where there is room for one thing only.
const TINY: Size = Size { width_px: 160, height_px: 90 };
/// Longest text that is drawn; the rest could not be read anyway.
const TEXT_CHARS: usize = 400;
/// Light modules around a QR code, as its standard asks for.
const QUIET: usize = 4;

/// The size to draw at for a layer that covers `covers`.
pub(super) fn size(covers: Size) -> Size {
    let side = |length: u32| length.clamp(1, TEXTURE_SIDE_PX);
    Size { width_px: side(covers.width_px), height_px: side(covers.height_px) }
}

/// Draws `card`.
pub(super) fn drawing(card: &Card, size: Size) -> String {
    let mut sheet = Sheet::new(size);
    let tiny = size.width_px < TINY.width_px || size.height_px < TINY.height_px;
    match card {
        Card::Pairing { user_code, .. } if tiny => sheet.single(user_code),
        Card::Pairing { user_code, verification_uri, verification_uri_complete, fingerprint } => {
            let pairing = Pairing {
                code: user_code,
                place: verification_uri,
                link: verification_uri_complete,
                fingerprint,
            };
            sheet.pairing(&pairing);
        }
        Card::NoContent { headline, .. } if tiny => sheet.single(headline),
        Card::NoContent { headline, detail } => sheet.message(headline, detail),
        Card::Identify { name, detail } => sheet.band(name, detail),
    }
    sheet.finish()
}

/// Draws what is shown when no GPU can draw.
pub(crate) fn no_gpu(why: &str, size: Size) -> String {
    let mut sheet = Sheet::new(size);
    let detail = format!(
        "Vitrine needs a driver for Vulkan or OpenGL ES 3, such as those of Raspberry Pi 4 and \
         later. Found here: {why}"
    );
    sheet.message("This device cannot draw", &detail);
    sheet.finish()
}

struct Pairing<'a> {
    code: &'a str,
    place: &'a str,
    link: &'a str,
    fingerprint: &'a str,
}

/// A drawing in progress; lengths in pixels.
struct Sheet {
    width: f32,
    height: f32,
    /// A hundredth of the shorter side.
    unit: f32,
    body: String,
}

/// How a line of text looks.
#[derive(Clone, Copy)]
struct Ink {
    size: f32,
    bold: bool,
    colour: &'static str,
    anchor: &'static str,
}

impl Ink {
    fn left(size: f32, bold: bool, colour: &'static str) -> Ink {
        Ink { size, bold, colour, anchor: "start" }
    }

    fn centred(self) -> Ink {
        Ink { anchor: "middle", ..self }
    }

    /// Shrunk until `text` is no wider than `room`.
    fn within(self, text: &str, room: f32) -> Ink {
        let wide = text_width_em(&escape(text), self.bold).max(0.1);
        Ink { size: self.size.min(room / wide), ..self }
    }
}

impl Sheet {
    fn new(size: Size) -> Sheet {
        let (width, height) = (size.width_px as f32, size.height_px as f32);
        Sheet { width, height, unit: width.min(height) / 100.0, body: String::new() }
    }

    fn finish(self) -> String {
        let Sheet { width, height, body, .. } = self;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{body}</svg>"#
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        self.body.write_fmt(element).ok();
    }

    fn background(&mut self) {
        self.add(format_args!(
            r#"<defs><linearGradient id="b" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{BACK_TOP}"/><stop offset="1" stop-color="{BACK_BOTTOM}"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#b)"/>"#
        ));
    }

    /// One line; `y` is its baseline.
    fn text(&mut self, x: f32, y: f32, ink: Ink, text: &str) {
        let Ink { size, colour, anchor, bold } = ink;
        let weight = if bold { "bold" } else { "normal" };
        let text = escape(text);
        self.add(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}" xml:space="preserve">{text}</text>"#
        ));
    }

    /// Only the one thing that matters, as large as it gets.
    fn single(&mut self, text: &str) {
        self.background();
        let (width, height) = (self.width, self.height);
        let ink = Ink::left(height * 0.4, true, BRIGHT).centred().within(text, width * 0.9);
        self.text(width / 2.0, height / 2.0 + ink.size * 0.36, ink, text);
    }

    fn pairing(&mut self, pairing: &Pairing<'_>) {
        self.background();
        match self.width >= self.height {
            true => self.pairing_wide(pairing),
            false => self.pairing_tall(pairing),
        }
    }

    /// Text on the left, the QR code on the right.
    fn pairing_wide(&mut self, pairing: &Pairing<'_>) {
        let (width, height, unit) = (self.width, self.height, self.unit);
        let margin = (width * 0.07).max(unit * 6.0);
        let side = (height * 0.56).min(width * 0.32);
        let room = width - margin * 3.0 - side;
        let ink = |size: f32, bold, colour, text: &str| {
            Ink::left(unit * size, bold, colour).within(text, room)
        };
        let (title, place) = (ink(7.5, true, BRIGHT, TITLE), ink(6.0, true, ACCENT, pairing.place));
        // Both labels look alike.
        let label = ink(4.2, false, CALM, OPEN);
        let code = ink(24.0, true, BRIGHT, pairing.code);
        let block = title.size * 0.75 + unit * 45.0 + code.size * 0.75;
        let mut y = (height - block) / 2.0 - unit * 2.0 + title.size * 0.75;
        self.text(margin, y, title, TITLE);
        y += unit * 15.0;
        self.text(margin, y, label, OPEN);
        y += unit * 9.0;
        self.text(margin, y, place, pairing.place);
        y += unit * 14.0;
        self.text(margin, y, label, ENTER);
        y += unit * 7.0 + code.size * 0.75;
        self.text(margin, y, code, pairing.code);
        let top = (height - side) / 2.0 - unit * 2.0;
        self.qr(pairing.link, width - margin - side, top, side);
        let line = format!("Device key  {}", pairing.fingerprint);
        let small = Ink::left(unit * 3.0, false, CALM).within(&line, width - margin * 2.0);
        self.text(margin, height - unit * 6.0, small, &line);
    }

    /// Everything in one column, pressed together where the screen is nearly square.
    fn pairing_tall(&mut self, pairing: &Pairing<'_>) {
        let (width, height) = (self.width, self.height);
        let unit = self.unit.min(height * 0.86 / 134.0);
        let (middle, room) = (width / 2.0, width * 0.86);
        let ink = |size: f32, bold, colour, text: &str| {
            Ink::left(unit * size, bold, colour).centred().within(text, room)
        };
        let (title, place) = (ink(8.5, true, BRIGHT, TITLE), ink(6.0, true, ACCENT, pairing.place));
        // Both labels look alike.
        let label = ink(4.4, false, CALM, OPEN);
        let code = ink(20.0, true, BRIGHT, pairing.code);
        let side = unit * 52.0;
        let block = title.size * 0.75 + side + code.size * 0.75 + unit * 51.0;
        let mut y = (height - block) / 2.0 - unit * 4.0 + title.size * 0.75;
        self.text(middle, y, title, TITLE);
        y += unit * 8.0;
        self.qr(pairing.link, middle - side / 2.0, y, side);
        y += side + unit * 12.0;
        self.text(middle, y, label, OPEN);
        y += unit * 9.0;
        self.text(middle, y, place, pairing.place);
        y += unit * 13.0;
        self.text(middle, y, label, ENTER);
        y += unit * 7.0 + code.size * 0.75;
        self.text(middle, y, code, pairing.code);
        let line = format!("Device key  {}", pairing.fingerprint);
        self.text(middle, height - unit * 5.0, ink(3.2, false, CALM, &line), &line);
    }

    /// A QR code on its own light ground; nothing if the text is too long for one.
    fn qr(&mut self, text: &str, x: f32, y: f32, side: f32) {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return };
        let modules = code.width();
        let step = side / (modules + 2 * QUIET) as f32;
        let round = step * 2.0;
        self.add(format_args!(
            r##"<rect x="{x}" y="{y}" width="{side}" height="{side}" rx="{round}" fill="#ffffff"/><path shape-rendering="crispEdges" fill="#0c1117" d=""##
        ));
        for (index, colour) in code.to_colors().into_iter().enumerate() {
            if colour == qrcode::Color::Dark {
                let left = x + step * (index % modules + QUIET) as f32;
                let top = y + step * (index / modules + QUIET) as f32;
                self.add(format_args!("M{left} {top}h{step}v{step}h-{step}z"));
            }
        }
        self.add(format_args!(r#""/>"#));
    }

    /// A headline and what helps, below a small screen.
    fn message(&mut self, headline: &str, detail: &str) {
        self.background();
        let (width, height, unit) = (self.width, self.height, self.unit);
        let (middle, room) = (width / 2.0, width * 0.8);
        let headline = clip(headline);
        let title = Ink::left(unit * 9.0, true, BRIGHT).centred().within(&headline, room);
        let body = Ink::left(unit * 4.4, false, CALM).centred();
        let column = room.min(unit * 120.0);
        let lines = wrap(&clip(detail), body, column, 6);
        let icon = unit * 16.0;
        let step = body.size * 1.55;
        let block = icon + unit * 8.0 + title.size + unit * 4.0 + step * lines.len() as f32;
        let mut y = ((height - block) / 2.0).max(unit * 3.0);
        self.screen(middle, y, icon);
        y += icon + unit * 8.0 + title.size * 0.75;
        self.text(middle, y, title, &headline);
        y += unit * 4.0 + title.size * 0.25;
        for line in &lines {
            y += step;
            self.text(middle, y, body.within(line, column), line);
        }
    }

    /// The outline of a screen on its foot, `side` high.
    fn screen(&mut self, middle: f32, top: f32, side: f32) {
        let (wide, high, stroke) = (side * 1.5, side * 0.82, side * 0.06);
        let (left, round) = (middle - wide / 2.0, side * 0.09);
        let (foot, foot_left, foot_right) = (top + side, middle - side * 0.3, middle + side * 0.3);
        self.add(format_args!(
            r#"<g fill="none" stroke="{ACCENT}" stroke-width="{stroke}" stroke-linecap="round"><rect x="{left}" y="{top}" width="{wide}" height="{high}" rx="{round}"/><path d="M{foot_left} {foot}H{foot_right}"/></g>"#
        ));
    }

    /// A band over the lower part of the running picture; the rest is see-through.
    fn band(&mut self, name: &str, detail: &str) {
        let (width, height, unit) = (self.width, self.height, self.unit);
        let lines: Vec<_> = detail.lines().map(clip).take(3).collect();
        let pad = (width * 0.05).max(unit * 4.0);
        let room = width - pad * 2.0;
        let name = clip(name);
        let title = Ink::left(unit * 13.0, true, BRIGHT).within(&name, room);
        let body = Ink::left(unit * 5.0, false, CALM);
        let step = body.size * 1.5;
        let high = (unit * 7.0 + title.size + step * lines.len() as f32 + unit * 6.0).min(height);
        let top = height - high;
        let edge = unit.max(1.0);
        self.add(format_args!(
            r#"<rect y="{top}" width="{width}" height="{high}" fill="{BACK_BOTTOM}" fill-opacity="0.9"/><rect y="{top}" width="{width}" height="{edge}" fill="{ACCENT}"/>"#
        ));
        let mut y = top + unit * 7.0 + title.size * 0.78;
        self.text(pad, y, title, &name);
        y += title.size * 0.22;
        for line in &lines {
            y += step;
            self.text(pad, y, body.within(line, room), line);
        }
    }
}

const TITLE: &str = "Pair this screen";
const OPEN: &str = "Open this address on your phone or computer";
const ENTER: &str = "and enter this code";

/// The start of a text, on one line.
fn clip(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}

/// Breaks a text into at most `most` lines that fit `room`, about equally long; one overlong word
/// is a line of its own.
fn wrap(text: &str, ink: Ink, room: f32, most: usize) -> Vec<String> {
    let wide = |text: &str| text_width_em(&escape(text), ink.bold) * ink.size;
    // A line that ends in a space has no width for it.
    let space = wide("n n") - wide("nn");
    let words: Vec<_> = text.split_whitespace().map(|word| (word, wide(word))).collect();
    let loose = fill(&words, space, room);
    let all: f32 = words.iter().map(|(_, wide)| wide + space).sum();
    let even = fill(&words, space, (all / loose.len().max(1) as f32 * 1.12).min(room));
    let mut lines = if even.len() == loose.len() { even } else { loose };
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

/// Words into lines, each as full as it gets.
fn fill(words: &[(&str, f32)], space: f32, room: f32) -> Vec<String> {
    let (mut lines, mut used): (Vec<String>, f32) = (Vec::new(), 0.0);
    for (word, more) in words {
        match lines.last_mut() {
            Some(line) if used + space + more <= room => {
                line.push(' ');
                line.push_str(word);
                used += space + more;
            }
            _ => {
                lines.push((*word).to_owned());
                used = *more;
            }
        }
    }
    lines
}

/// As XML text: markup is escaped, what XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::svg;

    fn cards() -> Vec<Card> {
        let nasty = "<&>\"'\u{0}\u{ffff} ".repeat(40);
        vec![
            Card::Pairing {
                user_code: "WDJB-MJHT".into(),
                verification_uri: "https://signage.example/pair".into(),
                verification_uri_complete: "https://signage.example/pair?code=WDJB-MJHT".into(),
                fingerprint: "4f2a 91c0 77be 03d8".into(),
            },
            Card::Pairing {
                user_code: nasty.clone(),
                verification_uri: nasty.clone(),
                verification_uri_complete: nasty.repeat(20),
                fingerprint: nasty.clone(),
            },
            Card::NoContent { headline: "No content yet".into(), detail: String::new() },
            Card::NoContent { headline: nasty.clone(), detail: nasty.repeat(9) },
            Card::Identify { name: "Lobby left".into(), detail: "10.0.0.7\n0.1.0".into() },
            Card::Identify { name: nasty.clone(), detail: nasty },
        ]
    }

    #[test]
    fn every_card_renders_at_every_size() {
        for (width_px, height_px) in [(1, 1), (3, 200), (64, 36), (36, 64), (320, 180), (90, 160)] {
            let size = Size { width_px, height_px };
            for card in cards() {
                let drawn = svg::render(&drawing(&card, size), size);
                let rgba = drawn.unwrap_or_else(|error| panic!("{card:?} at {size:?}: {error}"));
                assert_eq!(rgba.len(), (width_px * height_px * 4) as usize);
            }
        }
    }

    #[test]
    fn a_band_leaves_the_upper_half_see_through() {
        let size = Size { width_px: 320, height_px: 180 };
        let card = Card::Identify { name: "Lobby".into(), detail: "10.0.0.7".into() };
        let rgba = svg::render(&drawing(&card, size), size).expect("drawn");
        let (upper, lower) = rgba.split_at(rgba.len() / 2);
        assert!(upper.iter().all(|value| *value == 0));
        assert!(lower.iter().any(|value| *value > 200));
    }

    #[test]
    fn long_texts_are_wrapped_and_cut() {
        let ink = Ink::left(10.0, false, BRIGHT);
        let lines = wrap(&"word ".repeat(60), ink, 100.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].ends_with('…'));
        assert!(lines.iter().all(|line| text_width_em(line, false) * 10.0 < 115.0));
    }
}

//! Words as a source.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Rgb;

/// Words and how they look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// What is written.
    pub words: Words,
    /// How.
    pub style: TextStyle,
}

/// What is written. Every letter that some font has is shown; a font is compiled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Paragraphs, one a line, that stand still.
    Still(String),
    /// One line that runs across: from right to left, or from left to right where the script does.
    Ticker {
        /// Ends of lines become gaps.
        text: String,
        /// Canvas pixels a second.
        speed_px_s: f32,
        /// Follows itself for as long as it is wanted; else it ends when it has run across once.
        looped: bool,
    },
    /// The time of day.
    Clock {
        /// As `strftime` has it, such as `%H:%M`.
        format: String,
        /// IANA name. None, or one that is not known: the system's.
        zone: Option<String>,
        /// Whose names days and months have, such as `de_DE`. None, or one that is not known: English.
        #[serde(default)]
        locale: Option<String>,
    },
    /// The time that is left.
    Countdown {
        /// The moment it counts down to.
        to: Timestamp,
        /// `%D` days, `%H` hours, `%M` minutes, `%S` seconds, `%%`; the largest unit named takes all
        /// that is above it, the smallest is rounded up.
        format: String,
        /// What is shown from that moment on. None: zeros.
        over: Option<String>,
    },
}

/// How words look. Lengths in canvas pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextStyle {
    /// A font file, asked first for every letter.
    pub font: Option<PathBuf>,
    /// An installed family, such as `DejaVu Sans`; asked after `font`. The compiled-in one is
    /// `Vitrine Sans`.
    pub family: Option<String>,
    /// Height of the letters' em.
    pub size_px: f32,
    /// 100 to 900: 400 is regular, 700 is bold. The nearest that the font has is taken.
    pub weight: u16,
    /// Of the letters.
    pub colour: Rgb,
    /// Along the line.
    pub align: Align,
    /// Across the lines; a text that is too long begins at the top.
    pub place: VerticalPlace,
    /// Lines break where they are too long for the rectangle.
    pub wrap: bool,
    /// Free on all four sides.
    pub padding_px: f32,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Where its script begins.
    #[default]
    Start,
    /// In the middle.
    Centre,
    /// Where its script ends.
    End,
}

/// Where the lines stand together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerticalPlace {
    /// At the top.
    Top,
    /// In the middle.
    #[default]
    Middle,
    /// At the bottom.
    Bottom,
}

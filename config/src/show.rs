//! Settings as TOML: what [`load`](crate::load) would read back to the same, but for secrets.

use crate::error::Problems;
use crate::keys::KEYS;
use crate::load::{self, Sources};
use crate::model::Config;

/// All settings as TOML, every key with its value; an absent one is the empty text.
pub fn show(config: &Config) -> String {
    render(config, |_| String::new())
}

/// All settings as TOML, each with a comment that says where its value comes from.
///
/// # Errors
/// As [`load`](crate::load).
pub fn show_origins(sources: &Sources) -> Result<String, Problems> {
    let reading = load::read(sources);
    if !reading.problems.is_empty() {
        return Err(reading.problems);
    }
    Ok(render(&reading.config, |key| match reading.origins.get(key) {
        Some(place) => format!("  # {place}"),
        None => "  # default".into(),
    }))
}

fn render(config: &Config, remark: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = key.section();
            text += &format!("{gap}[{section}]\n");
        }
        text += &format!("{} = {}{}\n", key.name(), key.shown(config), remark(key.full));
    }
    text
}

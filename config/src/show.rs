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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::check::check;
    use crate::raw::document;
    use crate::{Config, Problems, Sources, load};

    fn set(key: &str, value: &str) -> Result<Config, Problems> {
        load(&Sources { overrides: vec![format!("{key}={value}")], ..Sources::default() })
    }

    #[test]
    fn a_secret_is_repeated_to_nobody() {
        for (name, good) in [
            ("cloud.proxy", "http://pi:hush@proxy.example:3128"),
            ("cloud.enrollment", "hush-0123456789abcdef"),
        ] {
            let config = set(name, good).unwrap();
            let shown = crate::show(&config) + &format!("{config:?}");
            assert!(!shown.contains("hush") && shown.contains("(hidden)"), "{name}");
            for wrong in ["h ush-hush", "ftp://pi:h ush@x"] {
                let told = set(name, wrong).unwrap_err().to_string();
                assert!(!told.contains("ush"), "{name}: {told}");
            }
            let raw =
                document(Path::new("a.toml"), &format!("{name} = {good:?}\ncloud.poll_s = 9"));
            let said = crate::afar::said(&check([raw]));
            assert_eq!(said.keys().collect::<Vec<_>>(), ["cloud.poll_s"], "told to the cloud");
            // What stands in a file as another kind of value.
            let raw = document(Path::new("a.toml"), &format!("{name} = [\"hush\"]"));
            let told = check([raw]).problems.to_string();
            assert!(!told.is_empty() && !told.contains("hush"), "{name}: {told}");
        }
    }
}

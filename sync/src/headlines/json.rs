//! JSON Feed 1 and 1.1 (jsonfeed.org).

use serde::Deserialize;
use vitrine_config::limits;

use super::plain;

/// How every version begins.
const VERSION: &str = "https://jsonfeed.org/version/";

#[derive(Deserialize)]
struct Feed {
    #[serde(default)]
    version: String,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    title: Option<String>,
    summary: Option<String>,
    content_text: Option<String>,
    content_html: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Vec<String>, String> {
    let feed: Feed = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("is no JSON Feed: {error}"))?;
    if !feed.version.starts_with(VERSION) {
        let found: String = feed.version.chars().take(60).collect();
        return Err(format!("is JSON, but no JSON Feed: its version is {found:?}"));
    }
    let lines = feed.items.iter().map(Item::line).filter(|line| !line.is_empty());
    Ok(lines.take(limits::FEED_HEADLINES).collect())
}

impl Item {
    fn line(&self) -> String {
        let plain = [&self.title, &self.summary, &self.content_text].into_iter().flatten();
        let plain = plain.map(|text| plain::line(text)).find(|line| !line.is_empty());
        let html = || self.content_html.as_deref().map(plain::of_html);
        plain.or_else(html).unwrap_or_default()
    }
}

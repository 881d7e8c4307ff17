//! What is wrong with a file, in words for people.
//!
//! In:  messages of the pipeline.
//! Out: one sentence, or None for what is not worth a failure.

use gstreamer::StreamCollection;
use gstreamer::StreamType;
use gstreamer::glib;

use super::pipeline::first_of;

/// An error of the pipeline.
pub fn explain(error: &glib::Error) -> String {
    if error.matches(gstreamer::StreamError::TypeNotFound) {
        return "no media that is known here".to_owned();
    }
    error.message().trim_end_matches('.').to_owned()
}

/// What GStreamer lacks for this file. Sound is not worth a failure.
pub fn missing(message: &gstreamer::StructureRef) -> Option<String> {
    if message.name() != "missing-plugin" {
        return None;
    }
    let caps = message.get::<gstreamer::Caps>("detail").ok();
    let kind = caps.as_ref().and_then(|caps| caps.structure(0)).map(|caps| caps.name().as_str());
    let kind = kind.unwrap_or("an unknown format");
    if kind.starts_with("audio/") {
        tracing::warn!(kind, "no decoder for the sound: it plays silently");
        return None;
    }
    let name = message.get::<String>("name").unwrap_or_default();
    Some(format!("no decoder for {kind} ({name}): install the GStreamer plugin for it"))
}

/// A file without a video stream.
pub fn without_pictures(found: &StreamCollection) -> Option<String> {
    if first_of(found, StreamType::VIDEO).is_some() {
        return None;
    }
    let kinds: Vec<String> = found
        .iter()
        .map(|stream| stream.caps().map_or("unknown".to_owned(), |caps| caps.to_string()))
        .map(|caps| caps.split(',').next().unwrap_or_default().to_owned())
        .collect();
    Some(format!("no moving picture in it, only {}", kinds.join(", ")))
}

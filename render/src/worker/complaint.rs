//! What is wrong with a file, in words for people.
//!
//! In:  messages of the pipeline.
//! Out: one sentence, or None for what is not worth a failure.

use gstreamer::glib;
use gstreamer::{Caps, CapsRef, Pipeline, StreamCollection, StreamType};

use super::decoders;
use super::pipeline::first_of;
use super::protocol::Medium;

/// An error of the pipeline.
pub fn explain(error: &glib::Error, pipeline: &Pipeline, medium: Medium) -> String {
    let counts = |caps: &Caps| medium == Medium::Sound || !kind(caps).starts_with("audio/");
    if let Some(caps) = decoders::undecoded(pipeline).filter(counts) {
        return no_decoder(kind(&caps));
    }
    if error.matches(gstreamer::StreamError::TypeNotFound) {
        return "no media that is known here".to_owned();
    }
    error.message().trim_end_matches('.').to_owned()
}

/// What GStreamer lacks for this file. Sound beside pictures is not worth a failure.
pub fn missing(message: &gstreamer::StructureRef, medium: Medium) -> Option<String> {
    if message.name() != "missing-plugin" {
        return None;
    }
    let caps = message.get::<Caps>("detail").ok();
    let kind = caps.as_ref().map_or(UNKNOWN, |caps| kind(caps));
    if kind.starts_with("audio/") && medium != Medium::Sound {
        tracing::warn!(kind, "no decoder for the sound: it plays silently");
        return None;
    }
    Some(no_decoder(kind))
}

const UNKNOWN: &str = "an unknown format";

fn kind(caps: &CapsRef) -> &str {
    caps.structure(0).map_or(UNKNOWN, |caps| caps.name().as_str())
}

fn no_decoder(kind: &str) -> String {
    format!("no decoder for {kind}: install the GStreamer plugin for it")
}

/// A file without a stream of the kind that is wanted.
pub fn without(found: &StreamCollection, medium: Medium) -> Option<String> {
    let (wanted, words) = match medium {
        Medium::Video | Medium::Still => (StreamType::VIDEO, "moving picture"),
        Medium::Sound => (StreamType::AUDIO, "sound"),
    };
    if first_of(found, wanted).is_some() {
        return None;
    }
    let kinds: Vec<String> = found
        .iter()
        .map(|stream| stream.caps().map_or("unknown".to_owned(), |caps| caps.to_string()))
        .map(|caps| caps.split(',').next().unwrap_or_default().to_owned())
        .collect();
    Some(format!("no {words} in it, only {}", kinds.join(", ")))
}

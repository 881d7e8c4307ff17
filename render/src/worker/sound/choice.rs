//! Which device is played to.
//!
//! In:  the wish, the sound cards that ALSA lists, whether there is a sound server.
//! Out: sinks to try, best first; the first one that opens.

use std::path::Path;

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{Element, ElementFactory, State};

use crate::scene::AudioOut;

/// The device's own buffer and how often it is filled, in microseconds: a change that nobody
/// foresaw is heard that late, a busy machine has that long to fill it again.
const DEVICE_BUFFER_US: i64 = 120_000;
const DEVICE_PERIOD_US: i64 = 30_000;
/// Drift between device and clock before it is corrected, in microseconds: lips stay in step.
const DRIFT_US: i64 = 20_000;

/// A sound card.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Card {
    /// As in `CARD=vc4hdmi0`.
    id: String,
    usb: bool,
}

/// A sink: its factory and its device.
type Candidate = (&'static str, Option<String>);

/// The first sink that opens. Opening it now tells whether it works.
pub fn open_sink(out: &AudioOut) -> Result<Element, glib::BoolError> {
    let listed = std::fs::read_to_string("/proc/asound/cards").unwrap_or_default();
    let mut last_error = glib::bool_error!("there is no sound device of this kind");
    for (factory, device) in candidates(out, &cards(&listed), has_sound_server()) {
        match try_sink(factory, device.as_deref()) {
            Ok(sink) => return Ok(sink),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Reads `/proc/asound/cards`: ` 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0`, with a second line
/// for people.
fn cards(listed: &str) -> Vec<Card> {
    let card = |line: &str| {
        let (_, rest) = line.split_once('[')?;
        let (id, driver) = rest.split_once("]:")?;
        let usb = driver.trim_start().starts_with("USB-Audio");
        Some(Card { id: id.trim().to_owned(), usb })
    };
    listed.lines().filter_map(card).collect()
}

fn candidates(out: &AudioOut, cards: &[Card], server: bool) -> Vec<Candidate> {
    let alsa = |device: String| ("alsasink", Some(device));
    // The HDMI sockets of a Raspberry Pi take samples only through what `sysdefault` puts before.
    let plain = |card: &Card| alsa(format!("sysdefault:CARD={}", card.id));
    let is_pi_hdmi = |card: &&Card| card.id.starts_with("vc4hdmi");
    let pi_hdmi = cards.iter().filter(is_pi_hdmi).map(plain);
    let built_in = cards.iter().filter(|card| !card.usb && !is_pi_hdmi(card));
    match out {
        AudioOut::None => Vec::new(),
        AudioOut::Alsa(device) => vec![alsa(device.clone())],
        AudioOut::Hdmi => {
            let others = built_in.map(|card| alsa(format!("hdmi:CARD={}", card.id)));
            pi_hdmi.chain(others).collect()
        }
        AudioOut::Jack => built_in.map(plain).collect(),
        AudioOut::Usb => cards.iter().filter(|card| card.usb).map(plain).collect(),
        AudioOut::Auto => {
            // A sound server owns the devices of a desktop; without one, asking for it takes long.
            let server = server.then_some(("pulsesink", None));
            server.into_iter().chain(pi_hdmi).chain([("alsasink", None)]).collect()
        }
    }
}

/// Whether somebody else owns the sound devices.
pub fn has_sound_server() -> bool {
    let socket =
        std::env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("pulse/native"));
    std::env::var_os("PULSE_SERVER").is_some() || socket.is_some_and(|path| path.exists())
}

fn try_sink(factory: &str, device: Option<&str>) -> Result<Element, glib::BoolError> {
    let sink = ElementFactory::make(factory)
        .property("buffer-time", DEVICE_BUFFER_US)
        .property("latency-time", DEVICE_PERIOD_US)
        .property("drift-tolerance", DRIFT_US)
        .build()?;
    if let Some(device) = device {
        sink.set_property("device", device);
    }
    match sink.set_state(State::Ready) {
        Ok(_) => Ok(sink),
        Err(_) => {
            // An element has to be at rest before it may be dropped.
            let _ = sink.set_state(State::Null);
            Err(glib::bool_error!("{factory} {}: does not open", device.unwrap_or("default")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a Raspberry Pi 4 with a USB device lists them.
    const PI_4: &str = " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 2 [vc4hdmi1       ]: vc4-hdmi - vc4-hdmi-1
                      vc4-hdmi-1
 3 [Device         ]: USB-Audio - USB Audio Device
                      C-Media Electronics Inc. USB Audio Device at usb-0000:01:00.0-1.3, full speed
";
    /// As a PC does.
    const PC: &str = " 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f30000 irq 31
";

    #[test]
    fn sound_goes_where_it_is_told() {
        let named = AudioOut::Alsa("hw:7".into());
        for (case, out, listed, server, wanted) in [
            ("named", &named, PI_4, true, vec!["hw:7"]),
            ("silent", &AudioOut::None, PI_4, true, vec![]),
            (
                "HDMI",
                &AudioOut::Hdmi,
                PI_4,
                false,
                vec![
                    "sysdefault:CARD=vc4hdmi0",
                    "sysdefault:CARD=vc4hdmi1",
                    "hdmi:CARD=Headphones",
                ],
            ),
            ("HDMI of a PC", &AudioOut::Hdmi, PC, false, vec!["hdmi:CARD=PCH"]),
            ("jack", &AudioOut::Jack, PI_4, false, vec!["sysdefault:CARD=Headphones"]),
            ("jack of a PC", &AudioOut::Jack, PC, false, vec!["sysdefault:CARD=PCH"]),
            ("USB", &AudioOut::Usb, PI_4, false, vec!["sysdefault:CARD=Device"]),
            ("no USB", &AudioOut::Usb, PC, false, vec![]),
            (
                "auto",
                &AudioOut::Auto,
                PI_4,
                false,
                vec!["sysdefault:CARD=vc4hdmi0", "sysdefault:CARD=vc4hdmi1", "alsasink"],
            ),
            ("auto on a desktop", &AudioOut::Auto, PC, true, vec!["pulsesink", "alsasink"]),
            ("no card", &AudioOut::Auto, "--- no soundcards ---\n", false, vec!["alsasink"]),
        ] {
            let found = candidates(out, &cards(listed), server);
            let named = |(factory, device): Candidate| device.unwrap_or(factory.to_owned());
            let found: Vec<String> = found.into_iter().map(named).collect();
            assert_eq!(found, wanted, "case {case:?}");
        }
    }
}

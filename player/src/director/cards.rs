//! Which card when there is nothing better, and in which words.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use vitrine_render::scene::Card;
use vitrine_sync::Connection;

use super::cloud::CloudView;
use crate::network::Trouble;
use crate::schedule::{Due, Verdict};

/// What the choice of a card depends on.
pub struct Facts<'a> {
    /// What sync has said.
    pub cloud: &'a CloudView,
    /// What the schedule says; None without content.
    pub due: Option<&'a Due>,
    /// Files of the live generation that are not here.
    pub missing: usize,
    /// Zone that people read times in.
    pub zone: &'a TimeZone,
}

/// The card for these facts: who waits for a person says so first.
pub fn card(facts: &Facts) -> Card {
    // Without a way to the cloud no code can be approved.
    if let Some(trouble) = facts.cloud.network.as_ref().filter(|_| facts.due.is_none()) {
        return broken(trouble, facts.cloud);
    }
    if let Some(pairing) = &facts.cloud.pairing {
        return Card::Pairing {
            user_code: pairing.user_code.clone(),
            verification_uri: pairing.verification_uri.clone(),
            verification_uri_complete: pairing.verification_uri_complete.clone(),
            fingerprint: pairing.fingerprint.clone(),
        };
    }
    let (headline, detail) = match facts.due {
        _ if !facts.cloud.started => ("Starting", "Looking for content.".to_owned()),
        None => without_content(facts.cloud),
        Some(due) => without_due(due, facts),
    };
    Card::NoContent { headline: headline.into(), detail }
}

/// Nothing to show, and nothing will come before somebody has mended this.
fn broken(trouble: &Trouble, cloud: &CloudView) -> Card {
    let whose = match &cloud.paired {
        Some(paired) => format!(" This screen belongs to {}.", paired.tenant),
        None => String::new(),
    };
    let detail = format!("{}{whose}", trouble.detail);
    Card::NoContent { headline: trouble.headline.clone(), detail }
}

fn without_content(cloud: &CloudView) -> (&'static str, String) {
    let trouble = match &cloud.connection {
        Connection::Offline { why } => Some(format!("The cloud cannot be reached: {why}.")),
        Connection::Off | Connection::Connecting | Connection::Online { .. } => None,
    };
    match (&cloud.paired, &cloud.connection) {
        (None, Connection::Off) => {
            ("No cloud", "Set url under [cloud] in the settings file, then restart.".to_owned())
        }
        (None, _) => {
            let detail = trouble.unwrap_or_else(|| "Asking the cloud for a pairing code.".into());
            ("Not paired yet", detail)
        }
        (Some(paired), _) => {
            let wait = match &cloud.progress {
                Some(p) if p.assets > 0 => {
                    format!("Waiting for content: {} of {} files.", p.assets_here, p.assets)
                }
                _ => "Waiting for content.".to_owned(),
            };
            let trouble = trouble.map(|trouble| format!(" {trouble}")).unwrap_or_default();
            ("No content yet", format!("Paired with tenant {}. {wait}{trouble}", paired.tenant))
        }
    }
}

fn without_due(due: &Due, facts: &Facts) -> (&'static str, String) {
    let empty = due.verdicts.iter().filter(|v| **v == Verdict::NothingToShow).count();
    if due.verdicts.is_empty() {
        let detail = "Content has arrived, but its schedule is empty.";
        ("Nothing is scheduled", detail.into())
    } else if empty > 0 && facts.missing > 0 {
        let trouble = facts.cloud.network.as_ref();
        let trouble = trouble.map(|t| format!(" {}. {}", t.headline, t.detail)).unwrap_or_default();
        let detail = format!("Waiting for {} more files.{trouble}", facts.missing);
        ("Content is on its way", detail)
    } else if empty > 0 {
        let detail = "None of the scheduled items can be shown now. Trying again soon.";
        ("No item can be shown", detail.into())
    } else {
        let next = due.until.map(|until| format!(" It may change {}.", local(until, facts.zone)));
        let detail = format!("No entry of the schedule is due.{}", next.unwrap_or_default());
        ("Nothing is scheduled now", detail)
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("on %A, %d %B at %H:%M").to_string()
}

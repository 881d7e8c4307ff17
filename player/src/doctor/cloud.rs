//! The way to the cloud, and what the running player says of it.

use std::path::Path;

use jiff::Timestamp;
use vitrine_config::time::Now;
use vitrine_sync::reach::Certificate;

use super::finding::Finding;
use crate::control::protocol::Reply;
use crate::error::Error;
use crate::event::Command;
use crate::network::{self, Goal, Seen, Trouble};
use crate::{cli, commands, settings};

/// A certificate that is not renewed by then is forgotten, not late: most are renewed a month
/// before their end.
const RENEWED_DAYS: i64 = 14;

/// Whether there is a way out, who answers at its end, and by which certificate.
pub fn way(root: &Path, goal: Option<&Goal>, now: &Now) -> Vec<Finding> {
    let Some(goal) = goal else { return vec![route(root)] };
    let seen = network::look(goal, &settings::release());
    let trouble = network::diagnose(&seen, now);
    judge(&seen, trouble.as_ref(), now)
}

/// Whether there is a way out.
fn route(root: &Path) -> Finding {
    let ways = network::ways_out(root);
    if ways.is_empty() {
        let advice = "check cable or Wi-Fi, and `ip address`; what is stored plays meanwhile";
        return Finding::fair("network", "no way out of this machine", advice);
    }
    Finding::good("network", format!("by {}", ways.into_iter().collect::<Vec<_>>().join(", ")))
}

fn judge(seen: &Seen, trouble: Option<&Trouble>, now: &Now) -> Vec<Finding> {
    let said = |what: &str, trouble: &Trouble| {
        Finding::bad(what, trouble.headline.clone(), &trouble.detail)
    };
    let before_cloud = trouble.filter(|trouble| trouble.is_near());
    let network = before_cloud.map_or_else(
        || Finding::good("network", seen.addresses()),
        |trouble| said("network", trouble),
    );
    let cloud = match trouble {
        None => Some(Finding::good("cloud", format!("{} answers", seen.host))),
        Some(trouble) if trouble.is_near() => None,
        Some(trouble) => Some(said("cloud", trouble)),
    };
    let reached = seen.reached.as_ref();
    let shown = reached.and_then(|reached| reached.certificate.as_ref());
    let certificate = shown.map(|shown| certificate(shown, now.wall));
    [Some(network), cloud, certificate].into_iter().flatten().collect()
}

/// How long it counts. Whether it is believed is said of the cloud.
fn certificate(shown: &Certificate, now: Timestamp) -> Finding {
    let days = (shown.until.as_second() - now.as_second()).div_euclid(86_400);
    let until = shown.until.strftime("%Y-%m-%d");
    let found = format!("of {}, by {}, until {until} ({days} days)", shown.subject, shown.issuer);
    if days < 0 || shown.from > now {
        let advice = "see that the clock is right; whoever runs the cloud has to renew it";
        return Finding::bad("certificate", found, advice);
    }
    if days < RENEWED_DAYS {
        let advice = "whoever runs the cloud has to renew it; until then it works";
        return Finding::fair("certificate", found, advice);
    }
    Finding::good("certificate", found)
}

/// What the running player says of itself.
pub fn player(settings: &cli::Settings) -> Finding {
    match commands::consult(settings, Command::Status) {
        Ok(Reply::Status { status }) => {
            let found =
                format!("{}; cloud {}; stage {}", status.due, status.connection, status.stage);
            match status.troubles.first() {
                Some(trouble) => Finding::fair("player", found, trouble),
                None => Finding::good("player", found),
            }
        }
        Ok(other) => Finding::bad("player", commands::unexpected(&other).to_string(), "restart it"),
        Err(Error::Unreachable { .. }) => {
            Finding::fair("player", "not running, or not for this user", "systemctl status vitrine")
        }
        Err(error) => Finding::bad("player", error.to_string(), "journalctl -u vitrine says more"),
    }
}

#[cfg(test)]
mod tests {
    use vitrine_config::time::{Mono, Trust};
    use vitrine_sync::reach::{Found, Reached};

    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_broken_cable_and_a_dead_cloud_are_told_apart() {
        let now = Now { wall: Timestamp::UNIX_EPOCH, mono: Mono(0), trust: Trust::Synced };
        for (case, way_out, found, wanted) in [
            ("no cable", false, None, vec![("network", State::Bad)]),
            (
                "no cloud",
                true,
                Some(Found::Nobody { why: "refused".into() }),
                vec![("network", State::Good), ("cloud", State::Bad)],
            ),
            (
                "fine",
                true,
                Some(Found::Cloud),
                vec![("network", State::Good), ("cloud", State::Good)],
            ),
        ] {
            let reached =
                found.map(|found| Reached { found, certificate: None, server_time: None });
            let host = "cloud.example".to_owned();
            let seen = Seen { host, links: vec![], way_out, at_home: false, reached };
            let trouble = network::diagnose(&seen, &now);
            let judged = judge(&seen, trouble.as_ref(), &now);
            let judged: Vec<_> = judged.iter().map(|f| (f.what.as_str(), f.state)).collect();
            assert_eq!(judged, wanted, "case {case:?}");
        }
    }

    #[test]
    fn a_certificate_is_told_in_days() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let shown = Certificate {
            subject: "cloud.example".into(),
            issuer: "Example Authority".into(),
            from: at("2026-01-01T00:00:00Z"),
            until: at("2026-04-01T00:00:00Z"),
        };
        for (now, state, days) in [
            ("2026-02-01T00:00:00Z", State::Good, "(59 days)"),
            ("2026-03-20T00:00:00Z", State::Fair, "(12 days)"),
            ("2026-04-02T00:00:00Z", State::Bad, "(-1 days)"),
            ("1970-01-01T00:00:00Z", State::Bad, "days)"),
        ] {
            let found = certificate(&shown, at(now));
            assert_eq!(found.state, state, "{now}");
            assert!(found.found.contains(days), "{now}: {}", found.found);
        }
    }
}

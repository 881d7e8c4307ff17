//! From what was seen to what is wrong and what helps.
//!
//! In:  links, ways out, who answered for the cloud; the time.
//! Out: a [`Trouble`], or None: the way is open. The first thing that is broken, counted from the
//! plug on, is what is said: nothing behind it can work.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vitrine_config::time::{Now, Trust};
use vitrine_sync::reach::{Certificate, Distrust, Found, Reached};

/// What can be seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The cloud's name.
    pub host: String,
    /// Network adapters.
    pub links: Vec<Link>,
    /// Whether there is a way out of the neighbourhood.
    pub way_out: bool,
    /// Whether the cloud is on this very machine: then no link is needed.
    pub at_home: bool,
    /// Who answered; None: not asked, for want of a way.
    pub reached: Option<Reached>,
}

/// A network adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As the kernel names it.
    pub name: String,
    /// Cable or air.
    pub medium: Medium,
    /// Something is at the other end.
    pub connected: bool,
    /// Those that reach beyond the cable.
    pub addresses: Vec<IpAddr>,
}

/// Cable or air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet.
    Cable,
    /// Wi-Fi.
    Air,
}

/// What is wrong and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// For machines.
    pub code: String,
    /// To be read from across a room.
    pub headline: String,
    /// What was found and what to do.
    pub detail: String,
}

impl Trouble {
    /// Whether it lies between this device and its router.
    pub fn is_near(&self) -> bool {
        let near = ["no_adapter", "no_cable", "no_wifi", "no_link", "no_address", "no_route"];
        near.contains(&self.code.as_str())
    }
}

impl Seen {
    /// The adapters in use and their addresses, for people.
    pub fn addresses(&self) -> String {
        let used = self.links.iter().filter(|link| link.connected);
        let texts: Vec<_> = used
            .map(|link| {
                let addresses: Vec<_> = link.addresses.iter().map(IpAddr::to_string).collect();
                format!("{} {}", link.name, addresses.join(" "))
            })
            .collect();
        if texts.is_empty() { "a way out without a plug".to_owned() } else { texts.join(", ") }
    }
}

/// Finds what is wrong.
pub fn diagnose(seen: &Seen, now: &Now) -> Option<Trouble> {
    let nobody = |r: &Reached| matches!(r.found, Found::Nobody { .. } | Found::NoName { .. });
    let answered = seen.reached.as_ref().is_some_and(|reached| !nobody(reached));
    if !seen.at_home
        && !answered
        && let Some(trouble) = link_trouble(seen)
    {
        return Some(trouble);
    }
    answer_trouble(&seen.host, seen.reached.as_ref()?, now)
}

fn trouble(code: &str, headline: &str, detail: String) -> Option<Trouble> {
    Some(Trouble { code: code.to_owned(), headline: headline.to_owned(), detail })
}

/// Up to and with the router.
fn link_trouble(seen: &Seen) -> Option<Trouble> {
    // Whatever carries packets out is not ours to doubt: a tunnel, a modem.
    if seen.way_out {
        return None;
    }
    let connected: Vec<_> = seen.links.iter().filter(|link| link.connected).collect();
    if connected.is_empty() {
        return unplugged(&seen.links);
    }
    match connected.iter().find(|link| !link.addresses.is_empty()) {
        None => trouble(
            "no_address",
            "No network address",
            format!(
                "{} is connected, but nobody there gives it an address. Check that the router is \
                 on and gives addresses (DHCP), or set a fixed one.",
                names(connected.iter().copied())
            ),
        ),
        Some(link) => trouble(
            "no_route",
            "No way to the internet",
            format!(
                "{} has the address {}, but knows no router. Check the router, or the gateway that \
                 goes with a fixed address.",
                link.name, link.addresses[0]
            ),
        ),
    }
}

fn unplugged(links: &[Link]) -> Option<Trouble> {
    let of = |medium| links.iter().filter(move |link| link.medium == medium);
    let (cable, air) = (names(of(Medium::Cable)), names(of(Medium::Air)));
    match (cable.is_empty(), air.is_empty()) {
        (true, true) => trouble(
            "no_adapter",
            "No network adapter",
            "This device has none, or its driver does not work. Plug in another one, and restart."
                .to_owned(),
        ),
        (false, true) => trouble(
            "no_cable",
            "No network cable",
            format!(
                "Plug a cable into {cable}. Its other end must be in a router or switch that is on."
            ),
        ),
        (true, false) => trouble(
            "no_wifi",
            "No Wi-Fi",
            format!(
                "{air} is not connected. Check that the Wi-Fi is in reach, and its name and password on this device."
            ),
        ),
        (false, false) => trouble(
            "no_link",
            "No network",
            format!(
                "Plug a cable into {cable}, or connect {air}: check that the Wi-Fi is in reach, \
                 and its name and password on this device."
            ),
        ),
    }
}

fn names<'a>(links: impl Iterator<Item = &'a Link>) -> String {
    links.map(|link| link.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Beyond the router.
fn answer_trouble(host: &str, reached: &Reached, now: &Now) -> Option<Trouble> {
    match &reached.found {
        Found::Cloud => None,
        Found::Ailing { status } => trouble(
            "cloud_ailing",
            "The cloud has a problem",
            format!(
                "{host} answers with status {status}. It is asked again by itself; if that goes on, tell whoever runs it."
            ),
        ),
        Found::Stranger { what } => trouble(
            "login_page",
            "This network wants a login",
            format!(
                "Somebody else answers for {host} ({what}). Log this device in at the network, or have whoever runs it let {host} through."
            ),
        ),
        Found::Untrusted(why) => distrusted(host, why, reached.certificate.as_ref(), now),
        Found::NoName { why } => trouble(
            "no_name",
            "The cloud's name is not found",
            format!(
                "{host} has no address ({why}). Check the name server that the router gives (DNS), and the name in cloud.url."
            ),
        ),
        Found::Proxy { why } => trouble(
            "proxy",
            "The proxy does not let this device through",
            format!(
                "{why}. Check the proxy's address, name and password in the settings of this device."
            ),
        ),
        Found::Nobody { why } => trouble(
            "no_cloud",
            "The cloud does not answer",
            format!(
                "{host} cannot be reached ({why}). Check that a firewall lets this device out, and that the cloud is on."
            ),
        ),
        Found::Settings { why } => trouble("settings", "The settings are wrong", format!("{why}.")),
    }
}

fn distrusted(
    host: &str,
    why: &Distrust,
    certificate: Option<&Certificate>,
    now: &Now,
) -> Option<Trouble> {
    let date = |at: jiff::Timestamp| at.strftime("%-d %B %Y").to_string();
    let today = date(now.wall);
    let (edge, other) = match why {
        Distrust::NotYetValid => ("begins", certificate.map(|c| date(c.from))),
        Distrust::Expired => ("ended", certificate.map(|c| date(c.until))),
        _ => ("", None),
    };
    if let (Some(other), Trust::Guess) = (&other, now.trust) {
        return trouble(
            "wrong_clock",
            "The clock is wrong",
            format!(
                "It is {today} on this device, and the cloud's certificate {edge} on {other}. \
                 Let the device ask for the time (NTP, UDP port 123), or set it."
            ),
        );
    }
    let (what, help) = match (why, other) {
        (Distrust::OtherName, _) => (
            "shows a certificate of another name".to_owned(),
            "Check cloud.url, and whether this network looks into connections.",
        ),
        (Distrust::UnknownIssuer, _) => (
            format!(
                "shows a certificate from {}, whom nobody here knows",
                certificate.map_or("somebody", |certificate| certificate.issuer.as_str())
            ),
            "Check whether this network looks into connections; a private authority goes into cloud.ca_file.",
        ),
        (_, Some(other)) => (
            format!("shows a certificate that {edge} on {other}; it is {today} here"),
            "Whoever runs the cloud has to renew it.",
        ),
        (Distrust::Other(text), None) => {
            (format!("is not trusted: {text}"), "Tell whoever runs the cloud.")
        }
        (Distrust::NotYetValid | Distrust::Expired, None) => (
            format!("shows a certificate that does not count on {today}"),
            "Whoever runs the cloud has to renew it.",
        ),
    };
    trouble("no_trust", "The cloud cannot be trusted", format!("{host} {what}. {help}"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vitrine_config::time::Mono;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn now(trust: Trust) -> Now {
        Now { wall: at("2026-03-02T09:00:00Z"), mono: Mono(0), trust }
    }

    fn link(name: &str, connected: bool, addresses: &[&str]) -> Link {
        let medium = if name.starts_with("wlan") { Medium::Air } else { Medium::Cable };
        let addresses = addresses.iter().map(|text| text.parse().expect("address")).collect();
        Link { name: name.into(), medium, connected, addresses }
    }

    fn seen(links: Vec<Link>, found: Option<Found>) -> Seen {
        let certificate = Certificate {
            subject: "cloud.example".into(),
            issuer: "Example Authority".into(),
            from: at("2026-04-01T00:00:00Z"),
            until: at("2026-01-31T00:00:00Z"),
        };
        let reached =
            found.map(|found| Reached { found, certificate: Some(certificate), server_time: None });
        let way_out = reached.is_some();
        Seen { host: "cloud.example".into(), links, way_out, at_home: false, reached }
    }

    #[test]
    fn the_first_thing_that_is_broken_is_said() {
        let up = || vec![link("eth0", true, &["192.168.1.7"])];
        let why = || "in the system's words".to_owned();
        for (case, links, found, code, words) in [
            ("nothing there", vec![], None, "no_adapter", "Plug in another one"),
            ("cable out", vec![link("eth0", false, &[])], None, "no_cable", "cable into eth0"),
            (
                "no Wi-Fi",
                vec![link("wlan0", false, &[])],
                None,
                "no_wifi",
                "wlan0 is not connected",
            ),
            (
                "neither",
                vec![link("eth0", false, &[]), link("wlan0", false, &[])],
                None,
                "no_link",
                "cable into eth0, or connect wlan0",
            ),
            ("no DHCP", vec![link("eth0", true, &[])], None, "no_address", "eth0 is connected"),
            (
                "Wi-Fi without DHCP beside a free socket",
                vec![link("eth0", false, &[]), link("wlan0", true, &[])],
                None,
                "no_address",
                "wlan0 is connected",
            ),
            ("no router", up(), None, "no_route", "has the address 192.168.1.7"),
            (
                "no DNS",
                up(),
                Some(Found::NoName { why: why() }),
                "no_name",
                "in the system's words",
            ),
            (
                "portal",
                up(),
                Some(Found::Stranger { what: why() }),
                "login_page",
                "Log this device in",
            ),
            ("proxy", up(), Some(Found::Proxy { why: why() }), "proxy", "name and password"),
            ("firewall", up(), Some(Found::Nobody { why: why() }), "no_cloud", "firewall"),
            ("503", up(), Some(Found::Ailing { status: 503 }), "cloud_ailing", "status 503"),
            (
                "name",
                up(),
                Some(Found::Untrusted(Distrust::OtherName)),
                "no_trust",
                "of another name",
            ),
            (
                "issuer",
                up(),
                Some(Found::Untrusted(Distrust::UnknownIssuer)),
                "no_trust",
                "from Example Authority",
            ),
            (
                "expired",
                up(),
                Some(Found::Untrusted(Distrust::Expired)),
                "no_trust",
                "ended on 31 January 2026; it is 2 March 2026 here",
            ),
        ] {
            let trouble = diagnose(&seen(links, found), &now(Trust::Synced)).expect(case);
            assert_eq!(trouble.code, code, "case {case:?}");
            assert!(trouble.detail.contains(words), "case {case:?}: {}", trouble.detail);
        }
    }

    #[test]
    fn a_clock_that_nobody_has_set_is_to_blame_for_dates_alone() {
        let up = || vec![link("eth0", true, &["192.168.1.7"])];
        for (why, trust, code) in [
            (Distrust::NotYetValid, Trust::Guess, "wrong_clock"),
            (Distrust::Expired, Trust::Guess, "wrong_clock"),
            (Distrust::NotYetValid, Trust::Synced, "no_trust"),
            (Distrust::UnknownIssuer, Trust::Guess, "no_trust"),
        ] {
            let seen = seen(up(), Some(Found::Untrusted(why.clone())));
            let found = diagnose(&seen, &now(trust)).map(|trouble| trouble.code);
            assert_eq!(found.as_deref(), Some(code), "{why:?}, {trust:?}");
        }
    }

    #[test]
    fn an_open_way_is_no_trouble() {
        let up = seen(vec![link("eth0", true, &["192.168.1.7"])], Some(Found::Cloud));
        assert_eq!(diagnose(&up, &now(Trust::Synced)), None);
        // By a tunnel or modem that has no plug.
        let tunnel = Seen { links: vec![link("eth0", false, &[])], ..up.clone() };
        assert_eq!(diagnose(&tunnel, &now(Trust::Synced)), None);
        // For a cloud on this machine, no cable is needed.
        let home = Seen { links: vec![], way_out: false, at_home: true, ..up };
        assert_eq!(diagnose(&home, &now(Trust::Synced)), None);
    }
}

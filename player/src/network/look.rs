//! What can be seen of the network from here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use vitrine_sync::reach;

use super::{Goal, Link, Medium, Seen};

/// Looks at plugs, addresses and routes, and asks for the cloud if there is any way to it. Blocks
/// for as long as an answer may take.
pub fn look(goal: &Goal, release: &str) -> Seen {
    let root = Path::new("/");
    let host = host(&goal.url);
    let links = links(root, &addresses());
    let at_home = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let way_out = !ways_out(root).is_empty();
    // A proxy may be next door, without any way further.
    let hope = at_home || way_out || links.iter().any(|link| !link.addresses.is_empty());
    let reached = hope.then(|| reach::reach(&goal.url, &goal.way, release));
    Seen { host, links, way_out, at_home, reached }
}

/// The name in an address that the settings have checked.
fn host(url: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let end = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    authority[..end.unwrap_or(authority.len())].trim_matches(['[', ']']).to_owned()
}

/// Adapters with a plug or an antenna.
fn links(root: &Path, addresses: &BTreeMap<String, Vec<IpAddr>>) -> Vec<Link> {
    let class = root.join("sys/class/net");
    let entries = fs::read_dir(&class).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let link = |name: String| {
        let at = class.join(&name);
        let air = at.join("wireless").exists() || at.join("phy80211").exists();
        // Cannot be read while the adapter is off.
        let carrier = fs::read_to_string(at.join("carrier")).unwrap_or_default();
        at.join("device").exists().then(|| Link {
            medium: if air { Medium::Air } else { Medium::Cable },
            connected: carrier.trim() == "1",
            addresses: addresses.get(&name).cloned().unwrap_or_default(),
            name,
        })
    };
    names.into_iter().filter_map(link).collect()
}

/// Addresses by adapter, without those that an adapter gives to itself.
fn addresses() -> BTreeMap<String, Vec<IpAddr>> {
    let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else { return BTreeMap::new() };
    let of = |data: &sysinfo::NetworkData| {
        let all = data.ip_networks().iter().map(|network| network.addr);
        all.filter(|ip| !is_own_invention(ip)).collect()
    };
    networks.iter().map(|(name, data)| (name.to_string_lossy().into_owned(), of(data))).collect()
}

fn is_own_invention(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

/// `RTF_REJECT` of the kernel's `route.h`.
const ROUTE_REJECTS: u32 = 0x0200;

/// The adapters that the default routes use.
pub fn ways_out(root: &Path) -> BTreeSet<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let refused =
        |flags: &str| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & ROUTE_REJECTS != 0);
    // Columns: interface, destination, gateway, flags; a destination of zeros is the default route.
    // One that refuses (`ip route add unreachable default`) has `*` for an interface.
    let four = read("proc/net/route");
    let four = four.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [interface, destination, _, flags, ..] = words[..] else { return None };
        let leads = destination == "00000000" && interface != "*" && !refused(flags);
        leads.then(|| interface.to_owned())
    });
    // Columns: destination, prefix length, …, flags, the interface last; `lo` is where refused ones
    // go.
    let six = read("proc/net/ipv6_route");
    let six = six.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let interface = words.last().filter(|name| **name != "lo")?;
        if refused(words.get(8)?) {
            return None;
        }
        (words.first()?.bytes().all(|digit| digit == b'0') && *words.get(1)? == "00")
            .then(|| (*interface).to_owned())
    });
    four.chain(six).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_machine::machine;

    #[test]
    fn names_are_taken_out_of_addresses() {
        for (url, wanted) in [
            ("https://signage.example", "signage.example"),
            ("https://signage.example:8443/api", "signage.example"),
            ("https://[2001:db8::1]/x", "2001:db8::1"),
            ("http://[::1]:8080", "::1"),
        ] {
            assert_eq!(host(url), wanted, "{url}");
        }
    }

    #[test]
    fn plugs_are_told_from_what_has_none() {
        let root = machine(&[
            ("sys/class/net/eth0/device/driver", ""),
            ("sys/class/net/eth0/carrier", "1\n"),
            ("sys/class/net/wlan0/device/driver", ""),
            ("sys/class/net/wlan0/wireless/status", ""),
            ("sys/class/net/docker0/carrier", "1\n"),
        ]);
        let ip: IpAddr = "192.168.1.7".parse().expect("address");
        let addresses = BTreeMap::from([("eth0".to_owned(), vec![ip])]);
        let link = |name: &str, medium, connected, addresses| Link {
            name: name.to_owned(),
            medium,
            connected,
            addresses,
        };
        let wanted = [
            link("eth0", Medium::Cable, true, vec![ip]),
            link("wlan0", Medium::Air, false, vec![]),
        ];
        assert_eq!(links(root.path(), &addresses), wanted);
    }

    #[test]
    fn addresses_that_nobody_has_given_do_not_count() {
        for (text, counts) in
            [("169.254.3.4", false), ("fe80::1", false), ("10.0.0.2", true), ("2001:db8::2", true)]
        {
            let ip = text.parse().expect("address");
            assert_eq!(!is_own_invention(&ip), counts, "{text}");
        }
    }

    #[test]
    fn a_default_route_is_a_way_out() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\n";
        for (case, table, ways) in [
            ("default", "eth0\t00000000\t0102A8C0\t0003\t0\n", 1),
            ("only a neighbour", "eth0\t0002A8C0\t00000000\t0001\t0\n", 0),
            ("unreachable", "*\t00000000\t00000000\t0201\t0\n", 0),
            ("black hole", "*\t00000000\t00000000\t0001\t0\n", 0),
        ] {
            let root = machine(&[("proc/net/route", &format!("{head}{table}"))]);
            assert_eq!(ways_out(root.path()).len(), ways, "case {case:?}");
        }
    }

    #[test]
    fn a_refused_default_route_is_none() {
        let zeros = "0".repeat(32);
        let line = |flags: &str, interface: &str| {
            format!(
                "{zeros} 00 {zeros} 00 {zeros} 00000400 00000001 00000000 {flags} {interface}\n"
            )
        };
        for (case, table, ways) in [
            ("default", line("00000003", "eth0"), 1),
            ("what the kernel always has", line("00200200", "lo"), 0),
            ("refused by an adapter", line("00000203", "eth0"), 0),
        ] {
            let root = machine(&[("proc/net/ipv6_route", &table)]);
            assert_eq!(ways_out(root.path()).len(), ways, "case {case:?}");
        }
    }
}

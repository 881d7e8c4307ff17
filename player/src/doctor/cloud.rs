//! The way to the cloud, and what the running player says of it.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use super::machine::read;
use crate::control::protocol::Reply;
use crate::error::Error;
use crate::event::Command;
use crate::{cli, commands};

/// A connection takes three round trips at most; a satellite's takes 0.7 s.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Whether there is a way out.
pub fn route(root: &Path) -> Finding {
    // Columns: interface, destination, gateway; a destination of zeros is the default route.
    let four = read(root, "proc/net/route").unwrap_or_default();
    let four = four.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (interface, destination) = (words.next()?, words.next()?);
        (destination == "00000000").then(|| interface.to_owned())
    });
    // Columns: destination, prefix length, …, the interface last; `lo` is where refused ones go.
    let six = read(root, "proc/net/ipv6_route").unwrap_or_default();
    let six = six.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let interface = words.last().filter(|name| **name != "lo")?;
        (words.first()?.bytes().all(|digit| digit == b'0') && *words.get(1)? == "00")
            .then(|| (*interface).to_owned())
    });
    let ways: std::collections::BTreeSet<_> = four.chain(six).collect();
    if ways.is_empty() {
        let advice = "check cable or Wi-Fi, and `ip address`; what is stored plays meanwhile";
        return Finding::fair("network", "no way out of this machine", advice);
    }
    Finding::good("network", format!("by {}", ways.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Whether the cloud's address answers. Nothing where no cloud is set.
pub fn reach(url: &str) -> Option<Finding> {
    let (host, port) = address(url)?;
    let place = format!("{host}:{port}");
    let found = match (host.as_str(), port).to_socket_addrs() {
        Err(error) => {
            let advice = "check the name in cloud.url, and the name servers (`resolvectl status`)";
            Finding::bad("cloud", format!("{host} has no address: {error}"), advice)
        }
        Ok(mut addresses) => {
            match addresses.find_map(|at| connect(&at).err().map_or(Some(at), |_| None)) {
                Some(at) => Finding::good("cloud", format!("{place} answers at {at}")),
                None => {
                    let advice =
                        "check firewall and proxy; behind a proxy only the player itself can tell";
                    Finding::bad("cloud", format!("{place} does not answer"), advice)
                }
            }
        }
    };
    Some(found)
}

fn connect(at: &std::net::SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(at, REACHED_WITHIN)
}

/// Host and port of an address that the settings have checked.
fn address(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().filter(|authority| !authority.is_empty())?;
    let usual = if scheme == "https" { 443 } else { 80 };
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let (host, port) = match colon {
        Some(at) => (&authority[..at], authority[at + 1..].parse().ok()?),
        None => (authority, usual),
    };
    Some((host.trim_matches(['[', ']']).to_owned(), port))
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
    use std::io::Write;
    use std::net::TcpListener;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, wanted) in [
            ("https://signage.example", Some(("signage.example", 443))),
            ("https://signage.example:8443/api", Some(("signage.example", 8443))),
            ("http://127.0.0.1:80", Some(("127.0.0.1", 80))),
            ("https://[2001:db8::1]/x", Some(("2001:db8::1", 443))),
            ("http://[::1]:8080", Some(("::1", 8080))),
            ("", None),
        ] {
            let found = address(url);
            let wanted = wanted.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(found, wanted, "{url}");
        }
    }

    #[test]
    fn a_cloud_that_listens_is_told_from_one_that_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        assert_eq!(reach(&url).map(|found| found.state), Some(State::Good));
        drop(listener);
        assert_eq!(reach(&url).map(|found| found.state), Some(State::Bad));
        assert_eq!(reach(""), None);
    }

    #[test]
    fn a_default_route_is_a_way_out() {
        let head = "Iface\tDestination\tGateway\n";
        for (case, table, state) in [
            ("default", "eth0\t00000000\t0102A8C0\n", State::Good),
            ("only a neighbour", "eth0\t0002A8C0\t00000000\n", State::Fair),
        ] {
            let root = tempfile::tempdir().expect("directory");
            std::fs::create_dir_all(root.path().join("proc/net")).expect("directory");
            let mut file = std::fs::File::create(root.path().join("proc/net/route")).expect("file");
            file.write_all(format!("{head}{table}").as_bytes()).expect("written");
            assert_eq!(route(root.path()).state, state, "case {case:?}");
        }
    }
}

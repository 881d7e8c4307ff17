//! What others take for the same files from the same server onto the same disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use vitrine_tests::process::Process;

use super::site::{Offer, Site};
use crate::rig::{Outcome, whole_cpu};

/// What one fetch of everything took.
pub struct Took {
    /// From start to end.
    pub wall_s: f64,
    /// CPU time of the program.
    pub cpu_s: f64,
}

/// Runs `command` to its end.
fn took(command: Command, name: &str, dir: &Path) -> Outcome<Took> {
    let begun = Instant::now();
    let cpu_s = whole_cpu(Process::start(command, name, dir)?)?;
    Ok(Took { wall_s: begun.elapsed().as_secs_f64(), cpu_s })
}

/// `curl --parallel`, which proves nothing, so many at a time.
pub fn curl(site: &Site, offers: &[Offer], at_a_time: usize) -> Outcome<Took> {
    let dir = fresh(&site.dir.join("curl"))?;
    let list = site.dir.join("curl.conf");
    let mut file = File::create(&list)?;
    for offer in offers {
        let (digest, url) = (offer.digest, site.address(&offer.digest));
        writeln!(file, "url = \"{url}\"\noutput = \"{}\"", dir.join(digest.to_string()).display())?;
    }
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--parallel", "--parallel-max"]);
    command.arg(at_a_time.to_string()).arg("--config").arg(&list);
    took(command, "curl", &site.dir)
}

/// `sync` of what curl wrote.
pub fn flush(site: &Site) -> Outcome<Took> {
    let mut command = Command::new("sync");
    command.arg("--file-system").arg(site.dir.join("curl"));
    took(command, "flush", &site.dir)
}

/// `sha256sum` of what curl wrote.
pub fn sha256sum(site: &Site, offers: &[Offer]) -> Outcome<Took> {
    let mut command = Command::new("sha256sum");
    let dir = site.dir.join("curl");
    command.args(offers.iter().map(|offer| dir.join(offer.digest.to_string())));
    took(command, "sha256sum", &site.dir)
}

/// `aria2c` with a checksum for each file, so many at a time.
pub fn aria2c(site: &Site, offers: &[Offer], at_a_time: usize) -> Outcome<Took> {
    let dir = fresh(&site.dir.join("aria2c"))?;
    let list = site.dir.join("aria2c.list");
    let mut file = File::create(&list)?;
    for offer in offers {
        let (digest, url) = (offer.digest, site.address(&offer.digest));
        writeln!(file, "{url}\n  out={digest}\n  checksum=sha-256={digest}")?;
    }
    let mut command = Command::new("aria2c");
    command.args(["--no-conf", "--quiet", "--file-allocation=none", "--split=1"]);
    command.arg(format!("--max-concurrent-downloads={at_a_time}"));
    command.arg("--input-file").arg(&list).arg("--dir").arg(&dir);
    took(command, "aria2c", &site.dir)
}

fn fresh(dir: &Path) -> Outcome<std::path::PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    Ok(dir.to_owned())
}

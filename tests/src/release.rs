//! Other versions of the player: made from the real one, signed, published.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cloud::Cloud;
use crate::process::binary;

/// Version of everything in this workspace.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// Whoever makes releases: has the key.
pub struct Maker {
    key: PathBuf,
    /// For `update.key`.
    pub public: String,
    dir: PathBuf,
}

impl Maker {
    /// Makes a key in `<dir>/maker`.
    pub fn new(dir: &Path) -> Result<Maker, String> {
        let dir = dir.join("maker");
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        let key = dir.join("release.key");
        let said = run(&["--json", "release", "key", &text(&key)])?;
        let said: serde_json::Value = serde_json::from_str(&said).map_err(|e| e.to_string())?;
        let public = said["key"].as_str().ok_or("no key in the answer")?.to_owned();
        Ok(Maker { key, public, dir })
    }

    /// The real player as another version: the same program that calls itself so. `version` is as
    /// long as [`OWN`].
    pub fn build(&self, version: &str) -> Result<PathBuf, String> {
        assert_eq!(version.len(), OWN.len(), "nothing in the program may move");
        let path = self.dir.join(format!("vitrine-{version}"));
        let stripped = Command::new("strip").arg("-o").arg(&path).arg(binary("vitrine")).status();
        if !stripped.map_err(|error| format!("strip: {error}; it is in binutils"))?.success() {
            return Err("strip failed".into());
        }
        let mut program = fs::read(&path).map_err(|error| error.to_string())?;
        let mut at = 0;
        while let Some(found) = program[at..].windows(OWN.len()).position(|w| w == OWN.as_bytes()) {
            at += found;
            program[at..at + version.len()].copy_from_slice(version.as_bytes());
        }
        write(&path, &program)?;
        Ok(path)
    }

    /// A shell script as a build of `version`, which it says when it is asked; else it does `what`.
    pub fn script(&self, version: &str, what: &str) -> Result<PathBuf, String> {
        let path = self.dir.join(format!("script-{version}"));
        let says =
            format!("[ \"$1\" != version ] || {{ echo '{{\"version\":\"{version}\"}}'; exit; }}");
        write(&path, format!("#!/bin/sh\n{says}\n{what}\n").as_bytes())?;
        Ok(path)
    }

    /// Any file as a build.
    pub fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
        let path = self.dir.join(name);
        write(&path, bytes)?;
        Ok(path)
    }

    /// Publishes `program` as `version` for this machine.
    pub fn publish(&self, cloud: &Cloud, version: &str, program: &Path) -> Result<(), String> {
        let (key, arch) = (text(&self.key), std::env::consts::ARCH);
        self.release(cloud, &["add", version, &text(program), "--arch", arch, "--key", &key])
    }

    /// Runs `vitrine-cloud release ARGS`.
    pub fn release(&self, cloud: &Cloud, args: &[&str]) -> Result<(), String> {
        let data = text(cloud.data());
        let full = [&["--url", cloud.url(), "--data", &data, "release"], args].concat();
        run(&full).map(drop)
    }

    /// The key's file.
    pub fn key(&self) -> &Path {
        &self.key
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = fs::File::create(path).and_then(|mut file| file.write_all(bytes));
    let written = written.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn run(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(binary("vitrine-cloud"));
    command.args(args).env_remove("VITRINE_CLOUD_URL").env_remove("VITRINE_CLOUD_TOKEN");
    let said = command.output().map_err(|error| format!("vitrine-cloud: {error}"))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(format!("vitrine-cloud {}: {}", args.join(" "), String::from_utf8_lossy(&said.stderr)))
}

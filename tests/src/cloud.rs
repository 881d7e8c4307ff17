//! The reference cloud as a process, and its operator at the command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::patience::until;
use crate::process::{Process, binary};

/// A running cloud with its data in a folder.
pub struct Cloud {
    process: Process,
    url: String,
    data: PathBuf,
}

/// A tenant and its operator.
#[derive(Clone)]
pub struct Tenant {
    url: String,
    token: String,
    /// Its id.
    pub id: String,
}

impl Cloud {
    /// Starts a cloud on `listen` (port 0: any) with its data in `<dir>/cloud`.
    pub fn start(dir: &Path, listen: &str) -> Result<Cloud, String> {
        let data = dir.join("cloud");
        let mut command = Command::new(binary("vitrine-cloud"));
        command.arg("serve").arg("--data").arg(&data).args(["--listen", listen]);
        let process = Process::start(command, "cloud", dir).map_err(|e| format!("cloud: {e}"))?;
        let before = process.log().matches("http://").count();
        let url = until("the cloud says where it listens", || {
            let log = process.log();
            let line = log.match_indices("http://").nth(before).map(|(at, _)| &log[at..])?;
            let end = line.find(|c: char| c.is_whitespace() || c == '"')?;
            Some(line[..end].trim_end_matches('/').to_owned())
        });
        Ok(Cloud { process, url, data })
    }

    /// Base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Where its data lies.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Runs `vitrine-cloud ARGS` as whoever runs the cloud and returns what it printed.
    pub fn admin(&self, args: &[&str]) -> Result<String, String> {
        let data = self.data.to_string_lossy();
        run(&[&["--url", self.url.as_str(), "--data", &data], args].concat(), None)
    }

    /// Makes a tenant.
    pub fn tenant(&self, id: &str) -> Result<Tenant, String> {
        let made: serde_json::Value = parse(&self.admin(&["--json", "tenant", "create", id])?)?;
        let token = made["operator_token"].as_str().ok_or("no operator_token in the answer")?;
        Ok(Tenant { url: self.url.clone(), token: token.into(), id: id.into() })
    }
}

impl Tenant {
    /// Runs `vitrine-cloud ARGS` as this tenant's operator and returns what it printed.
    pub fn operator(&self, args: &[&str]) -> Result<String, String> {
        let full = [&["--url", self.url.as_str()], args].concat();
        run(&full, Some(&self.token))
    }

    /// Like [`Tenant::operator`] with `--json`, read.
    pub fn operator_json(&self, args: &[&str]) -> Result<serde_json::Value, String> {
        parse(&self.operator(&[&["--json"], args].concat())?)
    }

    /// Every record of `kind` that the cloud has from `device`, in the order of arrival.
    pub fn records(&self, device: &str, kind: &str) -> Result<Vec<serde_json::Value>, String> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let from = after.to_string();
            let page =
                self.operator_json(&["records", device, "--kind", kind, "--after", &from])?;
            let page = page.as_array().ok_or("records: not a list")?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last["seq"].as_u64().ok_or("records: no seq")?;
            all.extend(page.iter().map(|entry| entry["record"].clone()));
        }
    }

    /// Uploads `files`, makes a playlist of them in this order, schedules it always, publishes.
    pub fn play(&self, files: &[PathBuf], duration: &str) -> Result<(), String> {
        let mut set = vec!["playlist".to_owned(), "set".into(), "main".into()];
        for file in files {
            let path = file.to_string_lossy().into_owned();
            self.operator(&["asset", "add", &path])?;
            let video = matches!(file.extension().and_then(|e| e.to_str()), Some("mp4" | "webm"));
            let suffix = if video { String::new() } else { format!(",duration={duration}") };
            set.extend(["--item".into(), format!("{path}{suffix}")]);
        }
        self.operator(&set.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.operator(&["schedule", "set", "--entry", "main"])?;
        self.operator(&["publish"]).map(drop)
    }
}

fn run(args: &[&str], token: Option<&str>) -> Result<String, String> {
    let mut command = Command::new(binary("vitrine-cloud"));
    command.args(args).env_remove("VITRINE_CLOUD_URL").env_remove("VITRINE_CLOUD_TOKEN");
    if let Some(token) = token {
        command.env("VITRINE_CLOUD_TOKEN", token);
    }
    let said = command.output().map_err(|error| format!("vitrine-cloud: {error}"))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(format!("vitrine-cloud {}: {}", args.join(" "), String::from_utf8_lossy(&said.stderr)))
}

fn parse(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON ({error}): {text}"))
}

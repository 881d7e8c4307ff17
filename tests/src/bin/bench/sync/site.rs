//! The far side: a cloud for the words, nginx before it for the files.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vitrine_tests::cloud::{Cloud, Tenant};
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::Player;
use vitrine_tests::process::Process;
use vitrine_wire::Digest;

use crate::rig::Outcome;

/// Files at a time on one command line.
const UPLOADS: usize = 500;

/// Cloud, nginx and what is published there.
pub struct Site {
    /// Everything lies below it.
    pub dir: PathBuf,
    /// What the player is told.
    pub url: String,
    /// Its operator.
    pub tenant: Tenant,
    _cloud: Cloud,
    _nginx: Process,
}

/// A file to publish.
pub struct Offer {
    /// Its name in the store.
    pub digest: Digest,
}

impl Site {
    /// Starts both, with their data below `dir`.
    pub fn start(dir: &Path) -> Outcome<Site> {
        fs::create_dir_all(dir)?;
        let cloud = Cloud::start(dir, "127.0.0.1:0")?;
        let tenant = cloud.tenant("bench")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let files = cloud.data().join("tenants/bench/assets");
        let config = dir.join("nginx.conf");
        write!(File::create(&config)?, "{}", configuration(dir, port, &files, cloud.address()))?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&config).arg("-p").arg(dir).args(["-e", "stderr"]);
        let nginx = Process::start(command, "nginx", dir)?;
        let url = format!("http://127.0.0.1:{port}");
        let there = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        wait_for(Duration::from_secs(10), there).ok_or_else(|| nginx.log())?;
        Ok(Site { dir: dir.to_owned(), url, tenant, _cloud: cloud, _nginx: nginx })
    }

    /// Address of a published file.
    pub fn address(&self, digest: &Digest) -> String {
        format!("{}/api/v3/assets/{digest}", self.url)
    }

    /// Makes and uploads `count` files of `bytes` each that nobody can decode.
    pub fn offer(&self, name: &str, count: usize, bytes: usize) -> Outcome<Vec<Offer>> {
        self.offer_made(name, count, |n| noise(bytes, (n * 7_919 + bytes) as u64))
    }

    /// Makes and uploads `count` files; their own copies are gone afterwards.
    pub fn offer_made(
        &self,
        name: &str,
        count: usize,
        make: impl Fn(usize) -> Vec<u8>,
    ) -> Outcome<Vec<Offer>> {
        let mut offers = Vec::new();
        for some in (0..count).collect::<Vec<_>>().chunks(UPLOADS) {
            let mut words = vec!["asset".to_owned(), "add".into()];
            for n in some {
                let (path, bytes) = (self.dir.join(format!("{name}-{n}.png")), make(*n));
                File::create(&path)?.write_all(&bytes)?;
                offers.push(Offer { digest: Digest::of(&bytes) });
                words.push(path.to_string_lossy().into_owned());
            }
            self.tenant.operator(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
            words.iter().skip(2).try_for_each(fs::remove_file)?;
        }
        Ok(offers)
    }

    /// Publishes a playlist of them.
    pub fn publish(&self, offers: &[Offer], duration: &str) -> Outcome<()> {
        self.prepare(offers, duration)?;
        self.tenant.operator(&["publish"]).map(drop)?;
        Ok(())
    }

    /// Makes a playlist of them, which is published next.
    pub fn prepare(&self, offers: &[Offer], duration: &str) -> Outcome<()> {
        let mut words = vec!["playlist".to_owned(), "set".into(), "main".into()];
        for offer in offers {
            words.extend(["--item".into(), format!("{},duration={duration}", offer.digest)]);
        }
        self.tenant.operator(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.tenant.operator(&["schedule", "set", "--entry", "main"])?;
        Ok(())
    }

    /// A paired player of this site, in `<dir>/<name>`.
    pub fn player(&self, name: &str, screen: &str, settings: &str) -> Outcome<Player> {
        let dir = self.dir.join(name);
        Player::configure(&dir, &self.url, screen, settings)?;
        let player = Player::start(&dir, None)?;
        let code = player.user_code();
        self.tenant.operator(&["pairing", "approve", &code, "--name", name])?;
        player.until_status("it is online", |status| {
            status["connection"].as_str().is_some_and(|text| text == "online")
        });
        Ok(player)
    }
}

/// Bytes that count as a picture and cannot be compressed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut all = b"\x89PNG\r\n\x1a\n".to_vec();
    while all.len() < bytes {
        // Xorshift: any bits will do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend(state.to_le_bytes());
    }
    all.truncate(bytes);
    all
}

fn configuration(dir: &Path, port: u16, files: &Path, cloud: &str) -> String {
    let (dir, files) = (dir.display(), files.display());
    format!(
        "user root;\ndaemon off;\npid {dir}/nginx.pid;\nerror_log stderr;\nworker_processes 1;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n access_log off;\n sendfile on;\n tcp_nopush on;\n\
         client_body_temp_path {dir}/nginx-body;\n proxy_temp_path {dir}/nginx-proxy;\n\
         fastcgi_temp_path {dir}/nginx-f;\n uwsgi_temp_path {dir}/nginx-u;\n\
         scgi_temp_path {dir}/nginx-s;\n\
         server {{\n listen 127.0.0.1:{port};\n\
         location ~ \"^/api/v3/assets/(..)(.*)$\" {{ alias {files}/$1/$1$2; }}\n\
         location / {{\n proxy_pass http://{cloud};\n proxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade;\n proxy_set_header Connection $forwarded;\n\
         proxy_buffering off;\n proxy_read_timeout 1h;\n }}\n }}\n\
         map $http_upgrade $forwarded {{ default upgrade; '' close; }}\n}}\n"
    )
}

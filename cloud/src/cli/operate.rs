//! All commands but `serve`: one call each over the same API that any tool may use.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use vitrine_cloud::client::{Client, ClientError};
use vitrine_cloud::read_admin_token;
use vitrine_wire::Digest;
use vitrine_wire::manifest::{self, Asset as File};
use vitrine_wire::operator::{NewEnrollment, NewOrder, NewSettings};
use vitrine_wire::order;

use super::{
    Action, Asset, Command, Common, Device, Enrollment, Layout, Pairing, Playlist, Release,
    Schedule, Setting, Whose, entry, item, release, show,
};

/// What a command answers: a text for people, a value for machines.
pub(super) struct Answer {
    text: String,
    json: Value,
}

impl Answer {
    pub(super) fn new(text: impl Into<String>, value: &impl Serialize) -> Result<Self, String> {
        let json = serde_json::to_value(value).map_err(|e| e.to_string())?;
        Ok(Answer { text: text.into(), json })
    }

    fn done(text: impl Into<String>) -> Result<Self, String> {
        Ok(Answer { text: text.into(), json: json!({ "done": true }) })
    }
}

/// Does one command and prints the answer.
pub async fn run(command: Command, common: Common) -> Result<(), String> {
    let answer = match command {
        // The key never goes near a cloud.
        Command::Release(Release::Key { file }) => release::make_key(&file)?,
        command => {
            let client = client(&command, &common)?;
            answer(command, &client).await?
        }
    };
    let text = if common.json { show::json(&answer.json) } else { answer.text };
    let mut out = std::io::stdout().lock();
    match text.as_str() {
        "" => Ok(()),
        text => writeln!(out, "{text}").map_err(|e| format!("standard output: {e}")),
    }
}

fn client(command: &Command, common: &Common) -> Result<Client, String> {
    let admin = matches!(command, Command::Tenant(_) | Command::Release(_));
    let token = match (&common.token, &common.data) {
        (_, Some(data)) if admin => read_admin_token(data).map_err(|e| e.to_string())?,
        (Some(token), _) => token.clone(),
        _ if admin => {
            return Err("want the admin token: --data DIR of the server, or --token".into());
        }
        _ => {
            return Err("want an operator token: --token or VITRINE_CLOUD_TOKEN; \
                        `vitrine-cloud tenant create NAME` makes one"
                .into());
        }
    };
    Client::new(&common.url, token).map_err(told)
}

async fn answer(command: Command, client: &Client) -> Result<Answer, String> {
    match command {
        Command::Serve(_) => Err("serve is not for a client".into()),
        Command::Tenant(command) => tenant(command, client).await,
        Command::Release(command) => release::release(command, client).await,
        Command::Pairing(command) => pairing(command, client).await,
        Command::Enrollment(command) => enrollment(command, client).await,
        Command::Asset(command) => asset(command, client).await,
        Command::Playlist(command) => playlist(command, client).await,
        Command::Layout(command) => layout(command, client).await,
        Command::Schedule(command) => schedule(command, client).await,
        Command::Device(command) => device(command, client).await,
        Command::Setting(command) => setting(command, client).await,
        Command::Content => {
            let content = client.content().await.map_err(told)?;
            let text = serde_json::to_value(&content).map_err(|e| e.to_string())?;
            Answer::new(show::json(&text), &content)
        }
        Command::Publish => {
            let published = client.publish().await.map_err(told)?;
            let newest = published.versions.values().max().copied().unwrap_or(0);
            let text = match published.versions.len() {
                0 => "published; no screen is paired yet".into(),
                n => format!("published to {n} screens, newest manifest is version {newest}"),
            };
            Answer::new(text, &published)
        }
        Command::Order { device, action, expires_in_s } => {
            let action = match action {
                Action::Screenshot => order::Action::Screenshot,
                Action::Identify => order::Action::Identify,
                Action::Rollback => order::Action::Rollback,
                Action::Update => order::Action::Update,
            };
            let device = device_id(&device, client).await?;
            let new = NewOrder { action, expires_in_s };
            let made = client.order(&device, &new).await.map_err(told)?;
            Answer::new(format!("order {}", made.order), &made)
        }
        Command::Screenshot { device, output } => screenshot(&device, &output, client).await,
        Command::Records { device, kind, after } => {
            let device = device_id(&device, client).await?;
            records(&device, kind.as_deref(), after, client).await
        }
    }
}

async fn tenant(command: super::Tenant, client: &Client) -> Result<Answer, String> {
    let made = match command {
        super::Tenant::Create { name } => client.create_tenant(&name).await,
        super::Tenant::Token { name } => client.renew_token(&name).await,
        super::Tenant::Quota { name, mb } => {
            let room = client.set_quota(&name, megabytes(&mb)?).await.map_err(told)?;
            return Answer::new(show::room(&room), &room);
        }
        super::Tenant::RotateKey { name } => {
            let replaced = client.replace_key(&name).await.map_err(told)?;
            let text = match replaced.behind.as_slice() {
                [] => format!("key {} signs from now on; no screen is paired yet", replaced.key),
                all => {
                    format!("key {} signs from now on; {} screens follow", replaced.key, all.len())
                }
            };
            return Answer::new(text, &replaced);
        }
    };
    let made = made.map_err(told)?;
    let (tenant, token) = (&made.tenant, &made.operator_token);
    let text = format!("tenant {tenant}\noperator token {token}\n(shown this once: keep it)");
    Answer::new(text, &made)
}

/// A number of megabytes in bytes; None: `none`.
fn megabytes(text: &str) -> Result<Option<u64>, String> {
    if text == "none" {
        return Ok(None);
    }
    let bytes = text.parse().ok().and_then(|mb: u64| mb.checked_mul(1_000_000));
    bytes.map(Some).ok_or_else(|| format!("quota is {text:?}, want a number of megabytes or none"))
}

async fn pairing(command: Pairing, client: &Client) -> Result<Answer, String> {
    match command {
        Pairing::Approve { code, name } => {
            let device = client.approve(&code, &name).await.map_err(told)?;
            let (id, name, print) = (&device.device, &device.name, &device.fingerprint);
            let text = format!("approved {name}: device {id}, key fingerprint {print}");
            Answer::new(text, &device)
        }
        Pairing::Deny { code } => {
            client.deny(&code).await.map_err(told)?;
            Answer::done("refused")
        }
    }
}

async fn enrollment(command: Enrollment, client: &Client) -> Result<Answer, String> {
    match command {
        Enrollment::Create { uses, expires_in_days } => {
            let expires_in_s = u64::from(expires_in_days) * 24 * 3_600;
            let made = client.enroll(&NewEnrollment { uses, expires_in_s }).await.map_err(told)?;
            Answer::new(show::card(&made, uses), &made)
        }
        Enrollment::List => {
            let all = client.enrollments().await.map_err(told)?;
            Answer::new(show::enrollments(&all), &all)
        }
        Enrollment::End { enrollment } => {
            client.end_enrollment(&enrollment).await.map_err(told)?;
            Answer::done("ended")
        }
    }
}

async fn asset(command: Asset, client: &Client) -> Result<Answer, String> {
    let assets = match command {
        Asset::List => client.assets().await.map_err(told)?,
        Asset::Quota => {
            let room = client.room().await.map_err(told)?;
            return Answer::new(show::room(&room), &room);
        }
        Asset::Remove { digests } => {
            for digest in &digests {
                client.remove_asset(digest).await.map_err(told)?;
            }
            return Answer::done("removed");
        }
        Asset::Add { files } => {
            let mut made = Vec::new();
            for file in files {
                made.push(upload(&file, client).await?);
            }
            made
        }
    };
    Answer::new(show::assets(&assets), &assets)
}

async fn upload(path: &Path, client: &Client) -> Result<File, String> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    client.upload(path, &name).await.map_err(told)
}

async fn playlist(command: Playlist, client: &Client) -> Result<Answer, String> {
    match command {
        Playlist::Put { file } => {
            let document = document(&file)?;
            client.put(&["playlists", &id_of(&document)?], &document).await.map_err(told)?;
        }
        Playlist::Remove { id } => client.remove_playlist(&id).await.map_err(told)?,
        Playlist::Set { id, items, name, transition } => {
            let wrong = |text| format!("transition is {text:?}, want {}", item::TRANSITION);
            let read = |text: String| item::transition(&text).ok_or_else(|| wrong(text));
            let transition = transition.map(read).transpose()?;
            let items = self::items(&items, client).await?;
            let name = name.unwrap_or_else(|| id.clone());
            let playlist = manifest::Playlist { id, name, transition, items };
            client.put_playlist(&playlist).await.map_err(told)?;
            return Answer::new(format!("playlist {}", playlist.id), &playlist);
        }
    }
    Answer::done("done; `publish` sends it to the screens")
}

/// Reads all items first, so that nothing is uploaded for a line that is wrong.
async fn items(texts: &[String], client: &Client) -> Result<Vec<manifest::Item>, String> {
    let specs: Vec<_> = texts.iter().map(|text| item::read(text)).collect::<Result<_, _>>()?;
    let mut known = client.assets().await.map_err(told)?;
    let (mut items, mut taken) = (Vec::new(), BTreeSet::new());
    for spec in specs {
        let asset = there(&spec.source, &mut known, client).await?;
        let font = match &spec.font {
            Some(font) => there(font, &mut known, client).await?.map(|font| font.sha256),
            None => None,
        };
        items.push(spec.item(asset.as_ref(), font, &mut taken));
    }
    Ok(items)
}

/// The file of `source` as the cloud has it, uploaded if need be; None if it has no file.
async fn there(
    source: &item::Source,
    known: &mut Vec<File>,
    client: &Client,
) -> Result<Option<File>, String> {
    let (digest, path) = match source {
        item::Source::Colour(_) | item::Source::Words(_) => return Ok(None),
        item::Source::Asset(digest) => (*digest, None),
        item::Source::File(path) => (digest_of(Path::new(path))?, Some(Path::new(path))),
    };
    if let Some(asset) = known.iter().find(|asset| asset.sha256 == digest) {
        return Ok(Some(asset.clone()));
    }
    let path = path.ok_or_else(|| format!("no asset {digest}: upload it first"))?;
    let new = upload(path, client).await?;
    known.push(new.clone());
    Ok(Some(new))
}

async fn layout(command: Layout, client: &Client) -> Result<Answer, String> {
    match command {
        Layout::Remove { id } => client.remove_layout(&id).await.map_err(told)?,
        Layout::Put { file, background_image, letterbox_image } => {
            let mut document = document(&file)?;
            for (key, image) in
                [("background_image", background_image), ("letterbox_image", letterbox_image)]
            {
                let Some(image) = image else { continue };
                let mut known = client.assets().await.map_err(told)?;
                let asset = there(&item::file(&image), &mut known, client).await?;
                document[key] = json!(asset.map(|asset| asset.sha256));
            }
            client.put(&["layouts", &id_of(&document)?], &document).await.map_err(told)?;
        }
    }
    Answer::done("done; `publish` sends it to the screens")
}

async fn schedule(command: Schedule, client: &Client) -> Result<Answer, String> {
    match command {
        Schedule::Put { file } => {
            client.put(&["schedule"], &document(&file)?).await.map_err(told)?;
        }
        Schedule::Set { entries } => {
            let numbered = (1..).zip(&entries).map(|(n, text)| entry::read(text, n));
            let entries: Vec<_> = numbered.collect::<Result<_, _>>()?;
            client.put_schedule(&entries).await.map_err(told)?;
        }
    }
    Answer::done("done; `publish` sends it to the screens")
}

async fn device(command: Device, client: &Client) -> Result<Answer, String> {
    match command {
        Device::List => {
            let devices = client.devices().await.map_err(told)?;
            Answer::new(show::devices(&devices), &devices)
        }
        Device::Remove { device } => {
            let device = device_id(&device, client).await?;
            client.remove_device(&device).await.map_err(told)?;
            Answer::done("removed")
        }
    }
}

async fn setting(command: Setting, client: &Client) -> Result<Answer, String> {
    let (settings, Whose { device, by }) = match command {
        Setting::List { device } => {
            let device = device_or_all(device, client).await?;
            let settings = client.settings(device.as_deref()).await.map_err(told)?;
            return Answer::new(show::settings(&settings), &settings);
        }
        Setting::Set { settings, whose } => {
            let read = |text: &String| {
                let (key, value) = text.split_once('=').ok_or(format!("{text}: want KEY=VALUE"))?;
                Ok((key.to_owned(), Some(value.to_owned())))
            };
            (settings.iter().map(read).collect::<Result<_, String>>()?, whose)
        }
        Setting::Unset { keys, whose } => {
            (keys.into_iter().map(|key| (key, None)).collect(), whose)
        }
    };
    let device = device_or_all(device, client).await?;
    client.set(&NewSettings { device, settings, by }).await.map_err(told)?;
    Answer::done("done; sent to the screens")
}

async fn device_or_all(given: Option<String>, client: &Client) -> Result<Option<String>, String> {
    match given {
        Some(given) => device_id(&given, client).await.map(Some),
        None => Ok(None),
    }
}

async fn screenshot(device: &str, output: &Path, client: &Client) -> Result<Answer, String> {
    let device = device_id(device, client).await?;
    let picture = client.screenshot(&device).await.map_err(told)?;
    let failed = |e| format!("{}: {e}", output.display());
    if output == Path::new("-") {
        std::io::stdout().write_all(&picture).map_err(failed)?;
        return Ok(Answer { text: String::new(), json: json!({ "bytes": picture.len() }) });
    }
    let mut file = std::fs::File::create(output).map_err(failed)?;
    file.write_all(&picture).map_err(failed)?;
    Answer::done(format!("{} bytes in {}", picture.len(), output.display()))
}

/// All pages of records.
async fn records(
    device: &str,
    kind: Option<&str>,
    after: u64,
    client: &Client,
) -> Result<Answer, String> {
    let mut all = Vec::new();
    let mut after = Some(after);
    while let Some(from) = after {
        let page = client.records(device, kind, from).await.map_err(told)?;
        all.extend(page.records);
        after = page.next;
    }
    Answer::new(show::records(&all), &all)
}

/// A device by id, or by a name that only one has. One that is gone may still have left records.
async fn device_id(given: &str, client: &Client) -> Result<String, String> {
    let devices = client.devices().await.map_err(told)?;
    if devices.iter().any(|device| device.device == given) {
        return Ok(given.into());
    }
    let mut named = devices.iter().filter(|device| device.name == given);
    match (named.next(), named.next()) {
        (Some(_), Some(_)) => Err(format!("several screens are called {given:?}: use the id")),
        (Some(device), None) => Ok(device.device.clone()),
        (None, _) => Ok(given.into()),
    }
}

fn digest_of(path: &Path) -> Result<Digest, String> {
    let failed = |e| format!("{}: {e}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    Digest::of_all(file).map_err(failed)
}

fn document(path: &Path) -> Result<Value, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(path).map_err(failed)?;
    }
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn id_of(document: &Value) -> Result<String, String> {
    let id = document.get("id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| "want an object with a text \"id\"".into())
}

pub(super) fn told(error: ClientError) -> String {
    error.to_string()
}

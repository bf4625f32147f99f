//! [`Adx`]: node logs as rows of Azure Data Explorer, by streaming ingestion.
//!
//! One row per record; what is sent are the lines of the logs as they are, and the ingestion
//! mapping in `schemas/adx/` takes them apart. A table has no conditional put and streaming knows
//! no `ingestIfNotExists`, so each batch arrives at least once: a ledger of this workspace says
//! what was acknowledged, and the view in `schemas/adx/` leaves out what came twice.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::cloud::told;
use super::inventory::{Inventory, Log};
use super::report::Rows;
use super::target::aside;
use super::token::{Token, Variable, is_loopback};
use super::transfer::Options;
use super::{Destination, Error, Observer, Outcome, Report, Trouble};
use crate::store::{self, Layout, RunLock, open_regular, read_regular};
use crate::value::{Digest, Hasher};

/// The most that Azure Data Explorer takes in one streaming request, with some room.
const MOST: u64 = 4_000_000;
const ATTEMPTS: u32 = 6;
/// The mapping of `schemas/adx/`.
const MAPPING: &str = "FlowctlEvidence";

/// A table of Azure Data Explorer.
#[derive(Debug)]
pub struct Adx {
    client: reqwest::Client,
    /// With the scheme, without a slash.
    cluster: String,
    host: String,
    database: String,
    table: String,
    variable: Variable,
}

/// What of each log was acknowledged. Derived: without it everything is sent again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ledger {
    v: u32,
    destination: String,
    logs: BTreeMap<String, Sent>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sent {
    records: u64,
    bytes: u64,
    /// Of everything up to there.
    sha256: Option<Digest>,
}

/// Why a log is not sent to its end.
enum Halt {
    Trouble(Trouble),
    Stopped,
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Adx {
    /// The table that a destination names; nothing is sent yet.
    ///
    /// # Errors
    /// When it names none.
    pub fn open(destination: &Destination, variable: Variable) -> Result<Self, Error> {
        let Destination::Adx {
            host,
            database,
            table,
        } = destination
        else {
            return Err(Error::Destination {
                message: format!("`{destination}` takes no rows"),
                help: "write `adx://HOST/DATABASE/TABLE`".to_owned(),
            });
        };
        // Only this machine may be spoken to in the clear: in tests.
        let name = host.split(':').next().unwrap_or_default();
        let scheme = if is_loopback(name) { "http" } else { "https" };
        super::cloud::choose_tls();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(15))
            .timeout(Duration::from_mins(10))
            .build()
            .map_err(|error| Error::Remote {
                action: "open",
                place: destination.to_string(),
                message: told(&error),
                help: None,
            })?;
        Ok(Self {
            client,
            cluster: format!("{scheme}://{host}"),
            host: host.clone(),
            database: database.clone(),
            table: table.clone(),
            variable,
        })
    }

    /// Sends what was not acknowledged yet.
    ///
    /// # Errors
    /// When there is no evidence, it cannot be read, or there is no token.
    pub async fn export(
        &self,
        layout: &Layout,
        options: Options,
        stop: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> Result<Report, Error> {
        let path = self.ledger_path(layout);
        let lock = path.with_extension("lock");
        let _lock = aside(move || {
            let waiting = || tracing::warn!("waiting for another export to the same table");
            Ok(RunLock::wait(&lock, waiting)?)
        })
        .await?;
        let mut ledger = self.read_ledger(&path)?;
        let stock = layout.clone();
        let inventory = aside(move || {
            Inventory::take(&stock, || {
                tracing::warn!("waiting for another process that writes or exports evidence");
            })
        })
        .await?;
        let mut report = Report::default();
        let mut rows = Rows::default();
        let logs: Vec<&Log> = inventory
            .logs
            .iter()
            .filter(|log| log.name.starts_with("runs/"))
            .collect();
        observer.begin(logs.len() as u64);
        let mut token = None;
        for log in logs {
            if *stop.borrow() {
                report.interrupted = true;
                break;
            }
            let name = format!("{}.jsonl", log.name);
            let before = ledger.logs.get(&log.name).copied().unwrap_or_default();
            let total = log.ends.len() as u64;
            let result = match before.check(log) {
                Err(trouble) => Err(Halt::Trouble(trouble)),
                Ok(()) if options.dry_run => {
                    rows.sent += total - before.records;
                    Ok(())
                }
                Ok(()) => {
                    if token.is_none() && before.records < total {
                        token = Some(Token::get(&self.cluster, self.variable).await?);
                    }
                    self.log(log, &path, &mut ledger, &mut token, &mut rows, &stop)
                        .await
                }
            };
            rows.there += before.records;
            let end = log.ends.last().copied().unwrap_or_default();
            let outcome = match result {
                Ok(()) if end == before.bytes => {
                    report.there.insert(name.clone());
                    Outcome::There
                }
                Ok(()) => {
                    report.exported.insert(name.clone(), end - before.bytes);
                    Outcome::Exported
                }
                Err(Halt::Stopped) => {
                    report.interrupted = true;
                    break;
                }
                Err(Halt::Trouble(trouble)) => {
                    report.troubles.insert(name.clone(), trouble);
                    Outcome::Trouble
                }
            };
            observer.done(&name, outcome);
        }
        report.rows = Some(rows);
        Ok(report)
    }

    /// Sends the rest of a log, batch by batch; each is in the ledger once it is acknowledged.
    async fn log(
        &self,
        log: &Log,
        path: &Path,
        ledger: &mut Ledger,
        token: &mut Option<Token>,
        rows: &mut Rows,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Halt> {
        let failed = |message: String| Halt::Trouble(Trouble::Failed(message));
        let mut at = ledger.logs.get(&log.name).copied().unwrap_or_default();
        let mut hasher = digest_to(log, at.bytes).map_err(|error| failed(error.to_string()))?;
        while at.records < log.ends.len() as u64 {
            if *stop.borrow() {
                return Err(Halt::Stopped);
            }
            let begin = usize::try_from(at.records).unwrap_or(usize::MAX);
            let fitting = log.ends[begin..].partition_point(|end| end - at.bytes <= MOST);
            if fitting == 0 {
                let bytes = log.ends[begin] - at.bytes;
                return Err(failed(format!(
                    "record {} has {bytes} bytes, and streaming ingestion takes {MOST}; export it to a bucket",
                    begin + 1
                )));
            }
            let end = log.ends[begin + fitting - 1];
            let lines = read(log, at.bytes, end).map_err(|error| failed(error.to_string()))?;
            self.send(&lines, token).await.map_err(failed)?;
            at.records += fitting as u64;
            at.bytes = end;
            hasher = hasher.and(&lines);
            at.sha256 = Some(hasher.clone().end());
            rows.sent += fitting as u64;
            ledger.logs.insert(log.name.clone(), at);
            let mut text = serde_json::to_vec_pretty(ledger).expect("plain data becomes JSON");
            text.push(b'\n');
            store::replace(path, &text).map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Sends lines as the official client does.
    async fn send(&self, lines: &[u8], token: &mut Option<Token>) -> Result<(), String> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let body = encoder
            .write_all(lines)
            .and_then(|()| encoder.finish())
            .map_err(|error| error.to_string())?;
        let body = bytes::Bytes::from(body);
        let url = format!(
            "{}/v1/rest/ingest/{}/{}?streamFormat=multijson&mappingName={MAPPING}",
            self.cluster, self.database, self.table
        );
        let mut pause = Duration::from_millis(500);
        let mut renewed = false;
        for attempt in 1..=ATTEMPTS {
            let bearer = if let Some(bearer) = &token {
                bearer.header()
            } else {
                let bearer = Token::get(&self.cluster, self.variable).await;
                let bearer = bearer.map_err(|error| error.to_string())?;
                token.insert(bearer).header()
            };
            let request = self
                .client
                .post(&url)
                .header("Authorization", bearer)
                .header("Accept", "application/json")
                .header("Content-Encoding", "gzip")
                .header("x-ms-version", "2024-12-12")
                .header(
                    "x-ms-client-request-id",
                    format!("flowctl.executeStreamingIngest;{}", uuid::Uuid::now_v7()),
                )
                .header(
                    "x-ms-client-version",
                    concat!("flowctl:", env!("CARGO_PKG_VERSION")),
                )
                .header("x-ms-app", "flowctl")
                .body(body.clone());
            let (message, again) = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => {
                    let status = response.status();
                    if status == StatusCode::UNAUTHORIZED && !renewed {
                        // A token lives for about an hour; an export may take longer.
                        renewed = true;
                        *token = None;
                        continue;
                    }
                    if let Some(wait) = asked_to_wait(&response) {
                        pause = pause.max(wait);
                    }
                    let body = response.bytes().await.unwrap_or_default();
                    refusal(status, &body)
                }
                Err(error) => (told(&error.without_url()), true),
            };
            if !again || attempt == ATTEMPTS {
                return Err(message);
            }
            tracing::debug!(attempt, message, "trying to send again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(30));
        }
        Err("the token was refused".to_owned())
    }

    fn ledger_path(&self, layout: &Layout) -> PathBuf {
        let name = format!("adx-{}-{}-{}.json", self.host, self.database, self.table);
        layout
            .workspace()
            .join("artifacts")
            .join("exports")
            .join(name.replace(':', "-"))
    }

    fn read_ledger(&self, path: &Path) -> Result<Ledger, Error> {
        let destination = format!("adx://{}/{}/{}", self.host, self.database, self.table);
        let text = match read_regular(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Ledger {
                    v: 1,
                    destination,
                    logs: BTreeMap::new(),
                });
            }
            Err(error) => return Err(store::Error::io("read", path)(error).into()),
        };
        let ledger: Option<Ledger> = serde_json::from_slice(&text).ok();
        ledger
            .filter(|ledger| ledger.v == 1 && ledger.destination == destination)
            .ok_or_else(|| Error::Destination {
                message: format!("`{}` is no list of what was sent to {destination}", path.display()),
                help: "move it away; everything is then sent again, and the view in schemas/adx leaves out what came twice".to_owned(),
            })
    }
}

impl Sent {
    /// Whether the log still begins with what was sent.
    fn check(self, log: &Log) -> Result<(), Trouble> {
        if self.records == 0 {
            return Ok(());
        }
        let index = usize::try_from(self.records - 1).unwrap_or(usize::MAX);
        let same = log.ends.get(index) == Some(&self.bytes)
            && digest_to(log, self.bytes).is_ok_and(|hasher| Some(hasher.end()) == self.sha256);
        if same {
            return Ok(());
        }
        Err(Trouble::Conflict(format!(
            "its first {} records are not those that were sent",
            self.records
        )))
    }
}

fn read(log: &Log, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
    let mut file = open_regular(&log.path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != to - from {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A digest of the beginning of a log, to go on with.
fn digest_to(log: &Log, end: u64) -> std::io::Result<Hasher> {
    let mut part = open_regular(&log.path)?.take(end);
    Ok(Digest::begin().and_all(&mut part)?.0)
}

/// How long the service asks to be left alone; a minute at most.
fn asked_to_wait(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse::<u64>().ok()?.min(60)))
}

/// What a refusal says, and whether it may be different the next time.
fn refusal(status: StatusCode, body: &[u8]) -> (String, bool) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = body["error"]["@message"]
        .as_str()
        .or(body["error"]["message"].as_str())
        .unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(400).collect();
    let passing = matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
    let permanent = body["error"]["@permanent"].as_bool() == Some(true);
    let hint = match status.as_u16() {
        400 | 404 => {
            "; are the table, its mapping and its streaming policy there (schemas/adx/evidence.kql)?"
        }
        401 | 403 => "; the identity needs the role of an ingestor on the database",
        _ => "",
    };
    let colon = if said.is_empty() { "" } else { ": " };
    (
        format!("the answer is {status}{colon}{said}{hint}"),
        passing && !permanent,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_refusal_is_tried_again() {
        for (status, body, again) in [
            (503, "", true),
            (429, "{}", true),
            (
                500,
                r#"{"error":{"@permanent":true,"@message":"no"}}"#,
                false,
            ),
            (400, r#"{"error":{"@message":"bad\u0007 row"}}"#, false),
            (403, "<html>", false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let (message, may) = refusal(status, body.as_bytes());
            assert_eq!(may, again, "{message}");
            assert!(!message.contains('\u{7}'));
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        let open = |text: &str| {
            let destination = Destination::parse(text).expect("a destination");
            Adx::open(&destination, |_| None).expect("it opens").cluster
        };
        assert_eq!(open("adx://127.0.0.1:9/a"), "http://127.0.0.1:9");
        assert_eq!(
            open("adx://c.kusto.windows.net/a"),
            "https://c.kusto.windows.net"
        );
        assert_eq!(
            open("adx://127.0.0.1.example.org/a"),
            "https://127.0.0.1.example.org"
        );
    }
}

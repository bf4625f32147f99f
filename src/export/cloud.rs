//! [`Cloud`]: buckets and containers, through the `object_store` crate.
//!
//! Every object is put with a condition that the store itself checks (`If-None-Match: *`, on Google
//! Cloud `ifGenerationMatch=0`), so that nothing is overwritten, whoever else exports. Credentials
//! come from where the crate finds them: the environment and the cloud's own chain.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::TryStreamExt as _;
use md5::Digest as _;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, GetOptions, ObjectStore,
    ObjectStoreExt as _, PutMode, PutOptions, PutPayload, RetryConfig,
};
use reqwest::header::HeaderValue;
use tokio::sync::Semaphore;

use super::inventory::Object;
use super::target::{Created, aside};
use super::{Destination, Error};
use crate::store;
use crate::value::Digest;

/// The largest object. What is put on a condition is put in one request, from memory.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How much of it all is in memory at the same time.
const MEMORY: u64 = MOST_BYTES;
const MIB: u64 = 1024 * 1024;
/// The metadata that holds an object's digest.
const SHA256: &str = "sha256";
/// How often a put is tried again when its answer was lost.
const ATTEMPTS: u32 = 4;

/// A bucket or container.
pub(super) struct Cloud {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    shown: String,
    help: &'static str,
    memory: Semaphore,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never what is inside of the store: credentials.
        formatter
            .debug_struct("Cloud")
            .field("at", &self.shown)
            .finish_non_exhaustive()
    }
}

/// A store, where in it things go, and what to do when it does not open.
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    help: &'static str,
}

impl Bucket {
    /// Opens a bucket or container.
    pub(crate) fn open(destination: &Destination) -> Result<Self, Error> {
        choose_tls();
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(10),
                base: 2.0,
            },
            max_retries: 6,
            retry_timeout: Duration::from_mins(2),
        };
        let (store, place, help): (object_store::Result<Arc<dyn ObjectStore>>, _, _) =
            match destination {
                Destination::S3(place) => {
                    let builder = AmazonS3Builder::from_env()
                        .with_bucket_name(&place.bucket)
                        // The store checks what it got.
                        .with_checksum_algorithm(Checksum::SHA256)
                        .with_http_connector(WithMd5Connector)
                        .with_retry(retry);
                    let builder = with_timeout(builder, AmazonS3Builder::with_config);
                    (
                        builder.build().map(|store| Arc::new(store) as _),
                        place,
                        "set AWS_REGION, and AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY; or run where a role is given to the machine; for a profile: eval \"$(aws configure export-credentials --format env)\"",
                    )
                }
                Destination::Azure(place) => {
                    let builder = MicrosoftAzureBuilder::from_env()
                        .with_container_name(&place.bucket)
                        .with_retry(retry);
                    let builder = with_timeout(builder, MicrosoftAzureBuilder::with_config);
                    (
                        builder.build().map(|store| Arc::new(store) as _),
                        place,
                        "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID; or AZURE_USE_AZURE_CLI=true; or run where a managed identity is given to the machine",
                    )
                }
                Destination::Google(place) => {
                    let builder = GoogleCloudStorageBuilder::from_env()
                        .with_bucket_name(&place.bucket)
                        .with_retry(retry);
                    let builder = with_timeout(builder, GoogleCloudStorageBuilder::with_config);
                    (
                        builder.build().map(|store| Arc::new(store) as _),
                        place,
                        "set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials; or `gcloud auth application-default login`; or run where a service account is given to the machine",
                    )
                }
                Destination::Folder(_) | Destination::Adx { .. } => {
                    return Err(Error::Destination {
                        message: format!("`{destination}` takes no objects"),
                        help: "give a bucket or a container".to_owned(),
                    });
                }
            };
        let shown = destination.to_string();
        let store = store.map_err(|error| Error::Remote {
            action: "open",
            place: shown.clone(),
            message: told(&error),
            help: Some(help.to_owned()),
        })?;
        let prefix = Path::parse(&place.prefix).map_err(|error| Error::Destination {
            message: error.to_string(),
            help: "give another prefix".to_owned(),
        })?;
        Ok(Self {
            store,
            prefix,
            help,
        })
    }
}

impl Cloud {
    pub(super) fn open(destination: &Destination) -> Result<Self, Error> {
        let Bucket {
            store,
            prefix,
            help,
        } = Bucket::open(destination)?;
        Ok(Self {
            store,
            prefix,
            shown: destination.to_string(),
            help,
            memory: Semaphore::new(usize::try_from(MEMORY / MIB).unwrap_or(usize::MAX)),
        })
    }

    pub(super) async fn list(&self) -> Result<BTreeMap<String, u64>, Error> {
        let prefix = (!self.prefix.is_root()).then_some(&self.prefix);
        let begin = self.prefix.as_ref().len() + usize::from(prefix.is_some());
        let objects: Result<BTreeMap<String, u64>, _> = self
            .store
            .list(prefix)
            .map_ok(|meta| {
                let key = meta.location.as_ref().get(begin..).unwrap_or_default();
                (key.to_owned(), meta.size)
            })
            .try_collect()
            .await;
        objects.map_err(|error| self.error("list", &error))
    }

    pub(super) async fn digest(&self, key: &str, read_back: bool) -> Result<Option<Digest>, Error> {
        let path = self.path(key)?;
        let failed = |error| self.error("read from", &error);
        if !read_back {
            let options = GetOptions {
                head: true,
                ..GetOptions::default()
            };
            match self.store.get_opts(&path, options).await {
                Ok(found) => {
                    let stated = found.attributes.get(&Attribute::Metadata(SHA256.into()));
                    if let Some(digest) = stated.and_then(|stated| Digest::parse(stated)) {
                        return Ok(Some(digest));
                    }
                }
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
        let found = match self.store.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // Chunk by chunk, so that the size does not matter.
        let digest = found
            .into_stream()
            .try_fold(Digest::begin(), |hasher, chunk| async move {
                Ok(hasher.and(&chunk))
            })
            .await
            .map_err(failed)?;
        Ok(Some(digest.end()))
    }

    pub(super) async fn create(&self, key: &str, object: &Object) -> Result<Created, Error> {
        if object.bytes > MOST_BYTES {
            return Err(Error::Remote {
                action: "put",
                place: format!("`{key}`"),
                message: format!(
                    "it has {} bytes, and what is written once is put in one request of at most {MOST_BYTES} bytes",
                    object.bytes
                ),
                help: None,
            });
        }
        let path = self.path(key)?;
        let share = u32::try_from(object.bytes / MIB + 1).unwrap_or(u32::MAX);
        let share = share.min(u32::try_from(MEMORY / MIB).unwrap_or(u32::MAX));
        let _memory = self.memory.acquire_many(share).await;
        let source = object.source.clone();
        let read = aside(move || {
            let mut bytes = Vec::new();
            let read = source
                .open()
                .and_then(|mut reader| reader.read_to_end(&mut bytes));
            let failed = store::Error::io("read", std::path::Path::new("the evidence"));
            read.map_err(failed)?;
            Ok(bytes)
        });
        let bytes = bytes::Bytes::from(read.await?);
        if Digest::of(&bytes) != object.digest {
            return Ok(Created::Moved);
        }
        let kind = match key.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json") => "application/json",
            Some("jsonl") => "application/x-ndjson",
            Some("md") => "text/markdown; charset=utf-8",
            Some("sha256") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        };
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, kind.to_owned()),
            (Attribute::Metadata(SHA256.into()), object.digest.hex()),
        ]);
        let digest = base64::prelude::BASE64_STANDARD.encode(md5::Md5::digest(&bytes));
        let digest = Md5(digest.parse().expect("base64 fits into a header"));
        let mut pause = Duration::from_millis(200);
        let mut attempt = 1;
        loop {
            let mut options = PutOptions {
                mode: PutMode::Create,
                attributes: attributes.clone(),
                ..PutOptions::default()
            };
            options.extensions.insert(digest.clone());
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.store.put_opts(&path, payload, options).await {
                Ok(_) => return Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(Created::Exists),
                // A put whose answer is lost may be done again: if it was done, it exists.
                Err(error) if attempt < ATTEMPTS && is_lost(&error) => {
                    tracing::debug!(key, attempt, "trying to put again");
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                    attempt += 1;
                }
                Err(error) => return Err(self.error("put it into", &error)),
            }
        }
    }

    fn path(&self, key: &str) -> Result<Path, Error> {
        let whole = if self.prefix.is_root() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.prefix)
        };
        Path::parse(&whole).map_err(|error| Error::Remote {
            action: "name",
            place: format!("`{key}`"),
            message: error.to_string(),
            help: None,
        })
    }

    fn error(&self, action: &'static str, error: &object_store::Error) -> Error {
        let place = self.shown.clone();
        let message = told(error);
        let missing = ["NoSuchBucket", "ContainerNotFound", "404"];
        let help = if missing.iter().any(|code| message.contains(code)) {
            "make the bucket or container first; flowctl makes none".to_owned()
        } else {
            format!("for credentials: {}", self.help)
        };
        Error::Remote {
            action,
            place,
            message,
            help: Some(help),
        }
    }
}

/// A request of 256 MiB may take long.
fn with_timeout<B, K: std::str::FromStr>(builder: B, set: fn(B, K, &'static str) -> B) -> B {
    match "timeout".parse() {
        Ok(key) => set(builder, key, "600s"),
        Err(_) => builder,
    }
}

/// `ring` does the cryptography, for every client of the program.
pub(crate) fn choose_tls() {
    // A second time it is chosen already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}

/// Whether the request may or may not have arrived.
fn is_lost(error: &object_store::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<HttpError>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// Buckets with Object Lock ask for a digest in the request; some know no other than this one.
#[derive(Debug)]
struct WithMd5Connector;

#[derive(Debug)]
struct WithMd5(HttpClient);

/// The digest that a put carries with it.
#[derive(Clone, Debug)]
struct Md5(HeaderValue);

impl HttpConnector for WithMd5Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(WithMd5(client)))
    }
}

#[async_trait::async_trait]
impl HttpService for WithMd5 {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(Md5(digest)) = request.extensions().get().cloned() {
            request.headers_mut().insert("content-md5", digest);
        }
        self.0.execute(request).await
    }
}

/// An error with its causes, in one line, and without what may hold a signature.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = answered(&line).unwrap_or_else(|| without_queries(&line));
    if let Some((cut, _)) = line.char_indices().nth(400) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// Of an answer of a store: its status, code and message.
fn answered(text: &str) -> Option<String> {
    let (_, answer) = text.split_once("status code: ")?;
    let status = answer.split(": ").next()?;
    let within = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        // Azure puts ids into its messages.
        Some(text.split(" RequestId:").next()?.to_owned())
    };
    let (code, message) = (within("Code")?, within("Message").unwrap_or_default());
    Some(format!("{status}: {code}: {message}"))
}

/// A text whose URLs end at their `?`.
fn without_queries(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("://") {
        let (before, url) = rest.split_at(start);
        kept.push_str(before);
        let end = url
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>' | '<' | '`'))
            .unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        match url.split_once('?') {
            Some((plain, _)) => {
                kept.push_str(plain);
                kept.push_str("?…");
            }
            None => kept.push_str(url),
        }
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_in_an_address_is_not_told() {
        let said = without_queries(
            "error for url (https://a.blob.core.windows.net/c?sig=hush&x=1) and http://h/x y?",
        );
        assert_eq!(
            said,
            "error for url (https://a.blob.core.windows.net/c?…) and http://h/x y?"
        );
    }

    #[test]
    fn an_answer_is_told_in_short() {
        let text = "Generic S3 error: Error performing GET http://h/b?x in 5ms - Server returned non-2xx status code: 404 Not Found: <?xml version=\"1.0\"?> <Error><Code>NoSuchBucket</Code><Message>There is none. RequestId:17 Time:now</Message></Error>";
        assert_eq!(
            answered(text).as_deref(),
            Some("404 Not Found: NoSuchBucket: There is none.")
        );
        assert_eq!(answered("connection refused"), None);
    }

    #[test]
    fn what_takes_no_objects_is_refused() {
        let adx = Destination::parse("adx://host/db").expect("a destination");
        let error = Cloud::open(&adx).expect_err("it takes rows");
        assert_eq!(
            error.to_string(),
            "`adx://host/db/FlowctlEvidence` takes no objects"
        );
    }
}

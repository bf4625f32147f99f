//! [`Destination`]: where evidence goes, as `--to` says it.

use std::fmt;
use std::path::PathBuf;

use super::Error;

const HELP: &str = "write a folder, or `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, `gs://BUCKET/PREFIX`, or `adx://HOST/DATABASE/TABLE`";

/// A bucket or container, and a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket or container.
    pub bucket: String,
    /// Without slashes at the ends; may be empty.
    pub prefix: String,
}

/// Where evidence goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Amazon S3, or what speaks like it.
    S3(Place),
    /// Azure Blob Storage.
    Azure(Place),
    /// Google Cloud Storage.
    Google(Place),
    /// Azure Data Explorer.
    Adx {
        /// The cluster's host, perhaps with a port.
        host: String,
        /// The database.
        database: String,
        /// The table.
        table: String,
    },
}

impl Destination {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// When it is none; the text itself is not repeated where it could hold a credential.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |message: &str| Error::Destination {
            message: message.to_owned(),
            help: HELP.to_owned(),
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.is_empty() {
                return Err(wrong("the destination is empty"));
            }
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        if rest.contains(['?', '#', '@']) {
            return Err(wrong(
                "a destination holds no `?`, `#` or `@`: credentials come from the environment, never from the command line",
            ));
        }
        let rest = rest.trim_end_matches('/');
        let (first, more) = rest.split_once('/').unwrap_or((rest, ""));
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if first.is_empty()
            || !first
                .chars()
                .all(|c| name(c) || (scheme == "adx" && c == ':'))
        {
            return Err(wrong(&format!(
                "`{text}` names no {}",
                match scheme {
                    "az" => "container",
                    "adx" => "cluster",
                    _ => "bucket",
                }
            )));
        }
        let parts: Vec<&str> = if more.is_empty() {
            Vec::new()
        } else {
            more.split('/').collect()
        };
        if parts
            .iter()
            .any(|part| matches!(*part, "" | "." | "..") || part.contains(is_unsafe))
        {
            return Err(wrong(&format!("`{text}` has a part that is no name")));
        }
        let place = || Place {
            bucket: first.to_owned(),
            prefix: more.to_owned(),
        };
        match scheme {
            "s3" => Ok(Self::S3(place())),
            "az" => Ok(Self::Azure(place())),
            "gs" => Ok(Self::Google(place())),
            "adx" => {
                let plain = |part: &str| part.chars().all(name);
                match parts.as_slice() {
                    [database] | [database, _] if !plain(database) => {
                        Err(wrong(&format!("`{database}` is no name of a database")))
                    }
                    [_, table] if !plain(table) => {
                        Err(wrong(&format!("`{table}` is no name of a table")))
                    }
                    [database, table @ ..] if table.len() < 2 => Ok(Self::Adx {
                        host: first.to_owned(),
                        database: (*database).to_owned(),
                        table: (*table.first().unwrap_or(&"FlowctlEvidence")).to_owned(),
                    }),
                    _ => Err(wrong(&format!(
                        "`{text}` is no `adx://HOST/DATABASE/TABLE`"
                    ))),
                }
            }
            _ => Err(wrong(&format!("`{scheme}://` is no destination"))),
        }
    }
}

/// What no name of an object may hold: what would need escaping in a list of digests.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control() || c == '\\'
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, place) = match self {
            Self::Folder(path) => return write!(formatter, "{}", path.display()),
            Self::Adx {
                host,
                database,
                table,
            } => return write!(formatter, "adx://{host}/{database}/{table}"),
            Self::S3(place) => ("s3", place),
            Self::Azure(place) => ("az", place),
            Self::Google(place) => ("gs", place),
        };
        write!(formatter, "{scheme}://{}", place.bucket)?;
        if place.prefix.is_empty() {
            return Ok(());
        }
        write!(formatter, "/{}", place.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        for text in [
            "out/evidence",
            "s3://bucket",
            "s3://bucket/a/b c",
            "az://container/x",
            "gs://bucket/x",
            "adx://c.westeurope.kusto.windows.net/Audit/Evidence",
            "adx://127.0.0.1:8080/Audit/Evidence",
        ] {
            let read = Destination::parse(text).expect(text);
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(
            Destination::parse("adx://host/Audit/")
                .expect("a table is not needed")
                .to_string(),
            "adx://host/Audit/FlowctlEvidence"
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "s3://",
            "s3:///x",
            "s3://a b/x",
            "s3://bucket//x",
            "s3://bucket/../x",
            "s3://bucket/x\ny",
            "ftp://host/x",
            "adx://host",
            "adx://host/a/b/c",
            "adx://host/a b",
            "adx://host/a/b|c",
        ] {
            let error = Destination::parse(text).expect_err(text);
            assert!(matches!(error, Error::Destination { .. }));
        }
    }

    #[test]
    fn a_credential_is_not_repeated() {
        for text in ["s3://key:hush@bucket/x", "az://c/x?sig=hush"] {
            let error = Destination::parse(text).expect_err(text).to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}

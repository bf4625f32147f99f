//! [`export`]: brings what there is to where it goes, each object once.
//!
//! Nothing is remembered between exports: what the target lists is what is there. So an export
//! that was killed is simply done again.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::inventory::{Foreign, Inventory, Object};
use super::target::{Created, Target, aside};
use super::{Error, Observer, Outcome, Report, Trouble};
use crate::store::Layout;
use crate::value::Digest;

/// How often stock is taken again because evidence changed in the meantime.
const ROUNDS: usize = 5;

/// After so many failures the rest is not tried: it would fail, too.
const FAILURES: usize = 20;

/// How to export.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only look.
    pub dry_run: bool,
    /// Read what is there, and do not believe the digest that it carries.
    pub read_back: bool,
    /// Objects at the same time.
    pub concurrency: usize,
}

/// Exports the evidence of a workspace.
///
/// # Errors
/// When there is no evidence, it cannot be read, or the target cannot be listed. What goes wrong
/// with one object is in the report, and the others go on.
pub async fn export(
    layout: &Layout,
    target: &Target,
    options: Options,
    mut stop: watch::Receiver<bool>,
    observer: &mut dyn Observer,
) -> Result<Report, Error> {
    let mut report = Report::default();
    for round in 1..=ROUNDS {
        let stock = layout.clone();
        let mut inventory = aside(move || {
            Inventory::take(&stock, || {
                tracing::warn!("waiting for another process that writes or exports evidence");
            })
        })
        .await?;
        let there = target.list().await?;
        report.troubles = std::mem::take(&mut inventory.damaged);
        report.open = std::mem::take(&mut inventory.open);
        report.there.clear();
        report.left = 0;
        let objects = objects(inventory, &there, &mut report).await?;
        observer.begin(objects.len() as u64);
        let mut exporter = Exporter {
            target,
            options,
            there: &there,
            report: &mut report,
            observer,
        };
        let moved = exporter.all(&objects, &mut stop).await;
        if report.interrupted {
            return Ok(report);
        }
        if moved.is_empty() {
            finish(&objects, target, options, &there, &mut report, observer).await;
            return Ok(report);
        }
        for name in moved.iter().filter(|_| round == ROUNDS) {
            let message = "it changed again and again while it was exported".to_owned();
            report
                .troubles
                .insert(name.clone(), Trouble::Failed(message));
        }
    }
    Ok(report)
}

/// What there is, by name, with the logs cut into segments.
async fn objects(
    inventory: Inventory,
    there: &BTreeMap<String, u64>,
    report: &mut Report,
) -> Result<BTreeMap<String, Object>, Error> {
    let mut objects = inventory.objects;
    let sizes = there.clone();
    let cut = aside(move || {
        let cut = inventory.logs.iter().map(|log| log.objects(&sizes));
        cut.collect::<Result<Vec<_>, Error>>()
    })
    .await?;
    for log in cut {
        match log {
            Ok(segments) => objects.extend(segments),
            Err(Foreign { key, why }) => {
                let message = format!("it is no part of the log here: {why}");
                report.troubles.insert(key, Trouble::Conflict(message));
            }
        }
    }
    Ok(objects)
}

/// Puts the list of everything, last: where it is, everything that it lists is.
async fn finish(
    objects: &BTreeMap<String, Object>,
    target: &Target,
    options: Options,
    there: &BTreeMap<String, u64>,
    report: &mut Report,
    observer: &mut dyn Observer,
) {
    if !report.troubles.is_empty() || objects.is_empty() {
        return;
    }
    let text: String = objects
        .iter()
        .map(|(key, object)| object.digest.hex() + "  " + key + "\n")
        .collect();
    let list = Object::text(text);
    let key = format!("exports/{}.sha256", list.digest.hex());
    let one = [(key.clone(), list)].into();
    let mut exporter = Exporter {
        target,
        options,
        there,
        report,
        observer,
    };
    // A short list, of which nothing can be cut off.
    let (_keep, mut never) = watch::channel(false);
    exporter.all(&one, &mut never).await;
    if report.troubles.is_empty() {
        report.manifest = Some(key);
    }
}

struct Exporter<'a> {
    target: &'a Target,
    options: Options,
    there: &'a BTreeMap<String, u64>,
    report: &'a mut Report,
    observer: &'a mut dyn Observer,
}

/// What came of one object.
enum Carried {
    Exported,
    There,
    /// The file here, or the log there, is not what it was when stock was taken.
    Moved,
    Trouble(Trouble),
}

impl Exporter<'_> {
    /// Carries all objects; gives those for which stock must be taken again.
    async fn all(
        &mut self,
        objects: &BTreeMap<String, Object>,
        stop: &mut watch::Receiver<bool>,
    ) -> Vec<String> {
        let mut moved = Vec::new();
        let mut waiting = objects.iter();
        let mut running = JoinSet::new();
        let mut failures = 0;
        loop {
            while running.len() < self.options.concurrency.max(1)
                && failures < FAILURES
                && !*stop.borrow()
            {
                let Some((key, object)) = waiting.next() else {
                    break;
                };
                let (target, options) = (self.target.clone(), self.options);
                let (key, object) = (key.clone(), object.clone());
                let size = self.there.get(&key).copied();
                running.spawn(async move {
                    let carried = carry(&target, options, &key, &object, size).await;
                    (key, object.bytes, carried)
                });
            }
            let Some(joined) = running.join_next().await else {
                break;
            };
            let (key, bytes, carried) = match joined {
                Ok(done) => done,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            let outcome = match carried {
                Carried::Exported => {
                    self.report.exported.insert(key.clone(), bytes);
                    Outcome::Exported
                }
                Carried::There => {
                    // An earlier round of this export may have put it.
                    if !self.report.exported.contains_key(&key) {
                        self.report.there.insert(key.clone());
                    }
                    Outcome::There
                }
                Carried::Moved => {
                    moved.push(key);
                    continue;
                }
                Carried::Trouble(trouble) => {
                    failures += usize::from(matches!(trouble, Trouble::Failed(_)));
                    self.report.troubles.insert(key.clone(), trouble);
                    Outcome::Trouble
                }
            };
            self.observer.done(&key, outcome);
        }
        self.report.left = waiting.count();
        if *stop.borrow() && self.report.left > 0 {
            self.report.interrupted = true;
        }
        moved
    }
}

async fn carry(
    target: &Target,
    options: Options,
    key: &str,
    object: &Object,
    size: Option<u64>,
) -> Carried {
    let failed = |error: &Error| Carried::Trouble(Trouble::Failed(error.to_string()));
    match size {
        Some(size) if size != object.bytes => {
            return other(key, &format!("{size} bytes"), object);
        }
        Some(_) => match compare(target, options, key, object).await {
            Ok(Some(carried)) => return carried,
            // It is gone since it was listed.
            Ok(None) => {}
            Err(error) => return failed(&error),
        },
        None => {}
    }
    if options.dry_run {
        return Carried::Exported;
    }
    match target.create(key, object).await {
        Ok(Created::New) => Carried::Exported,
        Ok(Created::Moved) => Carried::Moved,
        // Another exporter was quicker, or the first answer to this one was lost.
        Ok(Created::Exists) => match compare(target, options, key, object).await {
            // A segment that another exporter cut elsewhere: go on behind it.
            Ok(Some(Carried::Trouble(_))) if key.ends_with(".jsonl") => Carried::Moved,
            Ok(Some(carried)) => carried,
            Ok(None) => Carried::Moved,
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

async fn compare(
    target: &Target,
    options: Options,
    key: &str,
    object: &Object,
) -> Result<Option<Carried>, Error> {
    let found = target.digest(key, options.read_back).await?;
    Ok(found.map(|found: Digest| {
        if found == object.digest {
            Carried::There
        } else {
            other(key, &found.to_string(), object)
        }
    }))
}

fn other(key: &str, found: &str, object: &Object) -> Carried {
    tracing::debug!(key, found, "something else is there");
    Carried::Trouble(Trouble::Conflict(format!(
        "something else is there ({found}); here are {} bytes, {}",
        object.bytes, object.digest
    )))
}

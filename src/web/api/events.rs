//! `GET /runs/{id}/events`: the journal of a run, as a list or as server-sent events.
//!
//! Both read the journal itself: what is told is what is written there, by whichever process, and a number
//! once told never means something else.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use super::take::{Asked, InPath, run};
use super::{Api, Caller, Problem};
use crate::engine::Happened;
use crate::store::{Record, RunDir, Tail};

/// Records of a list, when nobody says how many.
const PAGE: usize = 500;
/// The most that are in a list.
const MOST: usize = 5_000;
/// Records that are read at once for who follows.
const CHUNK: usize = 64;
/// How often the journal of a run is looked at that this process does not drive.
const POLL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn events(
    State(api): State<Api>,
    _: Caller,
    InPath(id): InPath<String>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let streams = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream"));
    let dir = api.beside(move |api| run(&api.engine, &id)).await?;
    if !streams {
        let limit = wanted.limit.unwrap_or(PAGE).clamp(1, MOST);
        let after = wanted.after.unwrap_or(0);
        let listed = api.beside(move |_| list(&dir, after, limit));
        return Ok(Json(listed.await?).into_response());
    }
    let after = match text(header::HeaderName::from_static("last-event-id")) {
        Some(last) => last
            .parse()
            .map_err(|_| Problem::bad("bad-event-id", "`Last-Event-ID` is a number"))?,
        None => wanted.after.unwrap_or(0),
    };
    follow(&api, dir, after).await
}

fn list(dir: &RunDir, after: u64, limit: usize) -> Result<Value, Problem> {
    let mut tail = Tail::new(&dir.journal());
    let mut found = Vec::new();
    loop {
        let records = tail.more(CHUNK)?;
        let read = records.len();
        found.extend(records.into_iter().filter(|record| record.seq > after));
        if read < CHUNK || found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|record| record.seq).filter(|_| more);
    let events: Vec<Value> = found.iter().map(object).collect();
    Ok(json!({ "run": dir.id, "events": events, "next": next }))
}

fn object(record: &Record) -> Value {
    json!({
        "seq": record.seq, "ts": record.ts.to_string(), "event": record.event, "round": record.round, "data": record.data,
    })
}

struct Following {
    api: Api,
    dir: RunDir,
    tail: Tail,
    after: u64,
    happened: broadcast::Receiver<Happened>,
    ready: std::collections::VecDeque<Record>,
    /// The last record that was told closes the run.
    closed: bool,
    _place: OwnedSemaphorePermit,
}

async fn follow(api: &Api, dir: RunDir, after: u64) -> Result<Response, Problem> {
    let place = api.followers.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-followers",
            "too many follow events already",
        )
        .help("try again in a minute, or read `?after=SEQ` now and then")
    })?;
    let mut following = Following {
        api: api.clone(),
        tail: Tail::new(&dir.journal()),
        dir,
        after,
        // Before the journal is read, so that nothing falls between.
        happened: api.fleet.happened(),
        ready: std::collections::VecDeque::new(),
        closed: false,
        _place: place,
    };
    following.read().await?;
    if following.ready.is_empty() && following.closed {
        // It tells the browser not to come back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = Sse::new(stream(following)).keep_alive(KeepAlive::new());
    Ok(stream.into_response())
}

fn stream(following: Following) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    })
}

impl Following {
    /// Reads on, until there is something to tell or nothing new.
    async fn read(&mut self) -> Result<(), Problem> {
        while self.ready.is_empty() {
            let mut tail = std::mem::replace(&mut self.tail, Tail::new(&self.dir.journal()));
            let read = self.api.beside(move |_| {
                let records = tail.more(CHUNK)?;
                Ok((tail, records))
            });
            let (tail, records) = read.await?;
            self.tail = tail;
            let Some(last) = records.last() else {
                return Ok(());
            };
            self.closed = last.event == "run_sealed";
            let after = self.after;
            let new = records.into_iter().filter(|record| record.seq > after);
            self.ready.extend(new);
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                self.after = record.seq;
                let data = object(&record).to_string();
                return Some(
                    Event::default()
                        .id(record.seq.to_string())
                        .event(record.event)
                        .data(data),
                );
            }
            // Who follows learns by the end that there is no more.
            self.read().await.ok()?;
            if !self.ready.is_empty() {
                continue;
            }
            if self.closed {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits until there may be more.
    async fn wait(&mut self) {
        let run = self.dir.id.clone();
        let happened = async {
            loop {
                match self.happened.recv().await {
                    Ok(found) if found.run != run => {}
                    // More was written than was looked at: the journal has it.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::time::timeout(POLL, happened).await.ok();
        // Of many that are written together, one look is enough.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! `FlowInbox`: numbers what is asked of a run, so that the workflow can wait for one thing after the other.

use jiff::Timestamp;
use restate_sdk::context::RequestTarget;
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::away::Life;
use super::message::{Body, Message, Put};
use super::{INBOX, RUN};

/// The state of one run's inbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Current {
    life: Life,
    open: bool,
    /// How many messages its workflow was told.
    told: u64,
}

const CURRENT: &str = "current";

/// The object; its key is the name of the run's lives.
pub(super) struct FlowInbox {
    pub(super) clock: fn() -> Timestamp,
}

#[restate_sdk::object(name = "FlowInbox", client_visibility = "pub(super)")]
impl FlowInbox {
    /// Begins a life, once.
    #[handler]
    async fn begin(&self, ctx: ObjectContext<'_>, Json(life): Json<Life>) -> HandlerResult<()> {
        let before: Option<Json<Current>> = ctx.get(CURRENT).await?;
        if before.is_some_and(|Json(before)| before.life.number >= life.number) {
            return Ok(());
        }
        let key = life.key();
        let current = Current {
            life: life.clone(),
            open: true,
            told: 0,
        };
        ctx.set(CURRENT, Json(current));
        let target = RequestTarget::workflow(RUN, key, "run");
        ctx.request::<_, ()>(target, Json(life)).send().await?;
        Ok(())
    }

    /// Takes something that is asked of the run.
    #[handler]
    async fn put(
        &self,
        ctx: ObjectContext<'_>,
        Json(body): Json<Body>,
    ) -> HandlerResult<Json<Put>> {
        let current: Option<Json<Current>> = ctx.get(CURRENT).await?;
        let Some(Json(mut current)) = current.filter(|Json(current)| current.open) else {
            return Ok(Json(Put::Over));
        };
        let clock = self.clock;
        let Json(at) = ctx
            .run(move || async move { Ok(Json(clock())) })
            .name("look at the clock")
            .await?;
        current.told += 1;
        let number = current.told;
        let key = current.life.key();
        ctx.set(CURRENT, Json(current));
        let target = RequestTarget::workflow(RUN, key, "tell");
        ctx.request::<_, ()>(target, Json((number, Message { at, body })))
            .call()
            .await?;
        Ok(Json(Put::Told))
    }

    /// Takes note that a life is over; says how many messages its workflow was told.
    #[handler]
    async fn over(&self, ctx: ObjectContext<'_>, number: u32) -> HandlerResult<u64> {
        let current: Option<Json<Current>> = ctx.get(CURRENT).await?;
        let Some(Json(mut current)) = current.filter(|Json(current)| current.life.number == number)
        else {
            return Err(TerminalError::new(format!("{INBOX} knows no life {number}")).into());
        };
        let told = current.told;
        current.open = false;
        ctx.set(CURRENT, Json(current));
        Ok(told)
    }
}

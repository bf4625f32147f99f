//! What somebody decides on a page: checked to be theirs, signed by the server, and sent the way of every
//! answer.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::auth::Person;
use super::pages::{Problem, to};
use super::state::App;
use super::{form, pages};
use crate::engine::{Answer, Engine, OpenRun, Request, Verdict};
use crate::id::NodePath;
use crate::run::{ApprovalDecided, Decision, NAMESPACE, SignedStatement};
use crate::value::Digest;

/// An answer that was sent.
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) verdict: Verdict,
}

impl App {
    /// Sends an answer for somebody, and says what became of it.
    pub(super) async fn answer(
        &self,
        run: String,
        answer: Answer,
        person: &Person,
    ) -> Result<Sent, Problem> {
        let app = self.clone();
        let answer = Answer {
            by: person.user.clone(),
            via: person.via(),
            ..answer
        };
        let decided = self.blocking(move |engine| {
            let dir = engine.layout.find(&run)?;
            let run = engine.read_run(&dir)?;
            let decision = app.decided(engine, &run, answer)?;
            Ok::<_, Problem>((dir, Box::new(decision)))
        });
        let (dir, decision) = decided.await?;
        let id = decision.id.clone();
        let verdict = self.fleet.ask(&dir, Request::Decision { decision }).await?;
        Ok(Sent { id, verdict })
    }

    /// The decision, signed with the server's key where it is asked who people are.
    fn decided(
        &self,
        engine: &Engine,
        run: &OpenRun,
        answer: Answer,
    ) -> Result<ApprovalDecided, Problem> {
        let mut decision = answer.decide(engine, run);
        self.sign(&mut decision, run)
            .map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why))?;
        Ok(decision)
    }

    /// Puts the server's word under a decision, where it is asked who people are.
    pub(super) fn sign(&self, decision: &mut ApprovalDecided, run: &OpenRun) -> Result<(), String> {
        if run.started.approvers.is_none() {
            decision.via = None;
            return Ok(());
        }
        let statement = decision.statement(run.id());
        let ssh = self.server_key.sign(statement.as_bytes(), NAMESPACE);
        let ssh = ssh.map_err(|error| error.to_string())?;
        decision.signature = Some(SignedStatement { statement, ssh });
        Ok(())
    }

    /// What the journal says of an answer that was sent before.
    pub(super) async fn verdict(&self, run: String, id: String) -> Result<Verdict, Problem> {
        self.blocking(move |engine| {
            let dir = engine.layout.find(&run)?;
            let verdict = Verdict::of(&dir, &id)?;
            Ok(verdict.unwrap_or(Verdict::Queued))
        })
        .await
    }
}

/// A form of the review page.
pub(super) async fn decide(
    State(app): State<App>,
    Path((run, node)): Path<(String, String)>,
    person: Person,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let field = |name: &str| {
        let found = sent.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, text)| text.as_str())
    };
    person.check_form(&app, field("token"))?;
    let decision = match field("decision") {
        "approved" => Decision::Approved,
        "rejected" => Decision::Rejected,
        "sent_back" => Decision::SentBack,
        _ => return Err(bad("the form does not say what is decided")),
    };
    let comment = field("comment").trim();
    if comment.is_empty() && decision != Decision::Approved {
        return Err(bad(
            "say why, in the comment: a no, or work that is sent back, needs a reason",
        ));
    }
    let digest = Digest::parse(field("digest"))
        .ok_or_else(|| bad("the form does not say what was looked at"))?;
    let path = NodePath::from(node.as_str());
    let filled = match decision {
        Decision::Approved => {
            let (wanted, path) = (run.clone(), path.clone());
            let sent = sent.clone();
            let filled = app.blocking(move |engine| {
                let dir = engine.layout.find(&wanted)?;
                let open = engine.read_run(&dir)?;
                let plan = &open.compiled.plan;
                let id = open.state.find(&path);
                let gate = id.and_then(|id| open.state.node(plan, id).gate.as_ref());
                let gate = gate.ok_or_else(|| Problem::not_found(format!("gate `{path}`")))?;
                form::filled_in(gate, &sent).map_err(|why| bad(&why))
            });
            filled.await?
        }
        Decision::Rejected | Decision::SentBack => None,
    };
    let answer = Answer {
        node: path,
        decision,
        digest: Some(digest),
        comment: (!comment.is_empty()).then(|| comment.to_owned()),
        form: filled,
        target: (decision == Decision::SentBack).then(|| NodePath::from(field("target"))),
        by: String::new(),
        via: None,
    };
    let sent = app.answer(run.clone(), answer, &person).await?;
    drop(sent.verdict);
    let (run, node) = (form::encode(&run), form::encode(&node));
    Ok(to(&format!("/runs/{run}/review/{node}?answer={}", sent.id)))
}

fn bad(why: &str) -> Problem {
    pages::Problem::new(StatusCode::BAD_REQUEST, why)
}

/// What is asked of a run besides: that it stops for good, goes on, or tries again.
pub(super) async fn act(
    State(app): State<App>,
    Path((run, what)): Path<(String, String)>,
    person: Person,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let token = sent.iter().find(|(known, _)| known == "token");
    person.check_form(&app, token.map_or("", |(_, text)| text))?;
    let wanted = run.clone();
    let dir = app
        .blocking(move |engine| engine.layout.find(&wanted))
        .await?;
    let by = person.user.as_str();
    match what.as_str() {
        "cancel" => drop(app.fleet.cancel(&dir, by).await?),
        "resume" => app.fleet.resume(&dir, by)?,
        "retry" => app.fleet.retry(&dir, by)?,
        _ => return Err(Problem::not_found(format!("such thing as to {what} a run"))),
    }
    Ok(to(&format!("/runs/{}", form::encode(&run))))
}

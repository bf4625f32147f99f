//! The page on which somebody decides: what would land, what is asked, and the answer.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::diff::{self, FileDiff};
use super::{Problem, field, layout, page};
use crate::engine::{Change, Engine, OpenRun, Review, Verdict};
use crate::evidence::TestCase;
use crate::flow::ApprovalDecl;
use crate::id::NodePath;
use crate::run::{ApprovalRequested, InstanceId, NodeState, Payload, Request, StagedFile};
use crate::value::Value;
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::state::App;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    /// The answer that was just sent.
    answer: String,
}

/// Everything that the page shows.
struct Shown {
    run: OpenRun,
    gate: InstanceId,
    files: Review,
    tests: Vec<TestCase>,
    /// What the gate asked the time before, and each file of it that is different now.
    before: Option<(ApprovalRequested, Vec<FileDiff>)>,
    inputs: Value,
    /// The outputs of the nodes right before the gate, cut.
    made: Vec<(NodePath, String)>,
    now: Timestamp,
}

impl Shown {
    fn of(engine: &Engine, run: &str, node: &NodePath) -> Result<Self, Problem> {
        let dir = engine.layout.find(run)?;
        let run = engine.read_run(&dir)?;
        let plan = &run.compiled.plan;
        let gate = run.state.find(node);
        let gate = gate
            .filter(|id| run.state.node(plan, *id).gate.is_some())
            .ok_or_else(|| Problem::not_found(format!("gate `{node}` in this run")))?;
        let mut asked = run.asked(node)?;
        let last = asked.pop();
        let before = match (asked.pop(), &last) {
            (Some(before), Some(last)) => {
                let changed = changed(&run, &before.files, &last.files)?;
                Some((before, changed))
            }
            _ => None,
        };
        Ok(Self {
            made: made_before(&run, gate)?,
            files: Review::of(&run, engine.layout.workspace())?,
            tests: run.tests()?,
            inputs: last.map_or(Value::Null, |asked| asked.inputs),
            before,
            gate,
            now: engine.now(),
            run,
        })
    }

    fn policy(&self) -> ApprovalDecl {
        let node = self.run.state.node(&self.run.compiled.plan, self.gate);
        node.gate.clone().unwrap_or_default()
    }

    fn request(&self) -> Option<&Request> {
        self.run.state.instance(self.gate).request.as_deref()
    }

    fn waits(&self) -> bool {
        self.run.state.instance(self.gate).state == NodeState::Waiting
    }
}

/// How much of an output is shown.
const OUTPUT: usize = 4_096;

fn made_before(run: &OpenRun, gate: InstanceId) -> Result<Vec<(NodePath, String)>, Problem> {
    let plan = &run.compiled.plan;
    let scope = plan.scope(run.state.scope_of(gate));
    let mut made = Vec::new();
    for before in &scope.before[run.state.instance(gate).node.index()] {
        let id = run.state.sibling(gate, *before);
        let Some(output) = run.output(id)? else {
            continue;
        };
        let text = serde_json::to_string_pretty(&output).unwrap_or_default();
        let mut shown: String = text.chars().take(OUTPUT).collect();
        if shown.len() < text.len() {
            shown.push_str("\n… and more; the node's own page shows it");
        }
        made.push((run.state.instance(id).path.clone(), shown));
    }
    Ok(made)
}

/// The files that two requests show differently.
fn changed(
    run: &OpenRun,
    before: &[StagedFile],
    after: &[StagedFile],
) -> Result<Vec<FileDiff>, Problem> {
    let text = |file: Option<&StagedFile>| -> Result<Option<String>, Problem> {
        let Some(file) = file else {
            return Ok(Some(String::new()));
        };
        Ok(String::from_utf8(run.staged(file.sha256)?).ok())
    };
    let find = |all: &[StagedFile], path: &str| all.iter().position(|file| file.path == path);
    let mut paths: Vec<&str> = before
        .iter()
        .chain(after)
        .map(|file| file.path.as_str())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut changed = Vec::new();
    for path in paths {
        let old = find(before, path).map(|at| &before[at]);
        let new = find(after, path).map(|at| &after[at]);
        if old.map(|file| file.sha256) != new.map(|file| file.sha256) {
            changed.push(FileDiff {
                path: path.to_owned(),
                before: text(old)?,
                after: text(new)?,
                note: match (old, new) {
                    (None, _) => "new in this round",
                    (_, None) => "gone in this round",
                    _ => "changed in this round",
                },
            });
        }
    }
    Ok(changed)
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    Path((run, node)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    person: Person,
) -> Result<Response, Problem> {
    let verdict = if asked.answer.is_empty() {
        None
    } else {
        Some(app.verdict(run.clone(), asked.answer).await?)
    };
    let path = NodePath::from(node.as_str());
    let shown = app
        .blocking(move |engine| Shown::of(engine, &run, &path))
        .await?;
    let title = format!("Review of {}", shown.run.state.instance(shown.gate).path);
    let body = body(&app, &person, &shown, verdict.as_ref());
    Ok(page(
        StatusCode::OK,
        layout::whole(&app, &person, &title, &body),
    ))
}

fn body(app: &App, person: &Person, shown: &Shown, verdict: Option<&Verdict>) -> Markup {
    let (run, policy) = (&shown.run, shown.policy());
    let path = &run.state.instance(shown.gate).path;
    let link = format!("/runs/{}", encode(run.id().as_str()));
    html! {
        p.crumbs { a href="/runs" { "Runs" } " / " a href=(link) { (run.id()) } " / " (path) }
        h1 { "Review of " (path) }
        @if let Some(verdict) = verdict { (said(verdict)) }
        p.lead {
            "Flow " strong { (run.started.flow) } ", started by " strong { (run.started.by) } " at "
            (when(run.told.started_at)) ". Round " (run.state.round()) "."
        }
        (summary(shown))
        @if shown.waits() { p { a href="#answer" { "To your answer" } } }
        (people(shown, &policy))
        (tests(&shown.tests))
        @if let Some((_, changed)) = &shown.before { (since(shown, changed)) }
        (files(shown))
        (made(shown))
        (given(shown))
        @if shown.waits() { (answer(app, person, shown, &policy)) }
        @else { p.note { "This gate does not wait for an answer: it is " (run.state.word(shown.gate)) ", and the run is " (run.status_word()) "." } }
    }
}

fn said(verdict: &Verdict) -> Markup {
    html! {
        @match verdict {
            Verdict::Accepted => p.good role="status" { "Your answer counts, and is recorded." },
            Verdict::Refused(why) => p.problem role="alert" { "Your answer does not count, and is recorded: " (why) "." },
            Verdict::Queued => p.note role="status" { "Your answer is kept, and nobody has taken it yet. Look again in a moment." },
        }
    }
}

fn summary(shown: &Shown) -> Markup {
    let count = |change| {
        shown
            .files
            .files
            .iter()
            .filter(|file| file.change == change)
            .count()
    };
    html! {
        ul.facts {
            li { strong { (count(Change::Added)) } " new files" }
            li { strong { (count(Change::Modified)) } " changed" }
            li { strong { (count(Change::Unchanged)) } " as they are" }
            @if let Some(deadline) = shown.request().and_then(|request| request.deadline) {
                li.deadline { "to be answered by " strong { (when(deadline)) } " (" (relative(shown.now, deadline)) ")" }
            }
            @if let Some(request) = shown.request() {
                li { "what is asked: " code { (request.digest) } }
            }
        }
    }
}

/// Who may answer, and who has.
fn people(shown: &Shown, policy: &ApprovalDecl) -> Markup {
    let yeses = shown.request().map_or(&[][..], |request| &request.yeses);
    let path = &shown.run.state.instance(shown.gate).path;
    let refused = shown
        .run
        .told
        .events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::DecisionRefused(data) if data.decision.node == *path => Some(data),
            _ => None,
        });
    let earlier: Vec<_> = shown
        .run
        .state
        .rewinds()
        .iter()
        .filter(|rewind| rewind.gate == *path)
        .collect();
    html! {
        section {
            h2 { "Who decides" }
            p {
                @if policy.approvers.is_empty() { "Whoever may approve here" }
                @else { (policy.approvers.join(", ")) }
                "; " strong { (yeses.len()) " of " (policy.quorum) } " have said yes."
                @if policy.separation_of_duties { " Not those who asked for the run or changed it." }
            }
            @if !yeses.is_empty() {
                ul {
                    @for yes in yeses {
                        li { strong { (yes.by) } " said yes at " (when(yes.at)) " (" (yes.identity) ")"
                            @if let Some(comment) = &yes.comment { ": " (comment) } }
                    }
                }
            }
            @for rewind in earlier {
                p.note { "Round " (rewind.round) " began at " code { (rewind.target) } ", sent back by " strong { (rewind.by) } ": " (rewind.feedback) }
            }
            @let refused: Vec<_> = refused.collect();
            @if !refused.is_empty() {
                details {
                    summary { (refused.len()) " answers did not count" }
                    ul { @for data in refused { li { (data.decision.by) " (" (data.decision.identity) "): " (data.reason) } } }
                }
            }
        }
    }
}

/// What was tested; what was not comes first.
fn tests(cases: &[TestCase]) -> Markup {
    let passed = cases.iter().filter(|case| case.passed()).count();
    html! {
        section {
            h2 { "Tests and policies" }
            @if cases.is_empty() { p { "No node of this run gave a list of tests." } }
            @else {
                p { strong { (passed) " of " (cases.len()) } " passed." }
                ul.tests {
                    @for case in cases.iter().filter(|case| !case.passed()) {
                        li.(if case.verdict().contains("not") { "open" } else { "bad" }) {
                            strong { (case.verdict()) } " " code { (case.id) }
                            @if !case.reason.is_empty() { ": " (case.reason) }
                        }
                    }
                }
                @if passed > 0 {
                    details {
                        summary { (passed) " passed" }
                        ul { @for case in cases.iter().filter(|case| case.passed()) { li { code { (case.id) } } } }
                    }
                }
            }
        }
    }
}

fn since(shown: &Shown, changed: &[FileDiff]) -> Markup {
    html! {
        section {
            h2 { "What changed since the last round" }
            @if changed.is_empty() { p { "No file is different from what was shown in the round before round " (shown.run.state.round()) "." } }
            @for file in changed { (diff::show(file, true)) }
        }
    }
}

fn files(shown: &Shown) -> Markup {
    let all = &shown.files.files;
    let few = all.len() <= 3;
    html! {
        section {
            h2 { "What would land" }
            @if all.is_empty() { p { "No files." } }
            @for file in all.iter().filter(|file| file.change != Change::Unchanged) {
                @let note = match file.change { Change::Added => "new", _ => "changed" };
                (diff::show(&FileDiff {
                    path: file.file.path.clone(),
                    before: if file.change == Change::Added { Some(String::new()) } else { file.before.clone() },
                    after: file.after.clone(),
                    note,
                }, few))
            }
            @let same: Vec<_> = all.iter().filter(|file| file.change == Change::Unchanged).collect();
            @if !same.is_empty() {
                details {
                    summary { (same.len()) " files stay as they are" }
                    ul { @for file in same { li { code { (file.file.path) } } } }
                }
            }
        }
    }
}

/// What the nodes right before the gate gave.
fn made(shown: &Shown) -> Markup {
    html! {
        @if !shown.made.is_empty() {
            section {
                h2 { "What came before" }
                @for (node, output) in &shown.made {
                    details {
                        summary { (node) }
                        pre { code { (output) } }
                    }
                }
            }
        }
    }
}

fn given(shown: &Shown) -> Markup {
    let text = serde_json::to_string_pretty(&shown.inputs).unwrap_or_default();
    html! {
        @if shown.inputs.as_object().is_some_and(|inputs| !inputs.is_empty()) {
            details {
                summary { "What the gate was given" }
                pre { code { (text) } }
            }
        }
    }
}

fn answer(app: &App, person: &Person, shown: &Shown, policy: &ApprovalDecl) -> Markup {
    let run = &shown.run;
    let path = &run.state.instance(shown.gate).path;
    let action = format!(
        "/runs/{}/review/{}",
        encode(run.id().as_str()),
        encode(path.as_str())
    );
    let digest = shown
        .request()
        .map(|request| request.digest.to_string())
        .unwrap_or_default();
    let targets = run.state.targets(&run.compiled.plan, shown.gate);
    let before = shown
        .request()
        .and_then(|request| request.yeses.first())
        .and_then(|yes| yes.form.as_ref());
    html! {
        section.answer #answer {
            h2 { "Your answer" }
            form method="post" action=(action) {
                input type="hidden" name="token" value=(person.form_token(app));
                input type="hidden" name="digest" value=(digest);
                @for (name, field) in &policy.form {
                    (field::field(name, &field.schema, before.and_then(|form| form.get(name)).or(field.default.as_ref()), field.default.is_none()))
                }
                label for="comment" { "Comment" span.hint { " needed to reject or send back" } }
                textarea #comment name="comment" rows="3" maxlength="10000" {}
                @if !targets.is_empty() {
                    label for="target" { "Send back to" }
                    select #target name="target" {
                        @for id in targets.iter().rev() {
                            @let target = &run.state.instance(*id).path;
                            option value=(target) { (target) }
                        }
                    }
                }
                div.buttons {
                    button.yes type="submit" name="decision" value="approved" { "Approve" }
                    @if !targets.is_empty() {
                        button type="submit" name="decision" value="sent_back" formnovalidate { "Send back" }
                    }
                    button.no type="submit" name="decision" value="rejected" formnovalidate { "Reject" }
                }
                p.hint { "You answer as " strong { (person.user) } ". One no ends the run." }
            }
        }
    }
}

/// A time, for people and machines.
pub(super) fn when(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M:%S")) " UTC" } }
}

fn relative(now: Timestamp, at: Timestamp) -> String {
    let minutes = at.duration_since(now).as_mins();
    if minutes < 0 {
        return "passed".to_owned();
    }
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("in {minutes} minutes"),
        (0, _) => format!("in {hours} hours {} minutes", minutes % 60),
        _ => format!("in {days} days {hours} hours"),
    }
}

//! Edited files: which results they make stale, and adopting them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::compiled::Compiled;
use super::driver::Driver;
use super::error::Error;
use super::observer::Observer;
use super::people::check_gates;
use crate::diagnostic::Diagnostics;
use crate::plan::{Plan, PlanNode, Scope, Step};
use crate::run::{Event, FlowChanged, InstanceId, NodeState, Payload, RunState, Stale};

impl Driver {
    /// What the files are now, if they are not what the run was started with. `Ok(None)` when
    /// nothing was edited, or when the files are gone.
    ///
    /// # Errors
    /// What is wrong with the edited files.
    pub fn edited(&self) -> Result<Option<Compiled>, Diagnostics> {
        let path = &self.compiled.snapshot.root;
        let inside = self.engine.layout.workspace().join(path);
        let found = if std::path::Path::new(path).is_file() {
            path.clone()
        } else if inside.is_file() {
            inside.to_string_lossy().into_owned()
        } else {
            return Ok(None);
        };
        let before = &self.compiled.snapshot;
        let mut engine = self.engine.clone();
        engine.surroundings.selection.clone_from(&before.selection);
        let (now, _) = engine.compile(&found)?;
        // The same files under another working directory are the same files.
        let same = now.snapshot.skills == before.skills
            && now.snapshot.flows.values().eq(before.flows.values());
        Ok((!same).then_some(now))
    }

    /// Which results an adoption would void, and why, in file order.
    #[must_use]
    pub fn stale(&self, edited: &Compiled) -> Vec<Stale> {
        Judge {
            old: &self.plan,
            new: &edited.plan,
            state: &self.state,
        }
        .judge()
        .1
    }

    /// Adopts edited files: what they leave as it was is kept, everything else is history.
    ///
    /// # Errors
    /// I/O; a run that has ended well has nothing to adopt.
    pub async fn adopt(
        &mut self,
        edited: Compiled,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Stale>, Error> {
        let (kept, stale) = Judge {
            old: &self.plan,
            new: &edited.plan,
            state: &self.state,
        }
        .judge();
        let pinned = self.started.approvers.as_deref();
        check_gates(&edited.plan, pinned).map_err(Error::Invalid)?;
        edited.snapshot.save(&self.dir)?;
        let payload = Payload::from(FlowChanged {
            snapshot: edited.digest,
            kept,
            stale: stale.clone(),
            by: self.engine.who.user.clone(),
        });
        let ts = self.engine.now();
        let round = self.state.round();
        let seq = self
            .journal
            .append(payload.word(), ts, round, &payload, true)?;
        self.journal.sync().await?;
        let event = Event {
            seq,
            ts,
            round,
            payload,
        };
        let open = self.engine.read_run(&self.dir)?;
        self.told.add(&event);
        self.compiled = open.compiled;
        self.plan = Arc::clone(&self.compiled.plan);
        self.redactor = self.engine.redactor(&self.plan);
        self.missing_secrets = self.engine.missing_secrets(&self.plan);
        self.state = open.state;
        observer.event(&self.plan, &self.state, &event);
        Ok(stale)
    }
}

struct Judge<'a> {
    old: &'a Plan,
    new: &'a Plan,
    state: &'a RunState,
}

impl Judge<'_> {
    /// The records that stay, and the nodes that do not.
    fn judge(&self) -> (Vec<u64>, Vec<Stale>) {
        let mut kept = BTreeSet::new();
        let mut stale = Vec::new();
        let ids: Vec<InstanceId> = (0..self.old.root().nodes.len())
            .map(InstanceId::of)
            .collect();
        self.scope(
            self.old.root(),
            self.new.root(),
            &ids,
            &mut kept,
            &mut stale,
        );
        (kept.into_iter().collect(), stale)
    }

    /// Walks a scope in the order of the new file. A node stays when it and all before it do.
    fn scope(
        &self,
        old: &Scope,
        new: &Scope,
        ids: &[InstanceId],
        kept: &mut BTreeSet<u64>,
        stale: &mut Vec<Stale>,
    ) {
        let order = petgraph::algo::toposort(&new.graph, None).unwrap_or_default();
        let mut changed: BTreeSet<&str> = BTreeSet::new();
        for index in order {
            let node = new.node(new.graph[index]);
            let Some(old_id) = old.find(&node.name) else {
                changed.insert(node.name.as_str());
                continue;
            };
            let id = ids[old_id.index()];
            let before = new.before[new.graph[index].index()]
                .iter()
                .map(|before| new.node(*before).name.as_str())
                .find(|name| changed.contains(name));
            let why = match before {
                Some(name) => Some(format!("`{name}` before it changes")),
                None => difference(self.old, old.node(old_id), self.new, node),
            };
            match why {
                None => self.keep(id, old.node(old_id), node, kept, stale),
                Some(why) => {
                    changed.insert(node.name.as_str());
                    self.void(id, why, stale);
                }
            }
        }
        for (at, node) in old.nodes.iter().enumerate() {
            if new.find(&node.name).is_none() {
                self.void(ids[at], "it is no longer in the flow".to_owned(), stale);
            }
        }
    }

    /// Lists a node that has come to something: a result, an attempt, a question or an answer.
    fn void(&self, id: InstanceId, why: String, stale: &mut Vec<Stale>) {
        let instance = self.state.instance(id);
        if instance.state != NodeState::Pending || instance.request.is_some() {
            let node = instance.path.clone();
            stale.push(Stale { node, why });
        }
    }

    fn keep(
        &self,
        id: InstanceId,
        old: &PlanNode,
        new: &PlanNode,
        kept: &mut BTreeSet<u64>,
        stale: &mut Vec<Stale>,
    ) {
        let instance = self.state.instance(id);
        if let Some(request) = &instance.request {
            kept.insert(request.seq);
        }
        kept.extend(self.state.records_of(id));
        for item in self.state.items(id) {
            self.keep(item, old, new, kept, stale);
        }
        if let (Step::Flow(old_scope), Step::Flow(new_scope)) = (&old.step, &new.step) {
            let children: Vec<InstanceId> = self.state.children(self.old, id).collect();
            if !children.is_empty() {
                self.scope(
                    self.old.scope(*old_scope),
                    self.new.scope(*new_scope),
                    &children,
                    kept,
                    stale,
                );
            }
        }
    }
}

/// In what two versions of a node differ, as far as its result goes.
fn difference(old_plan: &Plan, old: &PlanNode, new_plan: &Plan, new: &PlanNode) -> Option<String> {
    if old.kind() != new.kind() {
        return Some(format!(
            "it runs `{}` instead of `{}`",
            new.kind(),
            old.kind()
        ));
    }
    if old.digest() != new.digest() {
        return Some("what it runs was edited".to_owned());
    }
    for wire in &new.inputs {
        let before = old.inputs.iter().find(|before| before.port == wire.port);
        if before.is_none_or(|before| before.binding.identity() != wire.binding.identity()) {
            return Some(format!("its input `{}` was edited", wire.port));
        }
    }
    if old.inputs.len() != new.inputs.len() {
        return Some("an input was taken away".to_owned());
    }
    let conditions = |node: &PlanNode| {
        let foreach = node.foreach.as_ref().map(crate::expr::Binding::identity);
        let activate = node
            .activate
            .as_ref()
            .map(|activate| (activate.when.identity(), activate.is.clone()));
        (
            node.when.as_ref().map(crate::expr::Template::identity),
            foreach,
            activate,
            node.gate.clone(),
        )
    };
    if conditions(old) != conditions(new) {
        return Some("its condition, `foreach` or gate was edited".to_owned());
    }
    if let (Step::Flow(old_scope), Step::Flow(new_scope)) = (&old.step, &new.step) {
        let (old_scope, new_scope) = (old_plan.scope(*old_scope), new_plan.scope(*new_scope));
        // Edits inside a sub-flow that has ended change what it gave.
        if old_scope.source.text != new_scope.source.text {
            return Some("its sub-flow was edited".to_owned());
        }
        for (old, new) in old_scope.nodes.iter().zip(&new_scope.nodes) {
            if let Some(why) = difference(old_plan, old, new_plan, new) {
                return Some(format!("inside it, at `{}`: {why}", new.name));
            }
        }
    }
    None
}

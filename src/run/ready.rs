//! What is to be done with a node whose turn it is.

use super::instance::{ContextId, InstanceId, NodeState};
use super::state::RunState;
use crate::expr::Use;
use crate::flow::Dialect;
use crate::plan::{Fallback, NodeId, Plan, PlanNode, Scope, Step};

/// The next step of an instance that waits for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It does not run.
    Bypass(String),
    /// `when` or `activate` is to be evaluated.
    Evaluate,
    /// The gate is to be opened.
    Ask,
    /// The items are to be frozen.
    Expand,
    /// The sub-flow is to be entered.
    Enter,
    /// An attempt may begin.
    Start,
    /// Everything inside has ended well; or the gate, which is all there is, was answered.
    Complete,
    /// Something inside has failed for good.
    Fail(InstanceId),
    /// Something inside is still to come.
    Inside,
}

impl RunState {
    /// Judges an instance whose nodes before it have all ended.
    pub(super) fn stage(&self, plan: &Plan, id: InstanceId) -> Stage {
        let instance = self.instance(id);
        let node = self.node(plan, id);
        if let Some(body) = instance.body {
            return self.body_stage(body);
        }
        if instance.items.is_some() {
            return self.items_stage(plan, id);
        }
        if instance.item.is_some() {
            return if matches!(node.step, Step::Flow(_)) {
                Stage::Enter
            } else {
                Stage::Start
            };
        }
        if let Some(reason) = self.bypass_reason(plan, id, node) {
            return Stage::Bypass(reason);
        }
        match instance.condition {
            None if node.when.is_some() || node.activate.is_some() => return Stage::Evaluate,
            Some(false) => {
                let what = if node.when.is_some() {
                    "`when` does not hold"
                } else {
                    "`activate` does not hold"
                };
                return Stage::Bypass(what.to_owned());
            }
            _ => {}
        }
        if node.gate.is_some() && !instance.approved() {
            return Stage::Ask;
        }
        if node.foreach.is_some() {
            return Stage::Expand;
        }
        match node.step {
            Step::Gate => Stage::Complete,
            Step::Flow(_) => Stage::Enter,
            Step::Tool(_) | Step::Process(_) => Stage::Start,
        }
    }

    fn body_stage(&self, body: ContextId) -> Stage {
        let context = self.context(body);
        match context.failing {
            Some(failed) if context.active == 0 => Stage::Fail(failed),
            None if context.open == 0 => Stage::Complete,
            _ => Stage::Inside,
        }
    }

    fn items_stage(&self, plan: &Plan, id: InstanceId) -> Stage {
        if self.instance(id).item_failed {
            let failed = self.first_failed_item(plan, id).unwrap_or(id);
            return if self.items(id).any(|item| self.item_active(item)) {
                Stage::Inside
            } else {
                Stage::Fail(failed)
            };
        }
        if self.instance(id).items_open == 0 {
            Stage::Complete
        } else {
            Stage::Inside
        }
    }

    /// The first item whose failure fails the whole `foreach`.
    pub(super) fn first_failed_item(&self, plan: &Plan, id: InstanceId) -> Option<InstanceId> {
        if self.node(plan, id).on_error == Fallback::Continue {
            return None;
        }
        self.items(id)
            .find(|item| self.instance(*item).state == NodeState::Failed)
    }

    fn item_active(&self, item: InstanceId) -> bool {
        let instance = self.instance(item);
        self.running.contains(&item)
            || instance
                .body
                .is_some_and(|body| self.context(body).active > 0)
    }

    /// Why a node does not run although its turn has come, other than by its condition.
    fn bypass_reason(&self, plan: &Plan, id: InstanceId, node: &PlanNode) -> Option<String> {
        if let Some(main) = node.stands_in_for {
            let main_id = self.sibling(id, main);
            if self.instance(main_id).state != NodeState::Failed {
                let name = &plan.scope(self.scope_of(id)).node(main).name;
                return Some(format!("`{name}` did not fail"));
            }
        }
        let scope = plan.scope(self.scope_of(id));
        let without = |node: NodeId| self.output_of(plan, self.sibling(id, node)).is_none();
        if scope.dialect == Dialect::PromptFlow {
            return prompt_flow_bypass(scope, node, without);
        }
        for wire in node.inputs.iter().filter(|wire| wire.required) {
            let mut missing = None;
            wire.binding.reads(|used| {
                let name = used.node();
                missing = name.filter(|name| scope.find(name).is_some_and(&without));
                missing.is_some()
            });
            if let Some(name) = missing {
                return Some(format!(
                    "`{}` comes from `{name}`, which has no output",
                    wire.port
                ));
            }
        }
        // A condition may ask about nodes that did not run; inputs that all come from such nodes
        // leave nothing to run on.
        let reads = &node.reads;
        (node.when.is_none() && !reads.is_empty() && reads.iter().all(|from| without(*from))).then(
            || {
                let names: Vec<String> = reads
                    .iter()
                    .map(|from| format!("`{}`", scope.node(*from).name))
                    .collect();
                format!("all that it reads has no output: {}", names.join(", "))
            },
        )
    }

    /// Puts an instance where `next` finds it.
    pub(super) fn make_ready(&mut self, plan: &Plan, id: InstanceId) {
        match self.stage(plan, id) {
            Stage::Start => {
                self.startable.insert(id);
            }
            Stage::Inside => {}
            _ => {
                self.todo.insert(id);
            }
        }
    }

    /// Whether nothing new may start where an instance stands.
    pub(super) fn held(&self, id: InstanceId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            let instance = self.instance(id);
            if self.context(instance.context).failing.is_some() || self.instance(id).item_failed {
                return true;
            }
            at = self.around(id);
        }
        false
    }

    /// The `foreach` or sub-flow that an instance is inside.
    #[must_use]
    pub fn around(&self, id: InstanceId) -> Option<InstanceId> {
        let instance = self.instance(id);
        instance
            .parent_item
            .or(self.context(instance.context).parent)
    }
}

/// Prompt Flow's rules. A node with `activate` asks only whether what is compared has a value: it
/// runs even when all that it reads was bypassed. Any other node is bypassed when everything that
/// it reads of nodes was; what it reads of the flow's inputs does not count.
fn prompt_flow_bypass(
    scope: &Scope,
    node: &PlanNode,
    without: impl Fn(NodeId) -> bool,
) -> Option<String> {
    if let Some(activate) = &node.activate {
        let uses = activate.when.uses();
        let bypassed = uses.iter().filter_map(Use::node).find(|name| {
            let from = scope.find(name);
            from.is_some_and(&without)
        });
        return bypassed.map(|name| format!("`activate` asks for `{name}`, which has no output"));
    }
    // An aggregation reads lists of all lines, of those without a value, too.
    let none = !node.aggregation
        && node.when.is_none()
        && !node.reads.is_empty()
        && node.reads.iter().all(|from| without(*from));
    none.then(|| {
        let names = node
            .reads
            .iter()
            .map(|from| scope.node(*from).name.as_str());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        format!("all that it reads has no output: {}", names.join(", "))
    })
}

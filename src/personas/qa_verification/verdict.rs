//! [`Verdict`]: what the pack's Rego says of the stacks, as they are and with faults made on purpose.
//!
//! A stack is planned without Terraform ([`crate::terraform::Plan`]), so that the rules hold on any
//! machine. A rule that passes proves little if it cannot fail: the pack lists faults
//! (`faults.yaml`); each is put into the rendered modules, and its rule has to find it.
//!
//! All of that is a function of texts ([`Question`]) and takes most of QA's time, so that a process
//! remembers the verdicts that it came to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::evaluator::{Breach, Evaluator, Refusal};
use crate::contracts::Cloud;
use crate::terraform::{Configuration, Fault, Plan};
use crate::value::{Digest, Value};

/// Everything that a verdict depends on.
pub(super) struct Question<'a> {
    /// The `.rego` files, by path.
    pub(super) sources: Vec<(String, String)>,
    /// Path and text of the list of faults, if any are to be made, or why it cannot be read.
    pub(super) faults: Result<Option<(String, String)>, String>,
    /// The root modules.
    pub(super) stacks: Vec<(Cloud, &'a str)>,
    pub(super) configuration: &'a Configuration,
    /// Of the files that the configuration was read from.
    pub(super) read: Digest,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// How many of the pack's own tests passed, and which did not.
    pub(super) own_tests: Result<(usize, Vec<String>), String>,
    pub(super) rules: Result<Rules, String>,
}

/// What was seen of the rules.
#[derive(Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) stacks: Vec<Stack>,
    /// By rule.
    pub(super) seen: BTreeMap<String, Seen>,
}

/// A stack, as it was planned.
#[derive(Debug, PartialEq)]
pub(super) struct Stack {
    pub(super) cloud: Cloud,
    pub(super) path: String,
    /// How many resources it has.
    pub(super) resources: usize,
    /// The first thing that could not be planned.
    pub(super) open: Option<String>,
}

/// What was seen of one rule.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Breaches of the stacks as they are.
    pub(super) breaches: Vec<String>,
    /// How many faults were made, by cloud.
    pub(super) faults: BTreeMap<Cloud, usize>,
    /// The faults that it did not find.
    pub(super) missed: Vec<String>,
}

/// What the pack's `faults.yaml` holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<Listed>,
}

/// One fault of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// The rule that has to find it.
    rule: String,
    /// What is made wrong, all of it at once.
    make: Vec<Fault>,
}

/// Verdicts by the digest of their question, the oldest first.
static KNOWN: Mutex<VecDeque<(Digest, Arc<Verdict>)>> = Mutex::new(VecDeque::new());
/// At most so many of them,
const MOST: usize = 256;
/// and each with findings of at most so many bytes: a pack is somebody's text.
const LARGEST: usize = 64 * 1024;

impl Question<'_> {
    /// Comes to a verdict, or remembers it.
    pub(super) fn verdict(&self) -> Result<Arc<Verdict>, Refusal> {
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = self.digest();
        if let Some((_, verdict)) = known().iter().find(|(of, _)| *of == digest) {
            return Ok(Arc::clone(verdict));
        }
        let mut evaluator = Evaluator::compile(&self.sources)?;
        let verdict = Arc::new(Verdict {
            own_tests: evaluator.own_tests(),
            rules: self.rules(&mut evaluator),
        });
        if verdict.is_settled() && verdict.bytes() <= LARGEST {
            let mut known = known();
            if known.len() >= MOST {
                known.pop_front();
            }
            known.push_back((digest, Arc::clone(&verdict)));
        }
        Ok(verdict)
    }

    fn digest(&self) -> Digest {
        let read = self.read.hex();
        let mut parts: Vec<&[u8]> = vec![read.as_bytes()];
        for (path, text) in &self.sources {
            parts.extend([&b"source"[..], path.as_bytes(), text.as_bytes()]);
        }
        match &self.faults {
            Ok(None) => {}
            Ok(Some((path, text))) => {
                parts.extend([&b"faults"[..], path.as_bytes(), text.as_bytes()]);
            }
            Err(reason) => parts.extend([&b"no faults"[..], reason.as_bytes()]),
        }
        for (cloud, path) in &self.stacks {
            parts.extend([&b"stack"[..], cloud.as_str().as_bytes(), path.as_bytes()]);
        }
        Digest::of_parts(parts)
    }

    fn rules(&self, evaluator: &mut Evaluator) -> Result<Rules, String> {
        let stacks = self.stacks.iter();
        let plans: Vec<(Cloud, &str, Plan)> = stacks
            .map(|(cloud, path)| (*cloud, *path, Plan::of(self.configuration, path)))
            .collect();
        let mut seen = judge(&plans, evaluator)?;
        match &self.faults {
            Ok(None) => {}
            Ok(Some((path, text))) => {
                let faults = Faults::read(path, text)?;
                break_on_purpose(&faults, &plans, self.configuration, evaluator, &mut seen)?;
            }
            Err(reason) => return Err(reason.clone()),
        }
        let stacks = plans.into_iter().map(|(cloud, path, plan)| Stack {
            cloud,
            path: path.to_owned(),
            resources: plan.resources.len(),
            open: plan.open.into_iter().next(),
        });
        Ok(Rules {
            stacks: stacks.collect(),
            seen,
        })
    }
}

impl Verdict {
    /// Whether everything was evaluated to its end: what was not, for lack of time perhaps, is tried again.
    fn is_settled(&self) -> bool {
        self.own_tests.is_ok() && self.rules.is_ok()
    }

    /// The texts of it, which may be many.
    fn bytes(&self) -> usize {
        let own_tests = self.own_tests.iter().flat_map(|(_, failed)| failed);
        let seen = self.rules.iter().flat_map(|rules| rules.seen.values());
        let texts = own_tests.chain(seen.flat_map(|seen| seen.breaches.iter().chain(&seen.missed)));
        texts.map(String::len).sum()
    }
}

impl Faults {
    fn read(path: &str, text: &str) -> Result<Vec<Listed>, String> {
        let told = |error: &dyn std::fmt::Display| format!("{path}: {error}");
        // Through JSON: YAML's own form of an enum is a tag, which nobody expects to write.
        let value: Value = serde_yaml::from_str(text).map_err(|error| told(&error))?;
        let faults: Self = serde_json::from_value(value).map_err(|error| told(&error))?;
        Ok(faults.faults)
    }
}

/// Evaluates every rule over every stack as it is.
fn judge(
    stacks: &[(Cloud, &str, Plan)],
    evaluator: &mut Evaluator,
) -> Result<BTreeMap<String, Seen>, String> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (_, path, plan) in stacks {
        for Breach { rule, message } in evaluator.breaches(&plan.to_json())? {
            let breaches = &mut seen.entry(rule).or_default().breaches;
            breaches.push(format!("{path}: {message}"));
        }
    }
    Ok(seen)
}

/// Puts every fault into the modules, and evaluates the rules over each stack that it reaches.
fn break_on_purpose(
    faults: &[Listed],
    stacks: &[(Cloud, &str, Plan)],
    configuration: &Configuration,
    evaluator: &mut Evaluator,
    seen: &mut BTreeMap<String, Seen>,
) -> Result<(), String> {
    for listed in faults {
        let Some(broken) = configuration.with(&listed.make) else {
            continue;
        };
        for (cloud, path, plan) in stacks {
            let Some(plan) = plan.again(configuration, &broken, path) else {
                continue;
            };
            let breaches = evaluator.breaches(&plan.to_json())?;
            let seen = seen.entry(listed.rule.clone()).or_default();
            *seen.faults.entry(*cloud).or_default() += 1;
            if !breaches.iter().any(|breach| breach.rule == listed.rule) {
                let made = serde_json::to_string(&listed.make).unwrap_or_default();
                seen.missed.push(format!(
                    "{path}: a fault made on purpose was not found: {made}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(feature = "rego")]
mod tests {
    use super::*;

    const RULES: &str = r#"package flowctl.p
import rego.v1
deny contains {"rule": "tls", "resource": r.address, "message": "it is off"} if {
	some r in input.resource_changes
	not r.change.after.tls
}
warn := set()
"#;
    const FAULTS: &str = "faults:\n  - rule: tls\n    make: [{ resource: cloud_bucket, change: { set: { tls: false } } }]\n";

    /// Asks, over one stack with this text.
    fn ask(
        rules: &str,
        stack: &str,
        faults: Option<&str>,
        change: impl Fn(&mut Question<'_>),
    ) -> (Digest, Arc<Verdict>) {
        let files = [("root/main.tf", stack)];
        let configuration = Configuration::read(files).unwrap();
        let mut question = Question {
            sources: vec![("a.rego".to_owned(), rules.to_owned())],
            faults: Ok(faults.map(|text| ("faults.yaml".to_owned(), text.to_owned()))),
            stacks: vec![(Cloud::Aws, "root")],
            configuration: &configuration,
            read: Digest::of(stack.as_bytes()),
        };
        change(&mut question);
        (question.digest(), question.verdict().ok().unwrap())
    }

    fn is_known(digest: Digest) -> bool {
        KNOWN.lock().unwrap().iter().any(|(of, _)| *of == digest)
    }

    const GOOD: &str = "resource \"cloud_bucket\" \"a\" { tls = true }\n";

    #[test]
    fn a_verdict_is_remembered_and_is_the_same() {
        let (digest, first) = ask(RULES, GOOD, Some(FAULTS), |_| ());
        assert!(is_known(digest));
        let (_, again) = ask(RULES, GOOD, Some(FAULTS), |_| ());
        assert!(Arc::ptr_eq(&first, &again));
        let rules = first.rules.as_ref().unwrap();
        assert_eq!(rules.stacks[0].resources, 1);
        assert_eq!(rules.seen["tls"].faults[&Cloud::Aws], 1);
        assert_eq!(rules.seen["tls"].missed, Vec::<String>::new());
    }

    #[test]
    fn every_part_of_the_question_counts() {
        let plain = ask(RULES, GOOD, None, |_| ());
        let blind = RULES.replace("tls\n", "other\n");
        let bad = GOOD.replace("true", "false");
        let others = [
            ask(&blind, GOOD, None, |_| ()),
            ask(RULES, &bad, None, |_| ()),
            ask(RULES, GOOD, Some(FAULTS), |_| ()),
            ask(RULES, GOOD, Some("faults: []"), |_| ()),
            ask(RULES, GOOD, None, |question| question.stacks.clear()),
            ask(RULES, GOOD, None, |question| {
                question.stacks[0].0 = Cloud::Gcp;
            }),
            ask(RULES, GOOD, None, |question| {
                question.sources[0].0 = "b.rego".to_owned();
            }),
        ];
        let digests: std::collections::BTreeSet<String> = others
            .iter()
            .chain([&plain])
            .map(|(digest, _)| digest.hex())
            .collect();
        assert_eq!(digests.len(), others.len() + 1);
        let breaches = |verdict: &Verdict| {
            let rules = verdict.rules.as_ref().unwrap();
            rules.seen.get("tls").map_or(0, |seen| seen.breaches.len())
        };
        assert_eq!(breaches(&plain.1), 0);
        assert_eq!(
            breaches(&others[0].1),
            1,
            "the blind rule sees no tls anywhere"
        );
        assert_eq!(breaches(&others[1].1), 1);
    }

    #[test]
    fn what_did_not_end_is_asked_again() {
        let broken = RULES.replace("warn := set()", "warn := 1");
        let (digest, verdict) = ask(&broken, GOOD, None, |_| ());
        assert!(verdict.rules.is_err() && !is_known(digest));
        let (digest, verdict) = ask(RULES, GOOD, Some("faults: 7"), |_| ());
        assert!(verdict.rules.is_err() && !is_known(digest));
    }

    #[test]
    fn long_findings_are_not_kept() {
        let long = GOOD.replace("\"a\"", &format!("\"{}\"", "a".repeat(LARGEST)));
        let (digest, verdict) = ask(RULES, &long.replace("true", "false"), None, |_| ());
        assert!(verdict.rules.is_ok() && !is_known(digest));
    }
}

//! One bundle: what it says of itself, and what follows from its journal.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::super::bundle::{
    self, DECISIONS, ENVELOPE, JOURNAL, MANIFEST, OSCAL_ENVELOPE, PUBLISHED, Parts, SUMS,
};
use super::super::index::{Listed, open_object};
use super::super::ledger::Entry;
use super::super::material::{is_inside, project};
use super::super::record::text;
use super::super::story::Story;
use super::super::{PublicKey, envelope, is_document};
use super::logs::LogLine;
use super::{Check, Seal, difference, first_difference};
use crate::id::{NodePath, RunId};
use crate::run::{Decision, Electorate, External, Payload};
use crate::store::Record;
use crate::value::{Digest, Object};

/// What a gate asked.
struct Asked {
    digest: Digest,
    approvers: Vec<String>,
    separation_of_duties: bool,
    quorum: u32,
    /// Who said yes.
    yeses: Vec<String>,
}

impl Check<'_> {
    /// Verifies one bundle; `dir` ends with `/` unless it is the folder that was given.
    pub(super) fn bundle(
        &mut self,
        dir: &str,
        files: &[&String],
        named: Option<&Entry>,
        lines: &[LogLine],
    ) {
        let at = |name: &str| format!("{dir}{name}");
        let manifest_path = at(MANIFEST);
        let bundles = self.report.bundles.len();
        self.manifest(&manifest_path, dir, files, named, lines);
        // Signatures were judged by themselves if it came to that.
        let sealed = self.report.bundles.get(bundles).map(|(_, _, _, seal)| seal);
        let sealed = sealed.is_some_and(|seal| *seal != Seal::Unchecked);
        if self.bad.contains(&manifest_path) {
            self.by_sums(dir, files, named);
        } else if let Some(bytes) = self.good(&manifest_path)
            && let Ok(manifest) = open_object(&bytes)
        {
            self.sums(dir, &manifest, &bytes, sealed);
        }
    }

    fn manifest(
        &mut self,
        manifest_path: &str,
        dir: &str,
        files: &[&String],
        named: Option<&Entry>,
        lines: &[LogLine],
    ) {
        let at = |name: &str| format!("{dir}{name}");
        let Some(bytes) = self.good(manifest_path) else {
            return;
        };
        let manifest = match open_object(&bytes) {
            Ok(manifest) => manifest,
            Err(message) => return self.wrong(manifest_path, None, message),
        };
        if manifest.get("v").and_then(Value::as_u64) != Some(1) {
            return self.wrong(manifest_path, None, "it has another format version");
        }
        if let Some(entry) = named
            && let Some(closed) = &entry.bundle
            && closed.manifest != Digest::of(&bytes)
        {
            return self.wrong(
                manifest_path,
                None,
                format!(
                    "it is not the manifest that entry {} of the ledger names",
                    entry.n
                ),
            );
        }
        let stated = self.stated(dir, &manifest, files);
        let run = RunId::from(text(&manifest, "run"));
        let Some(journal) = stated.get(JOURNAL) else {
            if !self.bad.contains(&at(JOURNAL)) {
                self.wrong(manifest_path, None, "it names no journal");
            }
            return;
        };
        let recovered = match crate::store::verify(Path::new(JOURNAL), journal) {
            Ok(recovered) if recovered.torn == 0 => recovered,
            Ok(recovered) => {
                return self.wrong(
                    &at(JOURNAL),
                    Some(recovered.records.len() + 1),
                    "it does not end",
                );
            }
            Err(crate::store::Error::Damaged { line, message, .. }) => {
                return self.wrong(&at(JOURNAL), Some(line), message);
            }
            Err(error) => return self.wrong(&at(JOURNAL), None, error.to_string()),
        };
        if recovered.run != run.as_str() {
            return self.wrong(
                &at(JOURNAL),
                Some(1),
                format!(
                    "it belongs to run `{}`, and the manifest to `{run}`",
                    recovered.run
                ),
            );
        }
        let output = |digest: Digest| stated.get(&output_path(digest)).cloned();
        let story = Story::of(&run, &recovered.records, &output);
        let signature = manifest.get("signature").cloned().unwrap_or_default();
        let (key, unreadable) = signer(&signature);
        let parts = Parts {
            run: &run,
            subject: text(&manifest, "subject"),
            name: &crate::slug::Slug::of(text(&manifest, "subject")).to_string(),
            story: &story,
            journal_head: recovered.records.last().map_or("", |record| &record.hash),
            signer: key.as_ref(),
        };
        self.reprojected(dir, &parts, &bytes, &stated, unreadable);
        self.judged(dir, &run, &recovered.records, &stated);
        if named.is_some() {
            self.compared(&run, &recovered.records, lines);
        }
        let seal = self.bundle_seal(dir, &parts, &bytes, &stated, unreadable);
        let status = text(&manifest, "status").to_owned();
        let shown = if dir.is_empty() {
            "."
        } else {
            dir.trim_end_matches('/')
        };
        self.report
            .bundles
            .push((shown.to_owned(), run.to_string(), status, seal));
    }

    /// The files that a manifest names, as far as they are what it says; others do not belong there.
    fn stated(
        &mut self,
        dir: &str,
        manifest: &Object,
        files: &[&String],
    ) -> BTreeMap<String, Vec<u8>> {
        let mut stated = BTreeMap::new();
        let empty = Object::new();
        let listed = manifest
            .get("files")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        for (name, known) in listed {
            if !is_inside(name) {
                let message = format!("it names `{}`, which leads out of it", name.escape_debug());
                self.wrong(&format!("{dir}{MANIFEST}"), None, message);
                continue;
            }
            let path = format!("{dir}{name}");
            let Some(bytes) = self.good(&path) else {
                continue;
            };
            let known: Result<Listed, _> = serde_json::from_value(known.clone());
            match known {
                Ok(known) if known.fits(&bytes) => {
                    stated.insert(name.clone(), bytes);
                }
                Ok(known) => {
                    let (line, message) = difference(name, &known, &bytes);
                    self.wrong(&path, line, message);
                }
                Err(error) => self.wrong(&format!("{dir}{MANIFEST}"), None, error.to_string()),
            }
        }
        let signed = manifest.get("signature").is_some_and(Value::is_object);
        for path in files {
            let name = &path[dir.len()..];
            let document = name.strip_suffix(OSCAL_ENVELOPE);
            let ours = [MANIFEST, SUMS].contains(&name)
                || (signed
                    && (name == ENVELOPE
                        || document.is_some_and(|name| listed.contains_key(name))));
            if !ours && !listed.contains_key(name) && !self.bad.contains(*path) {
                self.wrong(
                    path,
                    None,
                    "the manifest does not name it: it was added, or renamed",
                );
            }
        }
        stated
    }

    /// What follows from the journal must be what is there.
    fn reprojected(
        &mut self,
        dir: &str,
        parts: &Parts<'_>,
        manifest: &[u8],
        stated: &BTreeMap<String, Vec<u8>>,
        unreadable: bool,
    ) {
        let signed = parts.signed();
        let signed = signed.into_iter().map(|(name, bytes)| (name, Some(bytes)));
        let lists = [
            (DECISIONS.to_owned(), parts.decisions()),
            (PUBLISHED.to_owned(), parts.published()),
        ];
        for (name, expected) in lists.into_iter().chain(signed) {
            let path = format!("{dir}{name}");
            if self.bad.contains(&path) {
                continue;
            }
            let found = stated.get(&name);
            if found != expected.as_ref() {
                let line = match (found, &expected) {
                    (Some(found), Some(expected)) => Some(first_difference(found, expected)),
                    _ => None,
                };
                self.wrong(&path, line, "it is not what the journal tells");
            }
        }
        for file in &parts.story.evidence {
            if is_document(&file.path)
                && stated
                    .get(&file.path)
                    .is_some_and(|bytes| Digest::of(bytes) != file.sha256)
            {
                self.wrong(
                    &format!("{dir}{}", file.path),
                    None,
                    "it is not the document that the journal names",
                );
            }
        }
        let whole = serde_json::from_slice::<Value>(manifest).unwrap_or_default();
        let listed = whole["files"].as_object().map_or(0, Object::len);
        if listed != stated.len() || unreadable {
            return;
        }
        let again = parts.manifest(
            stated
                .iter()
                .map(|(path, bytes)| (path, Digest::of(bytes), bytes.len() as u64)),
        );
        if again != manifest {
            let line = first_difference(manifest, &again);
            self.wrong(
                &format!("{dir}{MANIFEST}"),
                Some(line),
                "it is not what the journal tells",
            );
        }
    }

    /// Recomputes what approvals were about, and that each answer names it.
    fn judged(
        &mut self,
        dir: &str,
        run: &RunId,
        records: &[Record],
        stated: &BTreeMap<String, Vec<u8>>,
    ) {
        let path = &format!("{dir}{JOURNAL}");
        let mut flow = None;
        let mut asked: BTreeMap<NodePath, Asked> = BTreeMap::new();
        let mut people: Option<Electorate> = None;
        for record in records {
            let line = usize::try_from(record.seq).ok();
            let payload = match Payload::parse(&record.event, &record.data) {
                Ok(Some(payload)) => payload,
                Ok(None) => continue,
                Err(error) => {
                    self.wrong(path, line, format!("its data cannot be read: {error}"));
                    continue;
                }
            };
            // A value in a file of its own: what is wrong with the file itself is said already.
            let external = payload.external();
            let elsewhere = external.map(|external| output_path(external.sha256));
            if let Some(name) = &elsewhere
                && !stated.contains_key(name)
                && !self.bad.contains(&format!("{dir}{name}"))
            {
                self.wrong(
                    path,
                    line,
                    format!("its value is in `{name}`, which is not in the bundle"),
                );
            }
            match payload {
                Payload::RunStarted(data) => {
                    flow = Some(data.snapshot);
                    people = data.approvers.map(|pinned| Electorate {
                        now: (*pinned).clone(),
                        pinned: *pinned,
                        hands: vec![data.by],
                    });
                }
                Payload::FlowChanged(data) => {
                    flow = Some(data.snapshot);
                    if let Some(people) = &mut people {
                        people.hands.push(data.by);
                    }
                }
                Payload::ApprovalRequested(data) => {
                    let digest = Digest::of_json(&serde_json::json!({
                        "flow": flow.map(|flow| flow.to_string()),
                        "node": data.node.as_str(),
                        "round": record.round,
                        "inputs": data.inputs,
                        "files": data.files,
                    }));
                    if digest != data.digest {
                        self.wrong(path, line, format!("what `{}` asks for has the digest {digest}, and the request says {}", data.node, data.digest));
                    }
                    let gate = Asked {
                        digest: data.digest,
                        approvers: data.approvers,
                        separation_of_duties: data.separation_of_duties,
                        quorum: data.quorum,
                        yeses: Vec::new(),
                    };
                    asked.insert(data.node, gate);
                }
                Payload::NodeStarted(data) => self.went_on(path, line, &data.node, &asked),
                Payload::SubflowStarted(data) => self.went_on(path, line, &data.node, &asked),
                Payload::ForeachExpanded(data) => self.went_on(path, line, &data.node, &asked),
                Payload::ApprovalDecided(data) => {
                    let of = format!("the decision of {} at `{}`", data.by, data.node);
                    let gate = asked.get_mut(&data.node);
                    if gate.as_ref().map(|gate| gate.digest) != Some(data.digest) {
                        let names =
                            format!("{of} names {}, which is not what was asked", data.digest);
                        self.wrong(path, line, names);
                    }
                    // A build that cannot check signatures says nothing of them.
                    if cfg!(feature = "sign") {
                        match data.signer(run) {
                            Ok(signer) => {
                                if let (Some(people), Some(gate)) = (&people, &gate)
                                    && let Some(reason) = people.refusal(
                                        &gate.approvers,
                                        gate.separation_of_duties,
                                        &data,
                                        signer.as_ref(),
                                    )
                                {
                                    self.wrong(
                                        path,
                                        line,
                                        format!("{of} does not count: {reason}"),
                                    );
                                }
                                let says = &data.identity;
                                let signed = signer.map(|signer| signer.identity());
                                if says.starts_with("ssh-key") && Some(says) != signed.as_ref() {
                                    self.wrong(
                                        path,
                                        line,
                                        format!("{of} says `{says}`, and its signature does not"),
                                    );
                                }
                            }
                            Err(reason) => {
                                self.wrong(path, line, format!("{of} does not count: {reason}"));
                            }
                        }
                    }
                    if let (Some(gate), Decision::Approved) = (gate, data.decision) {
                        if gate.yeses.contains(&data.by) {
                            let twice = format!("{of} is counted twice");
                            self.wrong(path, line, twice);
                        }
                        gate.yeses.push(data.by);
                    }
                }
                Payload::NodeSucceeded(data) => {
                    self.went_on(path, line, &data.node, &asked);
                    let output = match &elsewhere {
                        None => data.output.get().as_bytes(),
                        Some(name) => match stated.get(name) {
                            Some(bytes) => bytes,
                            None => continue,
                        },
                    };
                    let output: Value = serde_json::from_slice(output).unwrap_or_default();
                    if Digest::of_json(&output) != data.digest {
                        self.wrong(
                            path,
                            line,
                            format!(
                                "the output of `{}` does not have the digest that it states",
                                data.node
                            ),
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// Checks that a node behind a gate went on only with as many yeses as the gate takes.
    fn went_on(
        &mut self,
        path: &str,
        line: Option<usize>,
        node: &NodePath,
        asked: &BTreeMap<NodePath, Asked>,
    ) {
        let Some(gate) = asked.get(node) else {
            return;
        };
        if gate.yeses.len() < gate.quorum as usize {
            let (wanted, got) = (gate.quorum, gate.yeses.len());
            let message = format!("`{node}` went on with {got} of {wanted} yeses");
            self.wrong(path, line, message);
        }
    }

    /// Compares what came into the node logs after a bundle was closed with its journal.
    pub(super) fn late(&mut self, dir: &str, run: &RunId, lines: &[LogLine]) {
        let path = format!("{dir}{JOURNAL}");
        if lines.is_empty() {
            return;
        }
        if let Some(bytes) = self.good(&path)
            && let Ok(recovered) = crate::store::verify(Path::new(JOURNAL), &bytes)
        {
            self.compared(run, &recovered.records, lines);
        }
    }

    /// Compares the node logs with the journal.
    fn compared(&mut self, run: &RunId, records: &[Record], lines: &[LogLine]) {
        for LogLine { path, line, record } in lines {
            if self.bad.contains(path) {
                continue;
            }
            let seq = record.get("seq").and_then(Value::as_u64);
            let seq = seq.and_then(|seq| usize::try_from(seq).ok()).unwrap_or(0);
            // A run that went on after its bundle was closed has later records in the logs.
            let Some(told) = seq.checked_sub(1).and_then(|at| records.get(at)) else {
                continue;
            };
            let mut found = record.clone();
            found.shift_remove("prev_hash");
            found.shift_remove("hash");
            if project(run, told).is_none_or(|(projected, _)| projected.body != found) {
                self.wrong(
                    path,
                    Some(*line),
                    format!("it is not what record {seq} of the journal of run {run} tells"),
                );
            }
        }
    }

    fn bundle_seal(
        &mut self,
        dir: &str,
        parts: &Parts<'_>,
        manifest: &[u8],
        stated: &BTreeMap<String, Vec<u8>>,
        unreadable: bool,
    ) -> Seal {
        if unreadable {
            return Seal::Unchecked;
        }
        let Some(key) = parts.signer else {
            return Seal::Unsigned;
        };
        let documents: BTreeMap<String, Vec<u8>> = stated
            .iter()
            .filter(|(name, _)| is_document(name))
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect();
        for (name, statement) in parts.statements(manifest, &documents) {
            let path = format!("{dir}{name}");
            if let Some(bytes) = self.good(&path)
                && let Err(message) = envelope::check(&bytes, &statement, key)
            {
                self.wrong(&path, None, message);
            }
        }
        self.seal(key)
    }

    /// Compares the sums with the manifest; of signatures, which it does not list, with the files.
    fn sums(&mut self, dir: &str, manifest: &Object, bytes: &[u8], sealed: bool) {
        let path = format!("{dir}{SUMS}");
        let Some(found) = self.good(&path) else {
            return;
        };
        let listed = manifest.get("files").and_then(Value::as_object);
        let stated = |file: &Value| file["sha256"].as_str().unwrap_or_default().to_owned();
        let mut expected: BTreeMap<String, String> = listed
            .into_iter()
            .flatten()
            .map(|(name, file)| (name.clone(), stated(file)))
            .collect();
        let mut signatures = Vec::new();
        if manifest.get("signature").is_some_and(Value::is_object) {
            let documents = expected.keys().filter(|name| is_document(name));
            signatures.extend(documents.map(|name| format!("{name}{OSCAL_ENVELOPE}")));
            signatures.push(ENVELOPE.to_owned());
        }
        expected.insert(MANIFEST.to_owned(), Digest::of(bytes).hex());
        let says = read_sums(&found);
        for name in signatures {
            let path = format!("{dir}{name}");
            let said = says.get(&name).filter(|said| Digest::parse(said).is_some());
            // Not every document has one.
            let there = self.tree.read(&path).is_ok();
            let good = if sealed && there {
                self.good(&path)
            } else {
                None
            };
            if let Some(bytes) = good {
                expected.insert(name, Digest::of(&bytes).hex());
            } else if let Some(said) = said {
                // It was changed or not judged; what the sums say of it may be right.
                expected.insert(name, said.clone());
            } else if there {
                expected.insert(name, "missing".to_owned());
            }
        }
        let expected = bundle::sums(expected.iter().map(|(name, hex)| (&**name, hex.clone())));
        if expected != found {
            let line = first_difference(&found, &expected);
            return self.wrong(&path, Some(line), "it does not say what the files are");
        }
        for (name, said) in says {
            let path = format!("{dir}{name}");
            let signature = name == ENVELOPE || name.ends_with(OSCAL_ENVELOPE);
            if signature
                && !sealed
                && let Some(bytes) = self.good(&path)
                && Digest::of(&bytes).hex() != said
            {
                self.wrong(&path, None, "its content is not what `SHA256SUMS` says");
            }
        }
    }

    /// When the manifest is damaged, the sums still tell the other files of a bundle, if they are
    /// those of the manifest that the ledger names.
    fn by_sums(&mut self, dir: &str, files: &[&String], named: Option<&Entry>) {
        let Some(bytes) = self.good(&format!("{dir}{SUMS}")) else {
            return;
        };
        let says = read_sums(&bytes);
        let closed = named.and_then(|entry| entry.bundle.as_ref());
        let manifest = says.get(MANIFEST).and_then(|said| Digest::parse(said));
        if manifest.is_none() || closed.is_some_and(|closed| Some(closed.manifest) != manifest) {
            return;
        }
        for (name, said) in &says {
            let path = format!("{dir}{name}");
            if name != MANIFEST
                && let Some(bytes) = self.good(&path)
                && Digest::of(&bytes).hex() != *said
            {
                self.wrong(&path, None, "its content is not what `SHA256SUMS` says");
            }
        }
        for path in files {
            let name = &path[dir.len()..];
            if ![MANIFEST, SUMS].contains(&name)
                && !says.contains_key(name)
                && !self.bad.contains(*path)
            {
                self.wrong(path, None, "`SHA256SUMS` does not name it");
            }
        }
    }
}

/// What sums say, by file; lines that are none are left out.
fn read_sums(bytes: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(bytes);
    let line = |line: &str| {
        let (line, escaped) = match line.strip_prefix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (hex, name) = line.split_once("  ")?;
        let name = if escaped {
            unescape(name)
        } else {
            name.to_owned()
        };
        Some((name, hex.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// A name as `sha256sum` escapes it.
fn unescape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some(c) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}

/// Where a bundle has a value that is in a file of its own.
fn output_path(sha256: Digest) -> String {
    format!("{}{}.json", External::FOLDER, sha256.hex())
}

/// The key of a manifest's `signature`, and whether it names one that cannot be read here.
fn signer(signature: &Value) -> (Option<PublicKey>, bool) {
    match signature["key"].as_str() {
        None => (None, false),
        Some(key) => {
            let key = PublicKey::parse(key).ok();
            let unreadable = key.is_none();
            (key, unreadable)
        }
    }
}

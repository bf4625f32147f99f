//! The rooms and who may know whom, as `DESIGN.md` §2 draws them: read from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::harness::repository;

/// Room and floor. A room uses rooms on lower floors only; rooms on one floor do not know each other.
const FLOORS: [(&str, u32); 23] = [
    ("value", 0),
    ("id", 0),
    ("diagnostic", 0),
    ("slug", 0),
    ("python_value", 0),
    ("yaml", 10),
    ("terraform", 15),
    ("expr", 20),
    ("port", 20),
    ("flow", 25),
    ("approvers", 26),
    ("plan", 30),
    ("run", 35),
    ("tool", 40),
    ("store", 40),
    ("evidence", 45),
    ("export", 45),
    ("engine", 50),
    ("cli", 60),
    ("web", 58),
    // Above everything, and in no binary.
    ("fuzzing", 70),
    // At the side: nobody's floor; see `may_use`.
    ("contracts", 1_000),
    ("personas", 1_000),
];

fn floor(room: &str) -> u32 {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .unwrap_or_else(|| panic!("`src/{room}` has no floor"))
        .1
}

fn may_use(from: &str, file: &str, to: &str) -> bool {
    match (from, to) {
        _ if from == to => true,
        // The composition root brings the personas, and nobody else knows of them.
        ("cli", "contracts" | "personas") => file == "src/cli/mod.rs" || to == "contracts",
        ("personas", "contracts" | "terraform") | ("fuzzing", _) => true,
        ("contracts" | "personas", to) => floor(to) == 0 || floor(to) == 20,
        // Words that everyone uses may use each other.
        (from, to) if floor(from) == 0 && floor(to) == 0 => true,
        (from, to) => floor(to) < floor(from),
    }
}

fn sources(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text without comments and without what only tests see.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        if line.trim() == "#[cfg(test)]" {
            // The item that follows, to the line that closes it at the same indentation.
            let indent = line.len() - line.trim_start().len();
            for line in lines.by_ref() {
                let at = line.len() - line.trim_start().len();
                if at == indent
                    && (line.trim_end().ends_with(';') || line.trim_start().starts_with('}'))
                {
                    break;
                }
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The rooms that a source names, by `crate::room` and within `use crate::{…}`.
fn named(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for found in Regex::new(r"\bcrate::([a-z_]+)")
        .unwrap()
        .captures_iter(text)
    {
        rooms.insert(found[1].to_owned());
    }
    for found in Regex::new(r"\bcrate::\{([^;]*)\}")
        .unwrap()
        .captures_iter(text)
    {
        let (mut depth, mut word) = (0, String::new());
        for c in found[1].chars().chain([',']) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let room = word.split("::").next().unwrap_or_default();
                    rooms.extend(room.split_whitespace().next().map(str::to_owned));
                    word.clear();
                }
                _ if depth == 0 => word.push(c),
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn rooms_know_only_the_floors_below() {
    let mut files = Vec::new();
    sources(&repository("src"), &mut files);
    assert!(files.len() > 100, "the sources were found");
    // `#[cfg(test)] mod name;` makes a whole file one for tests.
    let declared =
        Regex::new(r"#\[cfg\(test\)\]\s+(?:pub(?:\([a-z]+\))? )?mod ([a-z_]+);").unwrap();
    let only_for_tests: BTreeSet<std::path::PathBuf> = files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let names: Vec<String> = declared
                .captures_iter(&text)
                .map(|found| found[1].to_owned())
                .collect();
            names
                .into_iter()
                .map(|name| file.with_file_name(name + ".rs"))
        })
        .collect();
    let mut forbidden = BTreeSet::new();
    let mut arrows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for path in files {
        let file = path
            .strip_prefix(repository(""))
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let room = file
            .trim_start_matches("src/")
            .split(['/', '.'])
            .next()
            .unwrap()
            .to_owned();
        if matches!(room.as_str(), "lib" | "main") || only_for_tests.contains(&path) {
            continue;
        }
        for to in named(&without_tests(&std::fs::read_to_string(&path).unwrap())) {
            if FLOORS.iter().any(|(name, _)| *name == to) {
                *arrows.entry((room.clone(), to.clone())).or_default() += 1;
                if !may_use(&room, &file, &to) {
                    forbidden.insert(format!("{file} uses {to}"));
                }
            }
        }
    }
    assert!(arrows.len() > 40, "the arrows were read: {arrows:?}");
    assert_eq!(
        forbidden,
        BTreeSet::new(),
        "arrows that the table of floors forbids"
    );
}

#[test]
fn every_room_has_a_floor() {
    for entry in std::fs::read_dir(repository("src")).unwrap().flatten() {
        let name = entry
            .file_name()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if !matches!(name.as_str(), "lib" | "main") {
            floor(&name);
        }
    }
}

#[test]
fn this_test_sees_what_it_should() {
    assert_eq!(
        named("use crate::{flow::{A, B}, plan, yaml as y};"),
        ["flow", "plan", "yaml"].map(str::to_owned).into()
    );
    assert_eq!(
        named("crate::store::read(x); crate::Foo"),
        ["store".to_owned()].into()
    );
    let text = "use crate::a::X;\n#[cfg(test)]\nuse crate::b::Y;\n// crate::c::Z\n#[cfg(test)]\nmod tests {\n    use crate::d::W;\n}\nfn f() { crate::e::g() }\n";
    assert_eq!(
        named(&without_tests(text)),
        ["a", "e"].map(str::to_owned).into()
    );
    assert!(
        !may_use("tool", "src/tool/x.rs", "store") && !may_use("expr", "src/expr/x.rs", "port")
    );
    assert!(
        !may_use("engine", "src/engine/x.rs", "personas")
            && !may_use("cli", "src/cli/report.rs", "personas")
    );
    assert!(
        !may_use("personas", "src/personas/x.rs", "yaml")
            && may_use("personas", "src/personas/x.rs", "port")
    );
}

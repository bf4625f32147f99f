//! Real tools in a real Python. Where there is none, they say that they did not run.

mod calling;
mod describing;
mod hostile;

use std::path::Path;

use serde_json::json;

use super::*;
use crate::value::{Object, Value};

/// A folder with files, and the Python in it.
struct Flow {
    dir: tempfile::TempDir,
    python: Arc<Python>,
}

fn search() -> Search {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH");
    Search {
        path: path.map(|(_, path)| path),
        ..Search::default()
    }
}

/// Whether there is a Python; a test without one is noted for `scripts/test`, which shows the list.
fn has_python() -> bool {
    let Err(failure) = search().find() else {
        return true;
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("tool::python::tests");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&folder).expect("a folder");
    let list = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("not-run"));
    let line = format!("{test}: {}\n", failure.message);
    list.and_then(|mut list| std::io::Write::write_all(&mut list, line.as_bytes()))
        .expect("the list is written");
    false
}

const HEADER: &str = "from promptflow.core import tool\n";

impl Flow {
    fn new(files: &[(&str, &str)]) -> Option<Self> {
        Self::with(files, |_| {})
    }

    /// Nothing where there is no Python.
    fn with(files: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Option<Self> {
        if !has_python() {
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            std::fs::write(dir.path().join(path), format!("{HEADER}{text}")).expect("a file");
        }
        let mut search = search();
        search.folders = vec![dir.path().to_owned()];
        let mut settings = Settings::new(dir.path().to_owned(), search);
        change(&mut settings);
        Some(Self {
            python: Arc::new(Python::new(settings)),
            dir,
        })
    }

    fn file(&self, path: &str) -> Reference {
        Reference::File {
            path: self.dir.path().join(path),
            function: None,
            instance: None,
        }
    }

    fn request(&self, path: &str, inputs: Value) -> CallRequest {
        let mut request = CallRequest::new(self.file(path), object(inputs));
        let name = format!("{path}.log");
        request.log = Some(LogFile::lazy(self.dir.path().join(name)));
        request
    }

    async fn call(&self, path: &str, inputs: Value) -> Result<Answer, Failure> {
        self.python.call(self.request(path, inputs)).await
    }

    async fn output(&self, path: &str, inputs: Value) -> Value {
        let answer = self.call(path, inputs).await.expect("Python answers");
        answer.result.expect("it does not fail")
    }

    async fn raised(&self, path: &str) -> Raised {
        let answer = self.call(path, json!({})).await.expect("Python answers");
        answer.result.expect_err("it fails")
    }

    async fn failure(&self, path: &str) -> Failure {
        self.call(path, json!({})).await.expect_err("Python ends")
    }

    fn log(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("{path}.log"))).unwrap_or_default()
    }

    fn describe(&self, reference: Reference) -> Result<Description, Box<Raised>> {
        let described = self.python.describe(&[reference]);
        described.expect("Python answers").remove(0)
    }

    fn scrub(&self, text: &str) -> String {
        text.replace(&*self.dir.path().to_string_lossy(), "FLOW")
    }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Whether anything of a process group still runs.
fn group_runs(pid: i32) -> bool {
    let stat = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    stat.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| {
            let rest: Vec<String> = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            (rest[0] != "Z").then(|| rest[2].clone())
        })
        .any(|group| group == pid.to_string())
}

async fn gone(pid: i32) -> bool {
    for _ in 0..500 {
        if !group_runs(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn pid(value: &Value) -> i32 {
    let pid = value.as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.expect("a process id")
}

#[test]
fn limits_of_memory() {
    for (text, bytes) in [
        ("1000", 1000),
        ("512M", 512 << 20),
        (" 2 g", 2 << 30),
        ("1k", 1024),
    ] {
        assert_eq!(memory_limit(text), Some(bytes), "{text}");
    }
    for text in ["", "0", "-1", "1.5G", "G", "2T", "99999999999G"] {
        assert_eq!(memory_limit(text), None, "{text}");
    }
}

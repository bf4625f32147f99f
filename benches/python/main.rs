//! A warm call of a Python tool against a bare pipe through Python, and the start of a worker
//! against the start of Python.
//!
//! `cargo bench --bench python`; ratios of medians within one run.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowctl::tool::python::{CallRequest, Python, Reference, Search, Settings};
use flowctl::value::Object;

const CALLS: usize = 3000;
const STARTS: usize = 15;
const ECHO: &str = "import os\nwhile True:\n    data = os.read(0, 65536)\n    if not data: break\n    os.write(1, data)\n";
const TOOL: &str = "from promptflow.core import tool\n@tool\ndef same(x): return x\n";

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(count: usize, mut work: impl FnMut()) -> Duration {
    let times = (0..count).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    median(times.collect())
}

fn search(folder: &Path) -> Search {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH");
    Search {
        folders: vec![folder.to_owned()],
        path: path.map(|(_, path)| path),
        ..Search::default()
    }
}

fn piped(python: &PathBuf, program: &str) -> Child {
    let mut command = Command::new(python);
    command.args(["-u", "-c", program]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("Python starts")
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("tool.py");
    std::fs::write(&file, TOOL).expect("a file");
    let search = search(dir.path());
    let Ok(python) = search.find() else {
        println!("not-run: there is no Python");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let text = "a".repeat(1010);
    let mut inputs = Object::new();
    inputs.insert("x".to_owned(), text.as_str().into());
    let request = CallRequest::new(
        Reference::File {
            path: file,
            function: None,
            instance: None,
        },
        inputs,
    );

    let mut echo = piped(&python, ECHO);
    let (mut to, mut from) = (
        echo.stdin.take().expect("a pipe"),
        echo.stdout.take().expect("a pipe"),
    );
    let mut buffer = vec![0; text.len()];
    let mut through = || {
        to.write_all(text.as_bytes()).expect("it reads");
        from.read_exact(&mut buffer).expect("it answers");
    };
    let tools = Python::new(Settings::new(dir.path().to_owned(), search.clone()));
    let call = || {
        let answer = runtime.block_on(tools.call(request.clone()));
        assert!(answer.expect("Python answers").result.is_ok());
    };
    timed(100, &mut through);
    timed(100, call);
    for _ in 0..3 {
        let (bare, called) = (timed(CALLS, &mut through), timed(CALLS, call));
        println!(
            "call with 1 KiB in and out: {called:.1?}; a bare pipe through Python: {bare:.1?}; above it {:.1?}",
            called.saturating_sub(bare)
        );
    }
    drop(to);
    echo.wait().expect("it ends");

    let bare = timed(STARTS, || {
        piped(&python, "pass").wait().expect("it ends");
    });
    let worker = timed(STARTS, || {
        let tools = Python::new(Settings::new(dir.path().to_owned(), search.clone()));
        let answer = runtime.block_on(tools.call(request.clone()));
        assert!(answer.expect("Python answers").result.is_ok());
    });
    println!(
        "start, first call and end of a worker: {worker:.1?}; of a bare Python: {bare:.1?}; ratio {:.2}",
        worker.as_secs_f64() / bare.as_secs_f64()
    );
}

//! The flagship flow: 60 runs up to the pause in one process, against the least that writes the same.
//!
//! usage: cargo bench --bench flagship -- [--checks full|fast] [--passes N] [--keep FOLDER]
//!
//! Every set of clouds with every classification, as `flowctl run` does it: the flow is compiled anew
//! for each run. A pass with a product of another name comes after the first, so that nothing of what
//! is rendered for the product has been seen before; the last pass repeats it. Terraform is kept off the
//! PATH. `docs/performance.md` says what the rows mean.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program that reports and is told what to do"
)]

mod floor;
mod runs;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use runs::Workspace;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    wall: Duration,
    /// Of all threads of this process.
    cpu: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (Took, T) {
    let (begun, cpu) = (Instant::now(), process_cpu());
    let result = work();
    let took = Took {
        wall: begun.elapsed(),
        cpu: process_cpu().saturating_sub(cpu),
    };
    (took, result)
}

fn process_cpu() -> Duration {
    let time = ClockId::CLOCK_PROCESS_CPUTIME_ID.now();
    Duration::from(time.expect("the kernel knows this clock"))
}

/// The most memory that this process has held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

struct Options {
    checks: String,
    passes: usize,
    keep: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        checks: "full".to_owned(),
        passes: 3,
        keep: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} takes a value"));
        match word.as_str() {
            // What cargo itself adds.
            "--bench" => {}
            "--checks" => options.checks = value()?,
            "--keep" => options.keep = Some(PathBuf::from(value()?)),
            "--passes" => {
                let passes = value()?.parse();
                options.passes = passes.map_err(|_| "--passes takes a number".to_owned())?;
            }
            other => return Err(format!("there is no `{other}`")),
        }
    }
    Ok(options)
}

/// Starts itself again without Terraform on the PATH: its runs are seconds that are not flowctl's.
fn without_terraform() -> Option<ExitCode> {
    let path = std::env::var_os("PATH")?;
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let kept = dirs.iter().filter(|dir| !dir.join("terraform").exists());
    let kept: Vec<&PathBuf> = kept.collect();
    if kept.len() == dirs.len() {
        return None;
    }
    let path = std::env::join_paths(kept).expect("they came out of one");
    let again = std::env::current_exe().expect("this program");
    let status = std::process::Command::new(again)
        .args(std::env::args_os().skip(1))
        .env("PATH", path)
        .status()
        .expect("it starts");
    Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("flagship: {message}");
            return ExitCode::from(2);
        }
    };
    if let Some(code) = without_terraform() {
        return code;
    }
    let workspace = Workspace::new(options.keep);
    println!(
        "60 runs, qa_checks={}; processor time of a run, and of writing the same files with the same syncs",
        options.checks
    );
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9} {:>6} {:>8} {:>6} {:>6}",
        "pass",
        "cpu",
        "median",
        "worst",
        "floor",
        "ratio",
        "wall",
        "floor",
        "ratio",
        "bytes",
        "files",
        "peak"
    );
    for pass in 0..options.passes {
        let (name, product) = match pass {
            0 => ("the first of the process", "Secure storage product"),
            1 => ("another product", "Claims Archive"),
            _ => ("that product again", "Claims Archive"),
        };
        report(name, &workspace, product, &options.checks, pass);
    }
    ExitCode::SUCCESS
}

/// Runs a pass, run and floor in turn, and prints its row.
fn report(name: &str, workspace: &Workspace, product: &str, checks: &str, pass: usize) {
    let (mut each, mut ours, mut floors) = (Vec::new(), Took::default(), Took::default());
    let (mut files, mut bytes) = (0, 0);
    for (number, inputs) in runs::inputs(product, checks).into_iter().enumerate() {
        let before = workspace.evidence();
        let id = format!("p{pass}-r{number}");
        let (took, folder) = timed(|| workspace.run(&id, &inputs));
        each.push(took.cpu);
        (ours.wall, ours.cpu) = (ours.wall + took.wall, ours.cpu + took.cpu);
        let same = floor::Floor::of(&folder, &before, &workspace.evidence());
        let (took, ()) = timed(|| same.write(&workspace.floor(&id)));
        (floors.wall, floors.cpu) = (floors.wall + took.wall, floors.cpu + took.cpu);
        files += same.files();
        bytes += same.bytes();
    }
    each.sort();
    let count = each.len();
    let runs = u32::try_from(count).expect("there are 60");
    let millis = |all: Duration| (all / runs).as_secs_f64() * 1e3;
    println!(
        "{:<34} {:>7.2}ms {:>7.2}ms {:>7.2}ms {:>7.2}ms {:>6.2}x {:>7.1}ms {:>7.1}ms {:>5.2}x {:>5} KB {:>6} {:>3} MB",
        name,
        millis(ours.cpu),
        each[count / 2].as_secs_f64() * 1e3,
        each[count - 1].as_secs_f64() * 1e3,
        millis(floors.cpu),
        ours.cpu.as_secs_f64() / floors.cpu.as_secs_f64(),
        millis(ours.wall),
        millis(floors.wall),
        ours.wall.as_secs_f64() / floors.wall.as_secs_f64(),
        bytes / count / 1000,
        files / count,
        peak(),
    );
}

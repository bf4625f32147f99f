//! The floor: the least that a machine must do for a workload, and a way to measure a command.
//!
//! Each command does only the system calls that the work cannot do without. What an engine takes
//! beyond that is its own. `scripts/bench` builds and calls this; numbers go to standard output as
//! one JSON object.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: floor COMMAND
  measure LOG -- COMMAND…            run a command: wall, CPU and peak memory of it and its children
  write FILE RECORDS BYTES SYNC      append JSON lines; SYNC is none, end, each, or a number of records
  group FILE RECORDS BYTES WAITING   group commit: so many writers, each waiting for its record
  replay OPS                         the operations on files of a traced run, in their order, with other bytes
  spawn COUNT JOBS                   start /bin/true by posix_spawn
  spawn COUNT JOBS FILE BYTES        and append a line, synced, after each
  spawn COUNT JOBS FILE BYTES OPS    and replay the other operations of a traced run";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["measure", log, "--", program, arguments @ ..] => measure(log, program, arguments),
        ["write", file, records, bytes, sync] => write(file, records, bytes, sync),
        ["group", file, records, bytes, waiting] => group(file, records, bytes, waiting),
        ["replay", operations] => replay(operations),
        ["spawn", count, jobs] => spawn(count, jobs, None),
        ["spawn", count, jobs, file, bytes] => spawn(count, jobs, Some((file, bytes))),
        ["spawn", count, jobs, file, bytes, operations] => {
            replay(operations).and_then(|()| spawn(count, jobs, Some((file, bytes))))
        }
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a command, its output to a file. It is started from here and not from the script, because
/// a child's peak memory begins with that of whoever started it.
fn measure(log: &str, program: &str, arguments: &[&str]) -> Result<()> {
    let log = File::create(log)?;
    let begun = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let wall = begun.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    println!(
        "{{\"exit\":{},\"wall\":{:.6},\"cpu\":{:.6},\"peak_kib\":{},\"blocks\":{}}}",
        status.code().unwrap_or(-1),
        wall.as_secs_f64(),
        cpu(&usage).as_secs_f64(),
        usage.max_rss(),
        usage.block_writes(),
    );
    Ok(())
}

fn cpu(usage: &Usage) -> Duration {
    let part = |seconds: i64, micros: i64| {
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    let (user, system) = (usage.user_time(), usage.system_time());
    part(user.tv_sec(), user.tv_usec()) + part(system.tv_sec(), system.tv_usec())
}

/// One line of JSON, as long as asked for, with its number in it.
fn line(number: usize, bytes: usize, into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(format!("{{\"seq\":{number},\"data\":\"").as_bytes());
    into.resize((start + bytes).saturating_sub(3).max(into.len()), b'x');
    into.extend_from_slice(b"\"}\n");
}

fn write(file: &str, records: &str, bytes: &str, sync: &str) -> Result<()> {
    let (records, bytes): (usize, usize) = (records.parse()?, bytes.parse()?);
    let every = match sync {
        "none" => usize::MAX,
        "end" => records,
        "each" => 1,
        number => number.parse::<usize>()?.max(1),
    };
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    let mut buffer = Vec::with_capacity(bytes);
    for number in 1..=records {
        buffer.clear();
        line(number, bytes, &mut buffer);
        file.write_all(&buffer)?;
        if number % every == 0 {
            file.sync_data()?;
        }
    }
    Ok(())
}

/// One thread writes; all others wait until their record is on disk, then send the next.
fn group(file: &str, records: &str, bytes: &str, waiting: &str) -> Result<()> {
    let (records, bytes, waiting): (usize, usize, usize) =
        (records.parse()?, bytes.parse()?, waiting.parse()?);
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    let (sender, queue) = mpsc::channel::<usize>();
    // Writers are no threads: what is measured is the disk, not 512 stacks.
    for number in 1..=waiting.min(records) {
        sender.send(number)?;
    }
    let mut sent = waiting.min(records);
    let (mut done, mut buffer) = (0, Vec::new());
    while done < records {
        let first = queue.recv()?;
        buffer.clear();
        let mut batch = 0;
        for number in std::iter::once(first).chain(queue.try_iter()) {
            line(number, bytes, &mut buffer);
            batch += 1;
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
        done += batch;
        for _ in 0..batch.min(records - sent) {
            sent += 1;
            sender.send(sent)?;
        }
    }
    Ok(())
}

/// Does what a traced run did with its files: the same folders, files, lengths, renames and syncs in
/// the same order, one thread, nothing computed.
fn replay(operations: &str) -> Result<()> {
    let text = std::fs::read_to_string(operations)?;
    let mut open: HashMap<&str, File> = HashMap::new();
    let filler = vec![b'x'; 1 << 20];
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        match *words.as_slice() {
            ["mkdir", path] => std::fs::create_dir_all(path)?,
            ["append", path, bytes] => {
                let mut left: usize = bytes.parse()?;
                let file = match open.entry(path) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let file = OpenOptions::new().create(true).append(true).open(path)?;
                        entry.insert(file)
                    }
                };
                while left > 0 {
                    let part = left.min(filler.len());
                    file.write_all(&filler[..part])?;
                    left -= part;
                }
            }
            ["fsync", path] => match open.get(path) {
                Some(file) => file.sync_all()?,
                None => File::open(path)?.sync_all()?,
            },
            ["fdatasync", path] => match open.get(path) {
                Some(file) => file.sync_data()?,
                None => File::open(path)?.sync_data()?,
            },
            ["rename", from, to] => {
                open.remove(from);
                open.remove(to);
                std::fs::rename(from, to)?;
            }
            ["unlink", path] => {
                open.remove(path);
                std::fs::remove_file(path)?;
            }
            _ => return Err(format!("`{line}` is no operation").into()),
        }
    }
    Ok(())
}

/// Starts children, so many at a time. The standard library uses `posix_spawn` for this.
fn spawn(count: &str, jobs: &str, journal: Option<(&str, &str)>) -> Result<()> {
    let (count, jobs): (usize, usize) = (count.parse()?, jobs.parse()?);
    let journal = match journal {
        Some((path, bytes)) => {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            Some((Mutex::new(file), bytes.parse::<usize>()?))
        }
        None => None,
    };
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let status = Command::new("/bin/true").stdin(Stdio::null()).status()?;
            if !status.success() {
                return Err("/bin/true failed".into());
            }
            if let Some((file, bytes)) = &journal {
                buffer.clear();
                line(number, *bytes, &mut buffer);
                let mut file = file.lock().map_err(|_| "a thread panicked")?;
                file.write_all(&buffer)?;
                file.sync_data()?;
            }
        }
    };
    if jobs == 1 {
        return work();
    }
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                if let (Err(error), Ok(mut failed)) = (work(), failed.lock()) {
                    *failed = Some(error.to_string());
                }
            });
        }
    });
    let failed = failed.into_inner().map_err(|_| "a thread panicked")?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

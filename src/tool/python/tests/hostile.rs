//! Tools that harm their process, and calls that are given up.

use super::*;

#[tokio::test]
async fn a_process_that_ends_fails_its_calls_and_no_others() {
    let Some(flow) = Flow::new(&[
        (
            "exit.py",
            "import os\n@tool\ndef f():\n    print('last words')\n    os.write(2, b'raw words\\n')\n    os._exit(3)\n",
        ),
        (
            "kill.py",
            "import os\n@tool\ndef f(): os.kill(os.getpid(), 9)\n",
        ),
        (
            "crash.py",
            "import ctypes\n@tool\ndef f(): ctypes.string_at(0)\n",
        ),
        (
            "close.py",
            "import os\n@tool\ndef f():\n    os.closerange(0, 2000)\n    return 1\n",
        ),
        (
            "garbage.py",
            "import os\n@tool\ndef f():\n    for fd in range(0, 1000):\n        try: os.write(fd, b'garbage\\n')\n        except OSError: pass\n    return 1\n",
        ),
        ("ok.py", "import os\n@tool\ndef f(): return 1\n"),
    ]) else {
        return;
    };
    let mut shown = String::new();
    for name in ["exit", "kill", "crash", "close", "garbage"] {
        let failure = flow.failure(&format!("{name}.py")).await;
        let help = failure
            .help
            .map_or(String::new(), |help| format!("\n  help: {help}"));
        let message = flow.scrub(&failure.message);
        shown.extend([format!("{name}: {message}{help}\n")]);
        assert_eq!(flow.output("ok.py", json!({})).await, 1, "after {name}");
    }
    insta::assert_snapshot!(shown, @r#"
    exit: its Python process exited with code 3
      raw words
    kill: its Python process was ended by signal 9 (SIGKILL)
      help: somebody ended it, or the system was out of memory (`dmesg` tells); `FLOWCTL_PYTHON_MEMORY` sets a limit that fails one call instead
    crash: its Python process was ended by signal 11 (SIGSEGV)
      in FLOW/crash.py:4 in f
      Fatal Python error: Segmentation fault
    close: its Python process was ended: something closed the pipe to flowctl
      help: a tool must not write to, or close, descriptors that it did not open
    garbage: its Python process was ended: something wrote `garbage` into the pipe to flowctl
      garbage
      garbage
      help: a tool must not write to, or close, descriptors that it did not open
    "#);
    // Two ways, of which either may be the quicker.
    let log = flow.log("exit.py");
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["last words", "raw words"]);
}

#[tokio::test]
async fn what_tools_do_to_their_process_is_no_matter() {
    let Some(flow) = Flow::new(&[
        (
            "low.py",
            "import os\n@tool\ndef f():\n    os.closerange(0, 10)\n    print('said')\n    return 1\n",
        ),
        (
            "stdout.py",
            "import os\n@tool\ndef f():\n    os.write(1, b'garbage\\n')\n    os.system('echo from a shell')\n    return 1\n",
        ),
        (
            "patch.py",
            "import json, sys, builtins, io, time\n@tool\ndef f():\n    json.dumps = json.loads = None\n    sys.stdout = None\n    sys.stderr = io.StringIO()\n    for name in ('print', 'repr', 'len', 'sorted', 'isinstance', 'type', 'str'):\n        setattr(builtins, name, None)\n    return {'a': (1, 2)}\n",
        ),
        (
            "fork.py",
            "import os\n@tool\ndef f():\n    child = os.fork()\n    if child: os.waitpid(child, 0)\n    return child > 0\n",
        ),
        (
            "pool.py",
            "import multiprocessing\ndef g(x): return x * 2\n@tool\ndef f():\n    with multiprocessing.get_context('fork').Pool(2) as pool: return pool.map(g, [1, 2])\n",
        ),
        (
            "threads.py",
            "import threading, time\n@tool\ndef f():\n    for _ in range(20): threading.Thread(target=time.sleep, args=(100,)).start()\n    return 1\n",
        ),
        (
            "stdin.py",
            "import sys\n@tool\ndef f(): return [sys.stdin.read(), len(sys.argv)]\n",
        ),
        ("ok.py", "@tool\ndef f(): return 1\n"),
    ]) else {
        return;
    };
    // The last one cannot be undone, so that all else comes before it.
    for (path, output) in [
        ("stdout.py", json!(1)),
        ("fork.py", json!(true)),
        ("pool.py", json!([2, 4])),
        ("threads.py", json!(1)),
        ("stdin.py", json!(["", 1])),
        ("ok.py", json!(1)),
        ("low.py", json!(1)),
        ("patch.py", json!({"a": [1, 2]})),
        ("ok.py", json!(1)),
    ] {
        assert_eq!(flow.output(path, json!({})).await, output, "{path}");
    }
    assert_eq!(flow.log("low.py"), "said\n");
    let begun = Instant::now();
    drop(flow);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "threads that hang do not hold us"
    );
}

#[tokio::test]
async fn a_call_that_is_given_up_stops() {
    let Some(flow) = Flow::new(&[
        (
            "loop.py",
            "import os\n@tool\ndef f(file):\n    try:\n        while True: open(file, 'w').write(str(os.getpid()))\n    finally:\n        open(file + '.end', 'w').close()\n",
        ),
        (
            "async.py",
            "import asyncio, os\n@tool\nasync def f(file):\n    try:\n        open(file, 'w').write(str(os.getpid()))\n        await asyncio.sleep(1000)\n    finally:\n        open(file + '.end', 'w').close()\n",
        ),
        ("pid.py", "import os\n@tool\ndef f(): return os.getpid()\n"),
    ]) else {
        return;
    };
    let before = flow.output("pid.py", json!({})).await;
    for path in ["loop.py", "async.py"] {
        let file = flow.dir.path().join("began");
        let request = flow.request(path, json!({ "file": file.to_string_lossy() }));
        let call = tokio::time::timeout(Duration::from_secs(20), flow.python.call(request));
        let began = async {
            while std::fs::read(&file).unwrap_or_default().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = call => panic!("it does not end by itself"),
            () = began => {}
        }
        let end = flow.dir.path().join("began.end");
        for _ in 0..1000 {
            if end.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(end.exists(), "{path}");
        std::fs::remove_file(&file).expect("it was there");
        std::fs::remove_file(&end).expect("it was there");
    }
    // The process stays, since both ended in time.
    tokio::time::sleep(GRACE_PASSED).await;
    assert_eq!(flow.output("pid.py", json!({})).await, before);
}

const GRACE_PASSED: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn a_call_that_does_not_stop_takes_its_process_with_it_and_no_other_call() {
    let Some(flow) = Flow::new(&[
        (
            "hang.py",
            "import time\n@tool\ndef f():\n    while True:\n        try: time.sleep(1000)\n        except BaseException: pass\n",
        ),
        (
            "slow.py",
            "import time, os\n@tool\ndef f():\n    time.sleep(4)\n    return os.getpid()\n",
        ),
        (
            "pid.py",
            "import os, subprocess\n@tool\ndef f():\n    subprocess.Popen(['sleep', '1000'])\n    return os.getpid()\n",
        ),
    ]) else {
        return;
    };
    let before = flow.output("pid.py", json!({})).await;
    let slow = {
        let (python, request) = (Arc::clone(&flow.python), flow.request("slow.py", json!({})));
        tokio::spawn(async move { python.call(request).await })
    };
    let hang = flow.call("hang.py", json!({}));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), hang)
            .await
            .is_err()
    );
    tokio::time::sleep(GRACE_PASSED).await;
    let after = flow.output("pid.py", json!({})).await;
    assert_ne!(after, before, "a new process");
    let answer = slow.await.expect("no panic").expect("it may finish");
    assert_eq!(answer.result, Ok(before.clone()));
    assert!(
        gone(pid(&before)).await,
        "the old process, with what it started"
    );
    drop(flow);
    assert!(gone(pid(&after)).await, "the new one, too");
}

#[tokio::test]
async fn a_tool_that_prints_for_ever_can_be_stopped() {
    let Some(flow) = Flow::new(&[
        (
            "t.py",
            "@tool\ndef f():\n    while True: print('x' * 100)\n",
        ),
        ("ok.py", "@tool\ndef f(): return 1\n"),
    ]) else {
        return;
    };
    let call = flow.call("t.py", json!({}));
    assert!(
        tokio::time::timeout(Duration::from_millis(500), call)
            .await
            .is_err()
    );
    assert_eq!(flow.output("ok.py", json!({})).await, 1);
    assert!(
        flow.log("t.py")
            .lines()
            .rev()
            .skip(1)
            .all(|line| line.len() == 100)
    );
}

#[tokio::test]
async fn memory_has_a_limit_if_one_is_set() {
    let Some(flow) = Flow::with(
        &[("t.py", "@tool\ndef f(n: int): return len(bytearray(n))\n")],
        |settings| settings.memory = Some(2 << 30),
    ) else {
        return;
    };
    let answer = flow
        .call("t.py", json!({"n": 3_000_000_000_u64}))
        .await
        .expect("Python answers");
    assert_eq!(
        answer.result.map_err(|raised| raised.class),
        Err("MemoryError".to_owned())
    );
    assert_eq!(flow.output("t.py", json!({"n": 1000})).await, 1000);
}

#[tokio::test]
async fn a_worker_ends_when_nobody_is_there_any_more() {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::new(dir.path().to_owned(), search());
    settings.search.folders = vec![dir.path().to_owned()];
    let python = settings.search.find().expect("a Python");
    let mut child = std::process::Command::new(python)
        .args(["-u", "-c", include_str!("../worker/boot.py")])
        .current_dir(dir.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let hello = json!({"folder": dir.path().to_string_lossy(), "promptflow": "auto"});
    stdin.write_all(SOURCES.as_bytes()).expect("it reads");
    stdin
        .write_all(&wire::frame(&hello, None))
        .expect("it reads");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)
        .expect("it is ready");
    assert!(line.contains("ready"));
    // As when flowctl is killed.
    drop(stdin);
    for _ in 0..1000 {
        if child.try_wait().expect("it can be asked").is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().expect("it can be ended");
    panic!("it still ran");
}

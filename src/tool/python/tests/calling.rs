//! Calls that go well, and those in which the tool raises.

use super::*;

#[tokio::test]
async fn outputs_are_what_json_dumps_would_write() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "import enum\nclass E(str, enum.Enum):\n    A = 'a'\ndef gen():\n    yield 'a'\n    yield 1\n    yield None\nasync def agen():\n    yield 'a'\n    yield 2\nasync def coro(): return {'k': (1,)}\n@tool\ndef f(what: str): return eval(what)\n",
    )]) else {
        return;
    };
    for (what, output) in [
        ("None", json!(null)),
        ("(1, 'x')", json!([1, "x"])),
        (
            "{1: 'a', None: 'b', True: 'c'}",
            json!({"1": "c", "null": "b"}),
        ),
        ("E.A", json!("a")),
        ("'\\u00e9\\U0001f600'", json!("\u{e9}\u{1f600}")),
        ("gen()", json!("a1None")),
        ("agen()", json!("a2")),
        ("coro()", json!({"k": [1]})),
        ("2**63", json!(1_u64 << 63)),
        (
            "2**70",
            json!({"$python": {"type": "int", "text": "1180591620717411303424"}}),
        ),
        (
            "[float('nan')]",
            json!([{"$python": {"type": "float", "text": "nan"}}]),
        ),
        ("1e22", json!(1e22)),
    ] {
        assert_eq!(
            flow.output("t.py", json!({"what": what})).await,
            output,
            "{what}"
        );
    }
    let deep = flow.call("t.py", json!({"what": "eval('[' * 150 + ']' * 150)"}));
    let deep = deep.await.expect_err("too deep");
    assert!(
        deep.message.contains("nested more than 100 levels"),
        "{deep:?}"
    );
}

#[tokio::test]
async fn what_json_has_no_form_for_comes_back_as_it_was() {
    let Some(flow) = Flow::new(&[
        (
            "make.py",
            "class Thing:\n    pass\n@tool\ndef f():\n    t = Thing()\n    t.inner = {'k': [b'x']}\n    return {'big': 2**70, 'nan': float('nan'), 'odd': 'a\\udc80', 'thing': t, 'set': {1}}\n",
        ),
        (
            "use.py",
            "@tool\ndef f(x, inner=None):\n    return [x['big'] == 2**70, x['nan'] != x['nan'], x['odd'] == 'a\\udc80', type(x['thing']).__name__, sorted(x['set']), repr(inner)]\n",
        ),
    ]) else {
        return;
    };
    let made = flow.output("make.py", json!({})).await;
    assert_eq!(made["thing"]["$python"]["type"], "__pf_main__.Thing");
    assert_eq!(made["set"]["$python"]["text"], "{1}");
    let mut inner = made["thing"].clone();
    inner["$python"]["handle"]["path"] = json!(["inner", "k", 0]);
    assert_eq!(
        flow.output("use.py", json!({"x": made, "inner": inner}))
            .await,
        json!([true, true, true, "Thing", [1], "b'x'"])
    );
    // Gone with their line, and unknown to any other process.
    flow.python.forget(0);
    let answer = flow
        .call("use.py", json!({"x": made}))
        .await
        .expect("Python answers");
    let raised = answer.result.expect_err("it is gone");
    assert!(
        raised
            .message
            .contains("was a live Python object (`__pf_main__.Thing`)")
            || raised.message.contains("was a live Python object (`set`)"),
        "{raised:?}"
    );
}

#[tokio::test]
async fn prints_go_to_the_log_of_the_call() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "import sys, threading, asyncio, os\ndef say(x): print('thread', x)\n@tool\nasync def f(n: int):\n    print('begin', n)\n    await asyncio.sleep(0.05)\n    t = threading.Thread(target=say, args=(n,))\n    t.start(); t.join()\n    print('err', n, file=sys.stderr)\n    sys.stdout.buffer.write(b'\\xff raw\\n')\n    print('no line end', end='')\n",
    )]) else {
        return;
    };
    let calls = (0..8).map(|n| {
        let mut request = flow.request("t.py", json!({ "n": n }));
        request.log = Some(LogFile::lazy(flow.dir.path().join(format!("{n}.log"))));
        let python = Arc::clone(&flow.python);
        tokio::spawn(async move { python.call(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await
            .expect("no panic")
            .expect("Python answers")
            .result
            .expect("it works");
    }
    for n in 0..8 {
        let log = std::fs::read(flow.dir.path().join(format!("{n}.log"))).expect("a log");
        let expected = format!("begin {n}\nthread {n}\nerr {n}\n");
        let expected = [expected.as_bytes(), b"\xff raw\nno line end"].concat();
        assert_eq!(log, expected);
    }
}

#[tokio::test]
async fn secrets_are_not_in_logs_nor_in_tracebacks() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "@tool\ndef f():\n    print('hunter2-hun', end='', flush=True)\n    print('ter2')\n    raise ValueError('hunter2-hunter2')\n",
    )]) else {
        return;
    };
    let mut request = flow.request("t.py", json!({}));
    request.redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    let answer = flow.python.call(request).await.expect("Python answers");
    assert!(answer.result.is_err());
    let log = flow.log("t.py");
    assert!(
        log.starts_with("[secret]\n") && log.contains("ValueError: [secret]"),
        "{log}"
    );
}

#[tokio::test]
async fn what_is_raised_says_where() {
    let Some(flow) = Flow::new(&[
        (
            "t.py",
            "from helper import divide\n@tool\ndef f():\n    try:\n        divide()\n    except ZeroDivisionError as error:\n        raise RuntimeError('outer') from error\n",
        ),
        ("helper.py", "def divide():\n    return 1 / 0\n"),
        (
            "u.py",
            "from promptflow.exceptions import UserErrorException\n@tool\ndef f(): raise UserErrorException('ue')\n",
        ),
        ("exit.py", "import sys\n@tool\ndef f(): sys.exit(3)\n"),
        (
            "aexit.py",
            "import sys\n@tool\nasync def f(): sys.exit(4)\n",
        ),
        ("keyboard.py", "@tool\ndef f(): raise KeyboardInterrupt\n"),
        ("deep.py", "@tool\ndef f(): return f()\n"),
        ("memory.py", "@tool\ndef f(): return bytearray(1 << 60)\n"),
        (
            "odd.py",
            "class E(Exception):\n    def __str__(self): raise ValueError\n@tool\ndef f(): raise E\n",
        ),
        ("arguments.py", "@tool\ndef show(x): pass\n"),
        (
            "surrogate.py",
            "@tool\ndef f(): raise ValueError('a\\udc80')\n",
        ),
        ("ok.py", "@tool\ndef f(): return 1\n"),
    ]) else {
        return;
    };
    let mut shown = String::new();
    for name in [
        "t",
        "u",
        "exit",
        "aexit",
        "keyboard",
        "deep",
        "memory",
        "odd",
        "arguments",
        "surrogate",
    ] {
        let raised = flow.raised(&format!("{name}.py")).await;
        let own = if raised.promptflow {
            " (Prompt Flow's)"
        } else {
            ""
        };
        shown.extend([format!("{}{own}\n", flow.scrub(&raised.failure().message))]);
    }
    insta::assert_snapshot!(shown, @r#"
    RuntimeError: outer
      FLOW/t.py:8: raise RuntimeError('outer') from error
    UserErrorException: ue
      FLOW/u.py:4: def f(): raise UserErrorException('ue') (Prompt Flow's)
    SystemExit: the tool called sys.exit(3)
      FLOW/exit.py:4: def f(): sys.exit(3)
    SystemExit: the tool called sys.exit(4)
      FLOW/aexit.py:4: async def f(): sys.exit(4)
    KeyboardInterrupt: the tool was interrupted (KeyboardInterrupt)
      FLOW/keyboard.py:3: def f(): raise KeyboardInterrupt
    RecursionError: maximum recursion depth exceeded
      FLOW/deep.py:3: def f(): return f()
    MemoryError
      FLOW/memory.py:3: def f(): return bytearray(1 << 60)
    E: <E that cannot be shown>
      FLOW/odd.py:5: def f(): raise E
    TypeError: show() missing 1 required positional argument: 'x'
    ValueError: a?
      FLOW/surrogate.py:3: def f(): raise ValueError('a\udc80')
    "#);
    assert_eq!(flow.output("ok.py", json!({})).await, 1);
    let log = flow.scrub(&flow.log("t.py"));
    assert!(
        log.contains(
            "ZeroDivisionError: division by zero\n\nThe above exception was the direct cause"
        ),
        "{log}"
    );
    assert!(!log.contains("flowctl_worker"), "{log}");
    assert!(flow.log("deep.py").len() < 20_000);
}

#[tokio::test]
async fn connections_metrics_and_the_environment() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "import os\nfrom promptflow.core import log_metric\nfrom promptflow.connections import *\nfrom promptflow.contracts.types import Secret\nclass Mine(CustomStrongTypeConnection):\n    key: Secret\n    base: str = 'default'\n@tool\ndef f(a: AzureOpenAIConnection, c: CustomConnection, m: Mine):\n    log_metric('score', 0.5)\n    assert isinstance(a, AzureOpenAIConnection) and not isinstance(a, OpenAIConnection)\n    return [a.api_base, a.api_key, a.api_version, c.x, c.secrets['y'], dict(**c), m.key, m.base, type(m).__name__, os.environ['GIVEN'], 'k1' in repr(a)]\n",
    )]) else {
        return;
    };
    let mut request = flow.request("t.py", json!({}));
    request.env = vec![("GIVEN".to_owned(), "1".to_owned())];
    request.connections = object(json!({
        "a": {"type": "AzureOpenAIConnection", "name": "a", "configs": {"api_base": "u"}, "secrets": {"api_key": "k1"}},
        "c": {"type": "CustomConnection", "name": "c", "configs": {"x": "1"}, "secrets": {"y": "2"}},
        "m": {"type": "CustomConnection", "name": "m", "configs": {}, "secrets": {"key": "k2"}},
    }));
    let answer = flow
        .python
        .call(request.clone())
        .await
        .expect("Python answers");
    assert_eq!(
        answer.result,
        Ok(
            json!(["u", "k1", "2024-02-01", "1", "2", {"x": "1", "y": "2"}, "k2", "default", "Mine", "1", false])
        )
    );
    assert!(answer.metrics.is_empty());
    request.aggregation = true;
    let answer = flow.python.call(request).await.expect("Python answers");
    assert_eq!(answer.metrics.get("score"), Some(&json!(0.5)));
}

#[tokio::test]
async fn calls_run_at_the_same_time() {
    let Some(flow) = Flow::new(&[
        (
            "t.py",
            "import threading\nbarrier = threading.Barrier(6, timeout=20)\n@tool\ndef f(): return barrier.wait() >= 0\n",
        ),
        (
            "a.py",
            "import asyncio\ncount = 0\n@tool\nasync def f():\n    global count\n    count += 1\n    while count < 6: await asyncio.sleep(0.001)\n    return True\n",
        ),
    ]) else {
        return;
    };
    for path in ["t.py", "a.py"] {
        let calls: Vec<_> = (0..6)
            .map(|_| {
                let (python, request) = (Arc::clone(&flow.python), flow.request(path, json!({})));
                tokio::spawn(async move { python.call(request).await })
            })
            .collect();
        for call in calls {
            let answer = call.await.expect("no panic").expect("Python answers");
            assert_eq!(answer.result, Ok(json!(true)));
        }
    }
}

#[tokio::test]
async fn lines_are_spread_over_processes() {
    let Some(flow) = Flow::with(
        &[("t.py", "import os\n@tool\ndef f(): return os.getpid()\n")],
        |settings| settings.processes = 2,
    ) else {
        return;
    };
    let mut pids = Vec::new();
    for line in [0, 1, 2, 3, 0] {
        let mut request = flow.request("t.py", json!({}));
        request.line = line;
        pids.push(
            flow.python
                .call(request)
                .await
                .expect("Python answers")
                .result,
        );
    }
    assert!(pids[0] == pids[2] && pids[1] == pids[3] && pids[0] == pids[4] && pids[0] != pids[1]);
}

#[tokio::test]
async fn large_values_go_both_ways() {
    let Some(flow) = Flow::new(&[("t.py", "@tool\ndef f(x): return x + x\n")]) else {
        return;
    };
    let large = "\u{e9}".repeat(8_000_000);
    let output = flow.output("t.py", json!({ "x": large })).await;
    assert_eq!(output.as_str().map(str::len), Some(32_000_000));
}

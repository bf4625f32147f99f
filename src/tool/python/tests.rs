//! Real tools in a real Python.

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

const HEADER: &str = "from promptflow.core import tool\n";

impl Flow {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, |_| {})
    }

    fn with(files: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            std::fs::write(dir.path().join(path), format!("{HEADER}{text}")).expect("a file");
        }
        let mut search = search();
        search.folders = vec![dir.path().to_owned()];
        let mut settings = Settings::new(dir.path().to_owned(), search);
        change(&mut settings);
        Self {
            python: Arc::new(Python::new(settings)),
            dir,
        }
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

mod describing {
    use super::*;

    #[test]
    fn parameters_have_kinds_and_defaults() {
        let flow = Flow::new(&[(
            "t.py",
            "from typing import Any, Dict, List, Optional, Union\nfrom enum import Enum\nfrom promptflow.connections import *\nfrom promptflow.contracts.types import Secret, PromptTemplate, FilePath\nfrom promptflow.contracts.multimedia import Image\nclass Color(str, Enum):\n    RED = 'red'\n@tool\ndef add(a: int, b: float, c: bool, d: str, e: list, f: dict, g: Any, h, i: Optional[str], j: Union[int, str], k: List[int], l: Color, m: Secret, n: PromptTemplate, o: FilePath, p: Image, q: 'int', r: 'CustomConnection', s: Union[OpenAIConnection, AzureOpenAIConnection], t: Optional[CustomConnection] = None, u=7, v='x', w=None, *, x=(1, 2), y={1}, **more):\n    '''Adds.\n\n    And more.'''\n",
        )]);
        let description = flow.describe(flow.file("t.py")).expect("it loads");
        assert_eq!(description.name, "add");
        assert_eq!(description.description, "Adds.");
        assert_eq!(description.file, Some(flow.dir.path().join("t.py")));
        assert!(description.keywords && !description.is_async && !description.custom_llm);
        let shown: Vec<String> = description
            .parameters
            .iter()
            .map(|port| {
                let default = port
                    .default
                    .as_ref()
                    .map_or(String::new(), Value::to_string);
                let more = port.choices.iter().flatten().chain(&port.connections);
                let more: Vec<&str> = more.map(String::as_str).collect();
                let required = if port.required { "!" } else { "=" };
                format!(
                    "{}{required}{default} {:?} {}",
                    port.name,
                    port.kind,
                    more.join(",")
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        a! Int 
        b! Double 
        c! Bool 
        d! String 
        e! List 
        f! Object 
        g! Object 
        h! Object 
        i! String 
        j! Object 
        k! Object 
        l! String red
        m! Secret 
        n! PromptTemplate 
        o! FilePath 
        p! Image 
        q! Object 
        r! Connection CustomConnection
        s! Connection OpenAIConnection,AzureOpenAIConnection
        t= Connection CustomConnection
        u=7 Int 
        v="x" String 
        w= Object 
        x=[1,2] Object 
        y= Object
        "#);
    }

    #[test]
    fn what_cannot_be_loaded_says_where() {
        let flow = Flow::new(&[
            ("none.py", "def f(): pass\n"),
            ("two.py", "@tool\ndef f(): pass\n@tool\ndef g(): pass\n"),
            ("syntax.py", "\ndef f(:\n"),
            ("import.py", "import helper\n"),
            ("helper.py", "\n\nimport nothing_of_that_name\n"),
            ("exit.py", "raise SystemExit(2)\n"),
            ("prompty.py", "from promptflow.core import Prompty\n"),
        ]);
        let mut shown = String::new();
        let names = ["none", "two", "syntax", "import", "exit", "missing"];
        for name in names {
            let raised = flow
                .describe(flow.file(&format!("{name}.py")))
                .expect_err("it does not load");
            assert!(raised.loading);
            let failure = raised.failure();
            let code = raised.code.unwrap_or_default();
            shown.extend([format!("{code}: {}", flow.scrub(&failure.message))]);
            shown.push_str(
                &failure
                    .help
                    .map_or(String::new(), |help| format!("\n  help: {help}")),
            );
            shown.push('\n');
        }
        insta::assert_snapshot!(shown, @r#"
        NoToolDefined: it defines no tool, but the functions `f`
          help: put `@tool` above the function that the node runs (`from promptflow.core import tool`)
        MultipleToolsDefined: it defines 2 tools: `f`, `g`
          help: keep one `@tool` in the file, and move the others to files of their own
        PythonLoadError: SyntaxError: invalid syntax (syntax.py, line 3)
          FLOW/syntax.py:3: def f(:
          help: `flowctl logs RUN NODE` shows the traceback
        PythonLoadError: ModuleNotFoundError: No module named 'nothing_of_that_name'
          FLOW/helper.py:4: import nothing_of_that_name
          help: `flowctl logs RUN NODE` shows the traceback
        PythonLoadError: SystemExit: the tool called sys.exit(2)
          FLOW/exit.py:2: raise SystemExit(2)
          help: `flowctl logs RUN NODE` shows the traceback
        InvalidSource: there is no such file
        "#);
        let references: Vec<Reference> = names
            .iter()
            .map(|name| flow.file(&format!("{name}.py")))
            .collect();
        let again = flow.python.describe(&references).expect("Python answers");
        assert!(again.iter().all(Result::is_err));
    }

    #[tokio::test]
    async fn methods_functions_and_kernel_functions_by_name() {
        let flow = Flow::new(&[
            (
                "k.py",
                "def kernel_function(f):\n    f.__kernel_function__ = True\n    f.__kernel_function_name__ = 'Greets'\n    f.__kernel_function_description__ = 'Says hello.'\n    return f\nclass Plugin:\n    def __init__(self): self.n = 0\n    @kernel_function\n    def greet(self, who: str):\n        self.n += 1\n        return f'hello {who} {self.n}'\n    @staticmethod\n    def fixed(): return 5\ndef plain(x): return x\n",
            ),
            (
                "p.py",
                "from promptflow.core import ToolProvider\nclass T(ToolProvider):\n    def __init__(self, base: int):\n        super().__init__()\n        self.base = base\n    @tool\n    def run(self, n: int): return self.base + n\n",
            ),
        ]);
        let named = |function: &str| Reference::File {
            path: flow.dir.path().join("k.py"),
            function: Some(function.to_owned()),
            instance: None,
        };
        let description = flow.describe(named("Greets")).expect("it loads");
        assert_eq!(description.description, "Says hello.");
        assert_eq!(description.parameters.len(), 1);
        for (function, inputs, output) in [
            ("Greets", json!({"who": "Ada"}), json!("hello Ada 1")),
            ("Plugin.greet", json!({"who": "Bo"}), json!("hello Bo 1")),
            ("Greets", json!({"who": "Cy"}), json!("hello Cy 2")),
            ("Plugin.fixed", json!({}), json!(5)),
            ("plain", json!({"x": []}), json!([])),
        ] {
            let request = CallRequest::new(named(function), object(inputs));
            let answer = flow.python.call(request).await.expect("Python answers");
            assert_eq!(answer.result, Ok(output), "{function}");
        }
        let missing = flow.describe(named("plane")).expect_err("there is none");
        assert!(missing.help.is_some_and(|help| help.contains("`plain`")));
        let provider = flow.describe(flow.file("p.py")).expect("it loads");
        assert!(provider.parameters[0].init && !provider.parameters[1].init);
        assert_eq!(flow.output("p.py", json!({"base": 10, "n": 5})).await, 15);
    }

    #[test]
    fn a_python_that_is_too_old_or_none_is_said() {
        let flow = Flow::with(&[("t.py", "")], |settings| {
            let fake = settings.folder.join("python");
            std::fs::write(&fake, "#!/bin/sh\necho '{\"too_old\": \"3.6.15\"}'\n").expect("a file");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&fake, mode).expect("a mode");
            settings.search.python = Some(fake);
        });
        let failure = flow
            .python
            .describe(&[flow.file("t.py")])
            .expect_err("too old");
        assert!(
            failure
                .message
                .contains("is Python 3.6.15, and flowctl needs 3.9")
        );
    }

    #[test]
    fn nodes_may_have_a_module_for_themselves() {
        let flow = Flow::new(&[(
            "t.py",
            "N = []\n@tool\ndef f():\n    N.append(1)\n    return len(N)\n",
        )]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let count = |instance: Option<&str>| {
            let reference = Reference::File {
                path: flow.dir.path().join("t.py"),
                function: None,
                instance: instance.map(str::to_owned),
            };
            let call = flow.python.call(CallRequest::new(reference, Object::new()));
            let answer = runtime.block_on(call).expect("Python answers");
            answer.result.expect("it does not fail")
        };
        assert_eq!(count(Some("a")), 1);
        assert_eq!(count(Some("a")), 2);
        assert_eq!(count(Some("b")), 1);
        assert_eq!(count(None), 1);
    }
}

mod calling {
    use super::*;

    #[tokio::test]
    async fn outputs_are_what_json_dumps_would_write() {
        let flow = Flow::new(&[(
            "t.py",
            "import enum\nclass E(str, enum.Enum):\n    A = 'a'\ndef gen():\n    yield 'a'\n    yield 1\n    yield None\nasync def agen():\n    yield 'a'\n    yield 2\nasync def coro(): return {'k': (1,)}\n@tool\ndef f(what: str): return eval(what)\n",
        )]);
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
        let flow = Flow::new(&[
            (
                "make.py",
                "class Thing:\n    pass\n@tool\ndef f():\n    t = Thing()\n    t.inner = {'k': [b'x']}\n    return {'big': 2**70, 'nan': float('nan'), 'odd': 'a\\udc80', 'thing': t, 'set': {1}}\n",
            ),
            (
                "use.py",
                "@tool\ndef f(x, inner=None):\n    return [x['big'] == 2**70, x['nan'] != x['nan'], x['odd'] == 'a\\udc80', type(x['thing']).__name__, sorted(x['set']), repr(inner)]\n",
            ),
        ]);
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
        let flow = Flow::new(&[(
            "t.py",
            "import sys, threading, asyncio, os\ndef say(x): print('thread', x)\n@tool\nasync def f(n: int):\n    print('begin', n)\n    await asyncio.sleep(0.05)\n    t = threading.Thread(target=say, args=(n,))\n    t.start(); t.join()\n    print('err', n, file=sys.stderr)\n    sys.stdout.buffer.write(b'\\xff raw\\n')\n    print('no line end', end='')\n",
        )]);
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
        let flow = Flow::new(&[(
            "t.py",
            "@tool\ndef f():\n    print('hunter2-hun', end='', flush=True)\n    print('ter2')\n    raise ValueError('hunter2-hunter2')\n",
        )]);
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
        let flow = Flow::new(&[
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
        ]);
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
        let flow = Flow::new(&[(
            "t.py",
            "import os\nfrom promptflow.core import log_metric\nfrom promptflow.connections import *\nfrom promptflow.contracts.types import Secret\nclass Mine(CustomStrongTypeConnection):\n    key: Secret\n    base: str = 'default'\n@tool\ndef f(a: AzureOpenAIConnection, c: CustomConnection, m: Mine):\n    log_metric('score', 0.5)\n    assert isinstance(a, AzureOpenAIConnection) and not isinstance(a, OpenAIConnection)\n    return [a.api_base, a.api_key, a.api_version, c.x, c.secrets['y'], dict(**c), m.key, m.base, type(m).__name__, os.environ['GIVEN'], 'k1' in repr(a)]\n",
        )]);
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
        let flow = Flow::new(&[
            (
                "t.py",
                "import threading\nbarrier = threading.Barrier(6, timeout=20)\n@tool\ndef f(): return barrier.wait() >= 0\n",
            ),
            (
                "a.py",
                "import asyncio\ncount = 0\n@tool\nasync def f():\n    global count\n    count += 1\n    while count < 6: await asyncio.sleep(0.001)\n    return True\n",
            ),
        ]);
        for path in ["t.py", "a.py"] {
            let calls: Vec<_> = (0..6)
                .map(|_| {
                    let (python, request) =
                        (Arc::clone(&flow.python), flow.request(path, json!({})));
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
        let flow = Flow::with(
            &[("t.py", "import os\n@tool\ndef f(): return os.getpid()\n")],
            |settings| settings.processes = 2,
        );
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
        assert!(
            pids[0] == pids[2] && pids[1] == pids[3] && pids[0] == pids[4] && pids[0] != pids[1]
        );
    }

    #[tokio::test]
    async fn large_values_go_both_ways() {
        let flow = Flow::new(&[("t.py", "@tool\ndef f(x): return x + x\n")]);
        let large = "\u{e9}".repeat(8_000_000);
        let output = flow.output("t.py", json!({ "x": large })).await;
        assert_eq!(output.as_str().map(str::len), Some(32_000_000));
    }
}

mod hostile {
    use super::*;

    #[tokio::test]
    async fn a_process_that_ends_fails_its_calls_and_no_others() {
        let flow = Flow::new(&[
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
        ]);
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
        let flow = Flow::new(&[
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
        ]);
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
        let flow = Flow::new(&[
            (
                "loop.py",
                "import os\n@tool\ndef f(file):\n    try:\n        while True: open(file, 'w').write(str(os.getpid()))\n    finally:\n        open(file + '.end', 'w').close()\n",
            ),
            (
                "async.py",
                "import asyncio, os\n@tool\nasync def f(file):\n    try:\n        open(file, 'w').write(str(os.getpid()))\n        await asyncio.sleep(1000)\n    finally:\n        open(file + '.end', 'w').close()\n",
            ),
            ("pid.py", "import os\n@tool\ndef f(): return os.getpid()\n"),
        ]);
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
        let flow = Flow::new(&[
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
        ]);
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
        let flow = Flow::new(&[
            (
                "t.py",
                "@tool\ndef f():\n    while True: print('x' * 100)\n",
            ),
            ("ok.py", "@tool\ndef f(): return 1\n"),
        ]);
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
        let flow = Flow::with(
            &[("t.py", "@tool\ndef f(n: int): return len(bytearray(n))\n")],
            |settings| settings.memory = Some(2 << 30),
        );
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
        let dir = tempfile::tempdir().expect("a folder");
        let mut settings = Settings::new(dir.path().to_owned(), search());
        settings.search.folders = vec![dir.path().to_owned()];
        let python = settings.search.find().expect("a Python");
        let mut child = std::process::Command::new(python)
            .args(["-u", "-c", include_str!("worker/boot.py")])
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
}

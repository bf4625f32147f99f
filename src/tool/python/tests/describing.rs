//! What Python says of tools before they are called.

use super::*;

#[test]
fn parameters_have_kinds_and_defaults() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "from typing import Any, Dict, List, Optional, Union\nfrom enum import Enum\nfrom promptflow.connections import *\nfrom promptflow.contracts.types import Secret, PromptTemplate, FilePath\nfrom promptflow.contracts.multimedia import Image\nclass Color(str, Enum):\n    RED = 'red'\n@tool\ndef add(a: int, b: float, c: bool, d: str, e: list, f: dict, g: Any, h, i: Optional[str], j: Union[int, str], k: List[int], l: Color, m: Secret, n: PromptTemplate, o: FilePath, p: Image, q: 'int', r: 'CustomConnection', s: Union[OpenAIConnection, AzureOpenAIConnection], t: Optional[CustomConnection] = None, u=7, v='x', w=None, *, x=(1, 2), y={1}, **more):\n    '''Adds.\n\n    And more.'''\n",
    )]) else {
        return;
    };
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
    let Some(flow) = Flow::new(&[
        ("none.py", "def f(): pass\n"),
        ("two.py", "@tool\ndef f(): pass\n@tool\ndef g(): pass\n"),
        ("syntax.py", "\ndef f(:\n"),
        ("import.py", "import helper\n"),
        ("helper.py", "\n\nimport nothing_of_that_name\n"),
        ("exit.py", "raise SystemExit(2)\n"),
        ("prompty.py", "from promptflow.core import Prompty\n"),
    ]) else {
        return;
    };
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
    let Some(flow) = Flow::new(&[
        (
            "k.py",
            "def kernel_function(f):\n    f.__kernel_function__ = True\n    f.__kernel_function_name__ = 'Greets'\n    f.__kernel_function_description__ = 'Says hello.'\n    return f\nclass Plugin:\n    def __init__(self): self.n = 0\n    @kernel_function\n    def greet(self, who: str):\n        self.n += 1\n        return f'hello {who} {self.n}'\n    @staticmethod\n    def fixed(): return 5\ndef plain(x): return x\n",
        ),
        (
            "p.py",
            "from promptflow.core import ToolProvider\nclass T(ToolProvider):\n    def __init__(self, base: int):\n        super().__init__()\n        self.base = base\n    @tool\n    def run(self, n: int): return self.base + n\n",
        ),
    ]) else {
        return;
    };
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
    let Some(flow) = Flow::with(&[("t.py", "")], |settings| {
        let fake = settings.folder.join("python");
        std::fs::write(&fake, "#!/bin/sh\necho '{\"too_old\": \"3.6.15\"}'\n").expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&fake, mode).expect("a mode");
        settings.search.python = Some(fake);
    }) else {
        return;
    };
    let failure = flow
        .python
        .describe(&[flow.file("t.py")])
        .expect_err("too old");
    assert!(
        failure
            .message
            .contains("is Python 3.6.15, and flowctl needs 3.9"),
        "{failure:?}"
    );
}

#[test]
fn nodes_may_have_a_module_for_themselves() {
    let Some(flow) = Flow::new(&[(
        "t.py",
        "N = []\n@tool\ndef f():\n    N.append(1)\n    return len(N)\n",
    )]) else {
        return;
    };
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

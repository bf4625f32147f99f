//! Real tools in a real Python.

use serde_json::json;

use super::*;

/// A folder with files, and the Python in it.
struct Flow {
    dir: tempfile::TempDir,
    python: Python,
}

fn search() -> Search {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH");
    Search {
        path: path.map(|(_, path)| path),
        ..Search::default()
    }
}

impl Flow {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, |_| {})
    }

    fn with(files: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            std::fs::write(dir.path().join(path), text).expect("a file");
        }
        let mut search = search();
        search.folders = vec![dir.path().to_owned()];
        let mut settings = Settings::new(dir.path().to_owned(), search);
        change(&mut settings);
        Self {
            python: Python::new(settings),
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

    async fn call(&self, path: &str, inputs: Value) -> Answer {
        let request = CallRequest::new(self.file(path), object(inputs));
        self.python.call(request).await.expect("Python answers")
    }
}

use crate::value::{Object, Value};

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

#[tokio::test]
async fn a_tool_is_described_and_called() {
    let flow = Flow::new(&[(
        "t.py",
        "from promptflow.core import tool\n\n@tool\ndef add(a: int, b: float = 2.5, *, c='x', **more):\n    return {'sum': a + b, 'c': c, **more}\n",
    )]);
    let described = flow
        .python
        .describe(&[flow.file("t.py")])
        .expect("it answers");
    let description = described[0].as_ref().expect("it loads");
    assert_eq!(description.name, "add");
    assert!(description.keywords && !description.is_async);
    let kinds: Vec<_> = description
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.kind, parameter.required))
        .collect();
    assert_eq!(
        kinds,
        [
            ("a", Kind::Int, true),
            ("b", Kind::Double, false),
            ("c", Kind::String, false)
        ]
    );
    assert_eq!(
        description.parameter("b").and_then(|b| b.default.clone()),
        Some(json!(2.5))
    );
    let answer = flow.call("t.py", json!({"a": 1, "d": [null]})).await;
    assert_eq!(
        answer.result,
        Ok(json!({"sum": 3.5, "c": "x", "d": [null]}))
    );
}

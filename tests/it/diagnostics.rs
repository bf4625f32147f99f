//! Every diagnostic there is, as people see it; and the page that explains them.

use std::collections::BTreeSet;

use flowctl::diagnostic::Code;
use insta::assert_snapshot;

use crate::harness::{Test, repository};

/// What `validate` says about one file.
fn check(yaml: &str) -> String {
    Test::new()
        .file("flow.yaml", yaml)
        .run(["validate", "flow.yaml"])
}

/// Skills with typed ports, for everything about wiring.
fn with_skills(yaml: &str) -> Test {
    Test::new()
        .file("flow.yaml", yaml)
        .file(
            "skills/Count/skill.yaml",
            "outputs:\n  total: { schema: { type: integer }, value: '{{ 3 }}' }\n  words: { schema: { type: array, items: { type: string } }, value: '{{ [\"a\"] }}' }\n",
        )
        .file(
            "skills/Greet/skill.yaml",
            "inputs:\n  total: { schema: { type: integer, minimum: 0 }, description: How many. }\n  note: { schema: { type: string }, required: false }\noutputs:\n  text: { schema: { type: string }, value: 'n={{ total }}' }\n",
        )
        .file("skills/Shout/skill.yaml", "inputs:\n  text: { schema: { type: string } }\n  total: { schema: { type: string } }\n")
}

fn wired(yaml: &str) -> String {
    with_skills(yaml).run(["validate", "flow.yaml"])
}

// ------------------------------------------------------------------------------------------------
// The file
// ------------------------------------------------------------------------------------------------

#[test]
fn file_unreadable() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: Sub, type: flow, flow: parts/gone.yaml }\n",
    );
    assert_snapshot!(test.run(["validate", "nowhere.yaml"]), @r#"
    exit 3
    --- stderr
    error[file::unreadable]: cannot read the flow: there is no such file
    --> nowhere.yaml
     = help: `flowctl init` writes the example flow `flows/infra-product.yaml`
    "#);
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[file::unreadable]: cannot read the sub-flow `parts/gone.yaml`: there is no such file
     --> flow.yaml:2:36
      |
    2 |   - { name: Sub, type: flow, flow: parts/gone.yaml }
      |                                    ^^^^^^^^^^^^^^^
      |
      = help: the path is relative to the file that names it
    "#);
}

#[test]
fn file_too_large() {
    let test = Test::new().file("flow.yaml", "");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(test.path("flow.yaml"))
        .unwrap();
    file.set_len(33 * 1024 * 1024).unwrap();
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[file::too-large]: the file has more than 33554432 bytes
    --> flow.yaml
     = help: split the flow into sub-flows (`type: flow`)
    "#);
}

#[test]
fn file_not_utf8() {
    let test = Test::new().file("flow.yaml", b"name: caf\xe9\nnodes: []\n");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[file::not-utf8]: the file is not UTF-8
     --> flow.yaml:1:10
      |
    1 | name: caf�
      |          ^ byte 9 is 0xe9
      |
      = help: save the file as UTF-8, for example with `iconv -t UTF-8`
    "#);
}

#[test]
fn yaml_syntax() {
    assert_snapshot!(check("name: x\nnodes:\n  - { name: A, type: process, command: [true }\n"), @r#"
    exit 3
    --- stderr
    error[yaml::syntax]: mismatched bracket '[' closed by '}'
     --> flow.yaml:3:40
      |
    3 |   - { name: A, type: process, command: [true }
      |                                        ^
    "#);
    assert_snapshot!(check("name: x\nnodes:\n\t- name: A\n"), @r#"
    exit 3
    --- stderr
    error[yaml::syntax]: tabs disallowed within this context (block indentation)
     --> flow.yaml:3:2
      |
    3 |     - name: A
      |     ^
      |
      = help: indent with spaces: YAML does not allow tabs there
    "#);
    assert_snapshot!(check("name: x\nnodes: *nowhere\n"), @r#"
    exit 3
    --- stderr
    error[yaml::syntax]: while parsing node, found unknown anchor
     --> flow.yaml:2:8
      |
    2 | nodes: *nowhere
      |        ^
    "#);
}

#[test]
fn yaml_duplicate_key() {
    assert_snapshot!(check("nodes:\n  - name: A\n    type: process\n    command: ['true']\n    type: skill\n"), @r#"
    exit 3
    --- stderr
    error[yaml::duplicate-key]: the key `type` stands here twice
     --> flow.yaml:5:5
      |
    3 |     type: process
      |     ---- first
    4 |     command: ['true']
    5 |     type: skill
      |     ^^^^ second
      |
      = help: remove one of the two
    "#);
}

#[test]
fn yaml_alias_bomb() {
    let mut yaml = "x-0: &l0 [a, b, c, d, e, f, g, h, i]\n".to_owned();
    for level in 1..8 {
        let alias = vec![format!("*l{}", level - 1); 9].join(", ");
        yaml.push_str(&format!("x-{level}: &l{level} [{alias}]\n"));
    }
    assert_snapshot!(check(&yaml), @r#"
    exit 3
    --- stderr
    error[yaml::alias-bomb]: aliases expand to more than 100000 values
     --> flow.yaml:6:11
      |
    6 | x-5: &l5 [*l4, *l4, *l4, *l4, *l4, *l4, *l4, *l4, *l4]
      |           ^^^ this alias goes over the limit
      |
      = help: write the values out, or move them to a data file that a node reads
    "#);
}

#[test]
fn yaml_too_deep() {
    let yaml = format!(
        "x-deep:\n{}nodes: []\n",
        (0..105)
            .map(|level| format!("{}-\n", " ".repeat(level)))
            .collect::<String>()
    );
    assert_snapshot!(check(&yaml), @r#"
    exit 3
    --- stderr
    error[yaml::too-deep]: values nest deeper than 100 levels
       --> flow.yaml:101:100
        |
    101 | ...                   -
        |                       ^
    "#);
}

#[test]
fn yaml_multiple_documents() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: approval }\n---\nnodes: []\n"), @r#"
    exit 3
    --- stderr
    error[yaml::multiple-documents]: a second YAML document begins here
     --> flow.yaml:3:1
      |
    3 | ---
      | ^^^
      |
      = help: keep one document in a file; a sub-flow is a file of its own (`type: flow`)
    "#);
}

#[test]
fn yaml_not_json() {
    assert_snapshot!(check("x-a: .inf\nx-b: !!binary aGk=\nnodes:\n  - { name: A, type: approval }\n"), @r#"
    exit 3
    --- stderr
    error[yaml::not-json]: `.inf` has no JSON form
     --> flow.yaml:1:6
      |
    1 | x-a: .inf
      |      ^^^^
      |
      = help: quote it to mean the text

    error[yaml::not-json]: the tag `!!binary` means nothing here
     --> flow.yaml:2:6
      |
    2 | x-b: !!binary aGk=
      |      ^^^^^^^^
      |
      = help: remove the tag

    error: 2 errors
    "#);
    assert_snapshot!(check("? [a, b]\n: 1\n"), @r#"
    exit 3
    --- stderr
    error[yaml::not-json]: a key must be a string
     --> flow.yaml:1:3
      |
    1 | ? [a, b]
      |   ^^^^^^ this is a list
    "#);
}

// ------------------------------------------------------------------------------------------------
// Keys and values
// ------------------------------------------------------------------------------------------------

#[test]
fn unknown_key() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: approval, aproval: {} }\n  - { name: B, type: approval, colour: red }\n"), @r#"
    exit 3
    --- stderr
    error[flow::unknown-key]: a node has no key `aproval`
     --> flow.yaml:2:32
      |
    2 |   - { name: A, type: approval, aproval: {} }
      |                                ^^^^^^^
      |
      = help: did you mean `approval`?

    error[flow::unknown-key]: a node has no key `colour`
     --> flow.yaml:3:32
      |
    3 |   - { name: B, type: approval, colour: red }
      |                                ^^^^^^
      |
      = help: the keys are `name`, `type`, `description`, `persona`, `model`, `skill`, `tool`, `flow`, `command`, `cwd`, `env`, `output`, … (30 in all)

    error: 2 errors
    "#);
}

#[test]
fn wrong_type() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: echo hello world }\n  - { name: B, type: process, command: ['true'], timeout: 30 }\n"), @r#"
    exit 3
    --- stderr
    error[flow::wrong-type]: `command` must be a list
     --> flow.yaml:2:40
      |
    2 |   - { name: A, type: process, command: echo hello world }
      |                                        ^^^^^^^^^^^^^^^^ this is a string
      |
      = help: no shell splits it; write `command: [echo, hello, world]`

    error[flow::wrong-type]: `timeout` must be a duration
     --> flow.yaml:3:59
      |
    3 |   - { name: B, type: process, command: ['true'], timeout: 30 }
      |                                                           ^^ this is an integer
      |
      = help: write a whole number and a unit: `30s`, `5m`, `72h`, `2d`

    error: 2 errors
    "#);
    assert_snapshot!(check("nodes: { A: { type: approval } }\n"), @r#"
    exit 3
    --- stderr
    error[flow::wrong-type]: `nodes` must be a list
     --> flow.yaml:1:8
      |
    1 | nodes: { A: { type: approval } }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^ this is a mapping
    "#);
    assert_snapshot!(check("inputs:\n  city: Berlin\nnodes: []\n"), @r#"
    exit 3
    --- stderr
    error[flow::wrong-type]: the input `city` must be a mapping
     --> flow.yaml:2:9
      |
    2 |   city: Berlin
      |         ^^^^^^ this is a string
      |
      = help: write `city: { type: string }`
    "#);
}

#[test]
fn bad_value() {
    assert_snapshot!(check("order: sequental\nnodes:\n  - { name: A, type: proces }\n  - { name: B, type: process, command: ['true'], timeout: 5 minutes, retry: { attempts: 0 } }\n"), @r#"
    exit 3
    --- stderr
    error[flow::bad-value]: `order` cannot be `sequental`
     --> flow.yaml:1:8
      |
    1 | order: sequental
      |        ^^^^^^^^^
      |
      = help: did you mean `sequential`?
      = help: write `parallel` or `sequential`

    error[flow::bad-value]: there is no node type `proces`
     --> flow.yaml:3:22
      |
    3 |   - { name: A, type: proces }
      |                      ^^^^^^
      |
      = help: did you mean `process`?
      = help: the types are `persona`, `skill`, `process`, `http`, `flow` or `approval`

    error[flow::bad-value]: `timeout` is not a duration
     --> flow.yaml:4:59
      |
    4 |   - { name: B, type: process, command: ['true'], timeout: 5 minutes, retry: { attempts: 0 } }
      |                                                           ^^^^^^^^^ this is a string
      |
      = help: write a whole number and a unit: `30s`, `5m`, `72h`, `2d`

    error[flow::bad-value]: `attempts` must be a whole number from 1 to 1000
     --> flow.yaml:4:89
      |
    4 |   - { name: B, type: process, command: ['true'], timeout: 5 minutes, retry: { attempts: 0 } }
      |                                                                                         ^
      |
      = help: the first attempt counts: `attempts: 3` is one attempt and two retries

    error: 4 errors
    "#);
}

#[test]
fn missing_key() {
    assert_snapshot!(check("name: nothing-else\n"), @r#"
    exit 3
    --- stderr
    error[flow::missing-key]: a flow needs the key `nodes`
     --> flow.yaml:1:1
      |
    1 | name: nothing-else
      | ^^^^^^^^^^^^^^^^^^
      |
      = help: add `nodes:` with a list of nodes; `flowctl init` writes an example
    "#);
    assert_snapshot!(check("# nothing at all\n"), @r#"
    exit 3
    --- stderr
    error[flow::missing-key]: the file is empty
     --> flow.yaml:1:1
      |
    1 | # nothing at all
      | ^
      |
      = help: a flow has `nodes:`; `flowctl init` writes an example
    "#);
    assert_snapshot!(check("nodes:\n  - { type: approval }\n  - { name: B }\n  - { name: C, type: process }\n  - { name: D, type: flow }\n"), @r#"
    exit 3
    --- stderr
    error[flow::missing-key]: a node needs the key `name`
     --> flow.yaml:2:5
      |
    2 |   - { type: approval }
      |     ^^^^^^^^^^^^^^^^^^
      |
      = help: add `name: NAME`; references name the node by it

    error[flow::missing-key]: the node `B` needs the key `type`
     --> flow.yaml:3:5
      |
    3 |   - { name: B }
      |     ^^^^^^^^^^^
      |
      = help: add `type:` with `persona`, `skill`, `process`, `http`, `flow` or `approval`

    error[flow::missing-key]: the process node `C` needs the key `command`
     --> flow.yaml:4:5
      |
    4 |   - { name: C, type: process }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `command: [program, argument, …]`

    error[flow::missing-key]: the sub-flow node `D` needs the key `flow`
     --> flow.yaml:5:5
      |
    5 |   - { name: D, type: flow }
      |     ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `flow: FILE.yaml`, relative to this file

    error: 4 errors
    "#);
}

#[test]
fn bad_name() {
    assert_snapshot!(check("inputs:\n  2nd: { type: string }\nnodes:\n  - { name: my node, type: approval }\n  - { name: a, type: process, command: [a], worker_pool: big one }\n"), @r#"
    exit 3
    --- stderr
    error[flow::bad-name]: `2nd` cannot name an input
     --> flow.yaml:2:3
      |
    2 |   2nd: { type: string }
      |   ^^^
      |
      = help: begin with a letter or `_`, go on with letters, digits, `_` or `-`

    error[flow::bad-name]: `my node` cannot name a node
     --> flow.yaml:4:13
      |
    4 |   - { name: my node, type: approval }
      |             ^^^^^^^
      |
      = help: begin with a letter or `_`, go on with letters, digits, `_` or `-`

    error[flow::bad-name]: `big one` cannot name a pool of workers
     --> flow.yaml:5:58
      |
    5 |   - { name: a, type: process, command: [a], worker_pool: big one }
      |                                                          ^^^^^^^
      |
      = help: begin with a letter or `_`, go on with letters, digits, `_` or `-`

    error: 3 errors
    "#);
}

#[test]
fn duplicate_node() {
    assert_snapshot!(check("nodes:\n  - { name: Check, type: approval }\n  - { name: Other, type: approval }\n  - { name: Check, type: approval }\n"), @r#"
    exit 3
    --- stderr
    error[flow::duplicate-node]: two nodes are called `Check`
     --> flow.yaml:4:13
      |
    2 |   - { name: Check, type: approval }
      |             ----- first
    3 |   - { name: Other, type: approval }
    4 |   - { name: Check, type: approval }
      |             ^^^^^ second
      |
      = help: rename one of the two
    "#);
}

#[test]
fn conflict() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: skill, command: [ls] }\n  - { name: B, type: approval, timeout: 5m }\n  - { name: C, type: process, command: ['true'], when: 'true', activate: { when: 1, is: 1 } }\n"), @r#"
    exit 3
    --- stderr
    error[tool::unknown-skill]: there is no skill `A`
     --> flow.yaml:2:13
      |
    2 |   - { name: A, type: skill, command: [ls] }
      |             ^
      |
      = help: there is `backstage_scaffolder`, `iac_synthesis`, `oscal_packager` or `policy_pack`
      = help: or make one: `skills/A/skill.yaml` in the workspace

    error[flow::conflict]: `command` belongs to nodes of `type: process`, and `A` is of type `skill`
     --> flow.yaml:2:29
      |
    2 |   - { name: A, type: skill, command: [ls] }
      |                             ^^^^^^^
      |
      = help: remove `command`, or write `type: process`

    error[flow::conflict]: a gate has no `timeout`
     --> flow.yaml:3:32
      |
    3 |   - { name: B, type: approval, timeout: 5m }
      |                                ^^^^^^^
      |
      = help: the time that a gate waits is `approval: { timeout: 72h }`

    error[flow::conflict]: `when` and `activate` exclude each other
     --> flow.yaml:4:64
      |
    4 |   - { name: C, type: process, command: ['true'], when: 'true', activate: { when: 1, is: 1 } }
      |                                                                ^^^^^^^^
      |
      = help: keep `when`

    error: 4 errors
    "#);
}

#[test]
fn not_supported() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: llm }\n  - { name: B, type: approval, approval: { form: { reason: text } } }\n"), @r#"
    exit 3
    --- stderr
    error[flow::not-supported]: nodes of `type: llm` do not run in this version
     --> flow.yaml:2:22
      |
    2 |   - { name: A, type: llm }
      |                      ^^^
      |
      = help: a `type: process` node can run any command, also Python

    error[flow::wrong-type]: the field `reason` must be a mapping
     --> flow.yaml:3:60
      |
    3 |   - { name: B, type: approval, approval: { form: { reason: text } } }
      |                                                            ^^^^ this is a string

    error: 2 errors
    "#);
}

#[test]
fn bad_default() {
    assert_snapshot!(check("inputs:\n  clouds:\n    type: list\n    items: { enum: [azure, aws] }\n    default: [azure, ibm]\n  count: { type: integer, default: three }\nnodes: []\n"), @r#"
    exit 3
    --- stderr
    error[flow::bad-default]: the default of `clouds` does not fit its declaration
     --> flow.yaml:5:22
      |
    2 |   clouds:
      |   ------ declared here
    ...
    5 |     default: [azure, ibm]
      |                      ^^^ "ibm" is not one of "azure" or "aws"

    error[flow::bad-default]: the default of `count` does not fit its declaration
     --> flow.yaml:6:36
      |
    6 |   count: { type: integer, default: three }
      |   ----- declared here              ^^^^^ "three" is not of type "integer"

    error: 2 errors
    "#);
}

#[test]
fn bad_schema() {
    assert_snapshot!(check("inputs:\n  code: { type: string, pattern: '[a-' }\nnodes: []\n"), @r#"
    exit 3
    --- stderr
    error[flow::bad-schema]: the input `code` has no valid schema
     --> flow.yaml:2:34
      |
    2 |   code: { type: string, pattern: '[a-' }
      |                                  ^^^^^ "[a-" is not a "regex"
    "#);
}

#[test]
fn recursive_flow() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:\n  - { name: Inner, type: flow, flow: parts/inner.yaml }\n",
        )
        .file(
            "parts/inner.yaml",
            "nodes:\n  - name: Again\n    type: flow\n    flow: ../flow.yaml\n",
        );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::recursive]: a flow cannot contain itself: flow.yaml -> parts/inner.yaml -> flow.yaml
     --> parts/inner.yaml:4:11
      |
    4 |     flow: ../flow.yaml
      |           ^^^^^^^^^^^^
      |
      = help: repeat work with `foreach`, over a list that is known before
    "#);
}

#[test]
fn approvers_needed() {
    assert_snapshot!(check("nodes:\n  - { name: Ok, type: approval, approval: { quorum: 2, approvers: [ada] } }\n"), @r#"
    exit 3
    --- stderr
    error[approval::approvers-needed]: `approvers` and `quorum` need an `approvers.yaml`
     --> flow.yaml:2:33
      |
    2 |   - { name: Ok, type: approval, approval: { quorum: 2, approvers: [ada] } }
      |                                 ^^^^^^^^ nobody could be told apart
      |
      = help: `flowctl approvers init` begins one; without it the operating-system user decides, recorded as `unverified`
    "#);
}

// ------------------------------------------------------------------------------------------------
// Expressions
// ------------------------------------------------------------------------------------------------

#[test]
fn expr_syntax() {
    assert_snapshot!(check("nodes:\n  - name: A\n    type: process\n    command: [echo, 'got ${A.result.x} of ${input.x}']\n"), @r#"
    exit 3
    --- stderr
    error[expr::syntax]: `A.result.x` is not a reference
     --> flow.yaml:4:28
      |
    4 |     command: [echo, 'got ${A.result.x} of ${input.x}']
      |                            ^^^^^^^^^^
      |
      = help: write `${A.output.result}` for the port `result` of node `A`
      = help: for a literal `${` write `$${`

    error[expr::syntax]: `input.x` is not a reference
     --> flow.yaml:4:45
      |
    4 |     command: [echo, 'got ${A.result.x} of ${input.x}']
      |                                             ^^^^^^^
      |
      = help: did you mean `inputs`?
      = help: for a literal `${` write `$${`

    error: 2 errors
    "#);
    assert_snapshot!(check("inputs: { who: { type: string } }\nnodes:\n  - { name: A, type: process, command: [echo, 'hi {{ ${inputs.who} }}'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::syntax]: a `${…}` cannot stand inside `{{ … }}`
     --> flow.yaml:3:54
      |
    3 |   - { name: A, type: process, command: [echo, 'hi {{ ${inputs.who} }}'] }
      |                                                      ^^
      |
      = help: inside a template the same names are used without `${` and `}`: `{{ inputs.NAME }}`
    "#);
}

#[test]
fn expr_unclosed() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: [echo, 'price ${inputs.price'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::unclosed]: `${` is never closed
     --> flow.yaml:2:54
      |
    2 |   - { name: A, type: process, command: [echo, 'price ${inputs.price'] }
      |                                                      ^^^^^^^^^^^^^^ the expression starts here
      |
      = help: close it with `}`, or write `$${` for a literal `${`
    "#);
}

#[test]
fn expr_bad_path() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: ['true'] }\n  - { name: B, type: process, command: [echo, '${A.output.list[?@.x ==]}'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::bad-path]: not a JSONPath here: expected comparable
     --> flow.yaml:3:71
      |
    3 |   - { name: B, type: process, command: [echo, '${A.output.list[?@.x ==]}'] }
      |                                                                       ^
      |
      = help: the tail of a reference is a JSONPath (RFC 9535): `.key`, `[0]`, `['a key']`, `[*]`, `[?@.key == 1]`
    "#);
}

#[test]
fn unknown_node() {
    assert_snapshot!(check("nodes:\n  - { name: Requirements, type: approval }\n  - { name: B, type: process, command: [echo, '${Requirments.output.by}'], after: [Nobody] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-node]: unknown node `Requirments`
     --> flow.yaml:3:48
      |
    3 |   - { name: B, type: process, command: [echo, '${Requirments.output.by}'], after: [Nobody] }
      |                                                ^^^^^^^^^^^^^^^^^^^^^^^^ no node has this name
      |
      = help: did you mean `Requirements`?

    error[expr::unknown-node]: unknown node `Nobody`
     --> flow.yaml:3:84
      |
    3 |   - { name: B, type: process, command: [echo, '${Requirments.output.by}'], after: [Nobody] }
      |                                                                                    ^^^^^^ no node has this name
      |
      = help: the nodes are `Requirements` or `B`

    error: 2 errors
    "#);
}

#[test]
fn unknown_input() {
    assert_snapshot!(check("inputs: { product_name: { type: string } }\nnodes:\n  - { name: A, type: process, command: [echo, '${inputs.product_nam}'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-input]: the flow has no input `product_nam`
     --> flow.yaml:3:48
      |
    3 |   - { name: A, type: process, command: [echo, '${inputs.product_nam}'] }
      |                                                ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `product_name`?
    "#);
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: [echo, '${inputs.city}'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-input]: the flow has no input `city`
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${inputs.city}'] }
      |                                                ^^^^^^^^^^^^^^
      |
      = help: declare it: `inputs: { city: { type: string } }`
    "#);
}

#[test]
fn unknown_output() {
    assert_snapshot!(wired("nodes:\n  - { name: Count, type: skill }\n  - { name: A, type: process, command: [echo, '${Count.output.totl}', '${Count.output.total.deeper}'] }\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-output]: `Count` has no `totl` here
     --> flow.yaml:3:48
      |
    3 |   - { name: A, type: process, command: [echo, '${Count.output.totl}', '${Count.output.total.deeper}'] }
      |                                                ^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `total`?

    error[expr::unknown-output]: `Count` has no `deeper` here
     --> flow.yaml:3:72
      |
    3 |   - { name: A, type: process, command: [echo, '${Count.output.totl}', '${Count.output.total.deeper}'] }
      |                                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: it is not an object; run the flow and look with `flowctl show RUN NODE`

    error: 2 errors
    "#);
    assert_snapshot!(check("nodes:\n  - { name: Build, type: process, command: ['true'] }\noutputs:\n  code: ${Build.output.code}\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-output]: `Build` has no `code` here
     --> flow.yaml:4:9
      |
    4 |   code: ${Build.output.code}
      |         ^^^^^^^^^^^^^^^^^^^^
      |
      = help: there is `stdout` or `exit_code`
    "#);
}

#[test]
fn not_available() {
    assert_snapshot!(check(
        "nodes:\n  - name: A\n    type: process\n    command: [echo, '${item}']\n    inputs:\n      who: ${approval.by}\n      token: 'Bearer {{ secrets.TOKEN }}'\noutputs:\n  leak: ${secrets.TOKEN}\n"
    ), @r#"
    exit 3
    --- stderr
    error[expr::not-available]: `item` exists only in the inputs of a node with `foreach`
     --> flow.yaml:4:22
      |
    4 |     command: [echo, '${item}']
      |                      ^^^^^^^
      |
      = help: add `foreach: ${…}` to the node, or name what you mean

    error[expr::not-available]: `approval` exists only in the inputs of a node with `approval`
     --> flow.yaml:6:12
      |
    6 |       who: ${approval.by}
      |            ^^^^^^^^^^^^^^
      |
      = help: a later node reads the gate's output: `${GATE.output}`

    error[expr::not-available]: `secrets` cannot be read by a template: its text would be written down
     --> flow.yaml:7:14
      |
    7 |       token: 'Bearer {{ secrets.TOKEN }}'
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: pass `${secrets.NAME}` as an input of its own

    error[expr::not-available]: `secrets` reach tools only, through the inputs, `command` or `env` of a node
     --> flow.yaml:9:9
      |
    9 |   leak: ${secrets.TOKEN}
      |         ^^^^^^^^^^^^^^^^
      |
      = help: use an input instead

    error: 4 errors
    "#);
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [echo, '${env.NOWHERE_SET}'] }\n",
    );
    assert_snapshot!(test.run(["run", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[expr::not-available]: the environment variable `NOWHERE_SET` is not set
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${env.NOWHERE_SET}'] }
      |                                                ^^^^^^^^^^^^^^^^^^
      |
      = help: set it: `export NOWHERE_SET=…`
    "#);
}

#[test]
fn later_node() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: [echo, '${B.output.stdout}'] }\n  - { name: B, type: process, command: ['true'] }\n"), @r#"
    exit 3
    --- stderr
    error[graph::later-node]: `A` refers to `B`, which comes after it, on line 3
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${B.output.stdout}'] }
      |                                                ^^^^^^^^^^^^^^^^^^
    3 |   - { name: B, type: process, command: ['true'] }
      |             - declared here, further down
      |
      = help: move `B` above `A`
    "#);
}

#[test]
fn self_reference() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: [echo, '${A.output.stdout}'] }\n"), @r#"
    exit 3
    --- stderr
    error[graph::self-reference]: node `A` waits for itself
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${A.output.stdout}'] }
      |             - declared here                    ^^^^^^^^^^^^^^^^^^ refers to its own node
      |
      = help: remove the reference
    "#);
}

#[test]
fn cycle() {
    assert_snapshot!(check(
        "nodes:\n  - { name: A, type: process, command: [echo, '${C.output.stdout}'] }\n  - { name: B, type: process, command: ['true'], after: [A] }\n  - { name: C, type: process, command: [echo, '${B.output.stdout}'] }\n"
    ), @r#"
    exit 3
    --- stderr
    error[graph::cycle]: these nodes wait for each other: A -> B -> C -> A
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${C.output.stdout}'] }
      |                                                ^^^^^^^^^^^^^^^^^^ `A` waits for `C`
    3 |   - { name: B, type: process, command: ['true'], after: [A] }
      |                                                          - `B` waits for `A`
    4 |   - { name: C, type: process, command: [echo, '${B.output.stdout}'] }
      |                                                ------------------ `C` waits for `B`
      |
      = help: remove one of these references
    "#);
    // Through a gate, which the file alone does not show.
    assert_snapshot!(check(
        "nodes:\n  - { name: A, type: process, command: ['true'], after: [C] }\n  - { name: Gate, type: approval }\n  - { name: C, type: process, command: ['true'] }\n"
    ), @r#"
    exit 3
    --- stderr
    error[graph::cycle]: these nodes wait for each other: A -> Gate -> C -> A
     --> flow.yaml:2:13
      |
    2 |   - { name: A, type: process, command: ['true'], after: [C] }
      |             ^ waits for `C` (after)
    3 |   - { name: Gate, type: approval }
      |             ---- waits for `A` (gate)
    4 |   - { name: C, type: process, command: ['true'] }
      |             - waits for `Gate` (gate)
      |
      = help: a gate holds back all nodes below it: move nodes across it, or give it `approval: { scope: dependants }`
    "#);
}

#[test]
fn bad_template() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: [echo, 'a {{ 1 + }} b'] }\n  - { name: B, type: process, command: ['true'], when: 'A.output.stdout ==' }\n"), @r#"
    exit 3
    --- stderr
    error[template::syntax]: found `}}` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
     --> flow.yaml:2:57
      |
    2 |   - { name: A, type: process, command: [echo, 'a {{ 1 + }} b'] }
      |                                                         ^^

    error[template::syntax]: found the end of the expression but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
     --> flow.yaml:3:74
      |
    3 |   - { name: B, type: process, command: ['true'], when: 'A.output.stdout ==' }
      |                                                                          ^

    error: 2 errors
    "#);
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: ['true'], when: '${inputs.x} > 3' }\n"), @r#"
    exit 3
    --- stderr
    error[template::syntax]: `when` takes a bare tera expression
     --> flow.yaml:2:57
      |
    2 |   - { name: A, type: process, command: ['true'], when: '${inputs.x} > 3' }
      |                                                         ^^
      |
      = help: write the name without `${` and `}`: `when: QA.output.score > 3`
    "#);
}

// ------------------------------------------------------------------------------------------------
// Tools and wiring
// ------------------------------------------------------------------------------------------------

#[test]
fn unknown_tool() {
    assert_snapshot!(check("nodes:\n  - { name: A, tool: product_manager.rum }\n"), @r#"
    exit 3
    --- stderr
    error[tool::unknown-tool]: there is no tool `product_manager.rum`
     --> flow.yaml:2:22
      |
    2 |   - { name: A, tool: product_manager.rum }
      |                      ^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `product_manager.run`?
    "#);
}

#[test]
fn unknown_persona() {
    assert_snapshot!(check("nodes:\n  - { name: Architect, type: persona, persona: CloudArchitekt }\n"), @r#"
    exit 3
    --- stderr
    error[tool::unknown-persona]: there is no persona `CloudArchitekt`
     --> flow.yaml:2:48
      |
    2 |   - { name: Architect, type: persona, persona: CloudArchitekt }
      |                                                ^^^^^^^^^^^^^^
      |
      = help: did you mean `CloudArchitect`?
    "#);
}

#[test]
fn unknown_skill() {
    assert_snapshot!(check("nodes:\n  - { name: A, type: skill, skill: policy_packs }\n"), @r#"
    exit 3
    --- stderr
    error[tool::unknown-skill]: there is no skill `policy_packs`
     --> flow.yaml:2:36
      |
    2 |   - { name: A, type: skill, skill: policy_packs }
      |                                    ^^^^^^^^^^^^
      |
      = help: did you mean `policy_pack`?
      = help: or make one: `skills/policy_packs/skill.yaml` in the workspace
    "#);
    assert_snapshot!(check("nodes:\n  - { name: Mine, type: skill }\n"), @r#"
    exit 3
    --- stderr
    error[tool::unknown-skill]: there is no skill `Mine`
     --> flow.yaml:2:13
      |
    2 |   - { name: Mine, type: skill }
      |             ^^^^
      |
      = help: there is `backstage_scaffolder`, `iac_synthesis`, `oscal_packager` or `policy_pack`
      = help: or make one: `skills/Mine/skill.yaml` in the workspace
    "#);
}

#[test]
fn bad_skill() {
    let test = Test::new()
        .file("flow.yaml", "nodes:\n  - { name: Mine, type: skill }\n")
        .file(
            "skills/Mine/skill.yaml",
            "name: Yours\ninputs:\n  plan: { contract: IacPlan }\nfiles:\n  - { source: templates/man.tf.tera, target: main.tf }\n",
        )
        .file("skills/Mine/templates/main.tf.tera", "# {{ plan }}\n");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[tool::bad-skill]: the skill calls itself `Yours`, and its folder `Mine`
     --> skills/Mine/skill.yaml:1:7
      |
    1 | name: Yours
      |       ^^^^^
      |
      = help: rename one of the two

    error[tool::bad-skill]: there is no contract `IacPlan`
     --> skills/Mine/skill.yaml:3:21
      |
    3 |   plan: { contract: IacPlan }
      |                     ^^^^^^^
      |
      = help: `flowctl schema --list` shows the contracts

    error[tool::bad-skill]: there is no `templates/man.tf.tera` beside `skill.yaml`
     --> skills/Mine/skill.yaml:5:15
      |
    5 |   - { source: templates/man.tf.tera, target: main.tf }
      |               ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `templates/main.tf.tera`?
      = help: there is `skill.yaml` or `templates/main.tf.tera`

    error: 3 errors
    "#);
}

#[test]
fn unknown_port() {
    assert_snapshot!(wired("nodes:\n  - { name: Greet, type: skill, inputs: { total: 3, note_: x } }\n"), @r#"
    exit 3
    --- stderr
    error[port::unknown-port]: `Greet` takes no input `note_`
     --> flow.yaml:2:53
      |
    2 |   - { name: Greet, type: skill, inputs: { total: 3, note_: x } }
      |                                                     ^^^^^
      |
      = help: did you mean `note`?
    "#);
}

#[test]
fn unfed_port() {
    assert_snapshot!(wired("nodes:\n  - { name: Greet, type: skill }\n  - { name: Count, type: skill }\n"), @r#"
    exit 3
    --- stderr
    error[port::unfed]: `Greet` needs `total`; `Count` offers it, but on line 3, after this node
     --> flow.yaml:2:13
      |
    2 |   - { name: Greet, type: skill }
      |             ^^^^^ needs `total`
    3 |   - { name: Count, type: skill }
      |             ----- offers `total`, too late
      |
      = help: move `Count` above `Greet`
    "#);
    assert_snapshot!(wired("inputs: { totals: { type: integer } }\nnodes:\n  - { name: Greet, type: skill }\n"), @r#"
    exit 3
    --- stderr
    error[port::unfed]: `Greet` needs `total`, and nothing offers it
     --> flow.yaml:3:13
      |
    3 |   - { name: Greet, type: skill }
      |             ^^^^^ `total`: How many
      |
      = help: did you mean `totals`?
      = help: write it under `inputs:` of the node, or declare a flow input `total`
    "#);
}

#[test]
fn conditional_producer() {
    assert_snapshot!(wired("nodes:\n  - { name: Count, type: skill, when: '1 > 2' }\n  - { name: Greet, type: skill }\n"), @r#"
    exit 3
    --- stderr
    error[port::conditional-producer]: `Greet` needs `total`, but the nearest node that offers it, `Count`, may be bypassed
     --> flow.yaml:3:13
      |
    2 |   - { name: Count, type: skill, when: '1 > 2' }
      |             ----- offers `total`
    3 |   - { name: Greet, type: skill }
      |             ^^^^^
      |
      = help: write `inputs:` to say what is meant: `total: ${Count.output.total}`
    "#);
}

#[test]
fn contract_mismatch() {
    assert_snapshot!(wired("nodes:\n  - { name: Count, type: skill }\n  - { name: Shout, type: skill, inputs: { text: '${Count.output.words}' } }\n"), @r#"
    exit 3
    --- stderr
    error[port::contract-mismatch]: what `Count` gives does not fit `total` of `Shout`
     --> flow.yaml:3:13
      |
    2 |   - { name: Count, type: skill }
      |             ----- comes from here
    3 |   - { name: Shout, type: skill, inputs: { text: '${Count.output.words}' } }
      |             ^^^^^ `Count` gives number, but string is wanted
      |
      = help: give the node another value under `inputs:`, `total: …`

    error[port::contract-mismatch]: what `${Count.output.words}` gives does not fit `text` of `Shout`
     --> flow.yaml:3:50
      |
    3 |   - { name: Shout, type: skill, inputs: { text: '${Count.output.words}' } }
      |                                                  ^^^^^^^^^^^^^^^^^^^^^ `${Count.output.words}` gives array, but string is wanted
      |
      = help: give the node another value under `inputs:`, `text: …`

    error: 2 errors
    "#);
}

#[test]
fn bad_literal() {
    assert_snapshot!(wired("nodes:\n  - { name: Greet, type: skill, inputs: { total: -3, note: [x] } }\n"), @r#"
    exit 3
    --- stderr
    error[port::bad-literal]: `total` of `Greet` cannot be this
     --> flow.yaml:2:50
      |
    2 |   - { name: Greet, type: skill, inputs: { total: -3, note: [x] } }
      |                                                  ^^ -3 is less than the minimum of 0

    error[port::bad-literal]: `note` of `Greet` cannot be this
     --> flow.yaml:2:60
      |
    2 |   - { name: Greet, type: skill, inputs: { total: -3, note: [x] } }
      |                                                            ^^^ ["x"] is not of type "string"

    error: 2 errors
    "#);
}

// ------------------------------------------------------------------------------------------------
// Inputs of a run
// ------------------------------------------------------------------------------------------------

const WITH_INPUTS: &str = "inputs:
  product_name: { type: string, description: What the product is called., minLength: 3 }
  target_clouds: { type: list, default: [azure], items: { enum: [azure, aws, gcp, oci] } }
nodes:
  - { name: A, type: process, command: ['true'] }
";

#[test]
fn missing_input() {
    assert_snapshot!(Test::new().file("flow.yaml", WITH_INPUTS).run(["run", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[input::missing]: the input `product_name` is missing
     --> flow.yaml:2:3
      |
    2 |   product_name: { type: string, description: What the product is called., minLength: 3 }
      |   ^^^^^^^^^^^^ What the product is called
      |
      = help: give it with `-i product_name=…` (a string of at least 3 characters)
    "#);
}

#[test]
fn bad_input() {
    let test = Test::new().file("flow.yaml", WITH_INPUTS);
    assert_snapshot!(test.run(["run", "flow.yaml", "-i", "product_name=ab", "-i", "target_clouds=azure,ibm"]), @r#"
    exit 3
    --- stderr
    error[input::bad-value]: `product_name` cannot be `"ab"`
     --> flow.yaml:2:3
      |
    2 |   product_name: { type: string, description: What the product is called., minLength: 3 }
      |   ^^^^^^^^^^^^ "ab" is shorter than 3 characters
      |
      = help: give a string of at least 3 characters

    error[input::bad-value]: `target_clouds` cannot be `["azure","ibm"]`
     --> flow.yaml:3:3
      |
    3 |   target_clouds: { type: list, default: [azure], items: { enum: [azure, aws, gcp, oci] } }
      |   ^^^^^^^^^^^^^ at `1`: "ibm" is not one of "azure", "aws" or 2 other candidates
      |
      = help: give a list of azure, aws, gcp, oci

    error: 2 errors
    "#);
    assert!(!test.exists("artifacts"), "an invalid run leaves nothing");
}

#[test]
fn undeclared_input() {
    let test = Test::new().file("flow.yaml", WITH_INPUTS);
    assert_snapshot!(test.run(["run", "flow.yaml", "-i", "product_name=abc", "-i", "target_cloud=[aws]"]), @r#"
    exit 3
    --- stderr
    error[input::undeclared]: the flow has no input `target_cloud`
     --> flow.yaml:2:3
      |
    2 |   product_name: { type: string, description: What the product is called., minLength: 3 }
      |   ^^^^^^^^^^^^
      |
      = help: did you mean `target_clouds`?
    "#);
}

// ------------------------------------------------------------------------------------------------
// What the messages are good for
// ------------------------------------------------------------------------------------------------

#[test]
fn all_problems_of_a_file_at_once() {
    let test = with_skills(
        "inputs:
  n: { type: integer, default: x }
nodes:
  - { name: Count, type: skill, retries: 3 }
  - { name: Greet, type: skill, inputs: { total: '${Cuont.output.total}' } }
  - { name: Greet, type: process, command: [echo, '${inputs.m}', '${Greet.output'] }
outputs:
  text: ${Greet.output.txt}
",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::bad-default]: the default of `n` does not fit its declaration
     --> flow.yaml:2:32
      |
    2 |   n: { type: integer, default: x }
      |   - declared here              ^ "x" is not of type "integer"

    error[flow::unknown-key]: a node has no key `retries`
     --> flow.yaml:4:33
      |
    4 |   - { name: Count, type: skill, retries: 3 }
      |                                 ^^^^^^^
      |
      = help: the keys are `name`, `type`, `description`, `persona`, `model`, `skill`, `tool`, `flow`, `command`, `cwd`, `env`, `output`, … (30 in all)

    error[expr::unknown-node]: unknown node `Cuont`
     --> flow.yaml:5:51
      |
    5 |   - { name: Greet, type: skill, inputs: { total: '${Cuont.output.total}' } }
      |                                                   ^^^^^^^^^^^^^^^^^^^^^ no node has this name
      |
      = help: did you mean `Count`?

    error[flow::duplicate-node]: two nodes are called `Greet`
     --> flow.yaml:6:13
      |
    5 |   - { name: Greet, type: skill, inputs: { total: '${Cuont.output.total}' } }
      |             ----- first
    6 |   - { name: Greet, type: process, command: [echo, '${inputs.m}', '${Greet.output'] }
      |             ^^^^^ second
      |
      = help: rename one of the two

    error[expr::unknown-input]: the flow has no input `m`
     --> flow.yaml:6:52
      |
    6 |   - { name: Greet, type: process, command: [echo, '${inputs.m}', '${Greet.output'] }
      |                                                    ^^^^^^^^^^^
      |
      = help: declare it: `inputs: { m: { type: string } }`

    error[expr::unclosed]: `${` is never closed
     --> flow.yaml:6:67
      |
    6 |   - { name: Greet, type: process, command: [echo, '${inputs.m}', '${Greet.output'] }
      |                                                                   ^^^^^^^^^^^^^^ the expression starts here
      |
      = help: close it with `}`, or write `$${` for a literal `${`

    error[expr::unknown-output]: `Greet` has no `txt` here
     --> flow.yaml:8:9
      |
    8 |   text: ${Greet.output.txt}
      |         ^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `text`?

    error: 7 errors
    "#);
    let report = test
        .output(["validate", "flow.yaml", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(
        report["files"],
        serde_json::json!([{ "path": "flow.yaml", "valid": false }])
    );
    let places: Vec<String> = report["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{}:{}-{}:{} {} {}",
                one["line"],
                one["column"],
                one["end_line"],
                one["end_column"],
                one["severity"].as_str().unwrap(),
                one["code"].as_str().unwrap()
            )
        })
        .collect();
    assert_snapshot!(places.join("\n"), @r#"
    2:32-2:33 error flow::bad-default
    4:33-4:40 error flow::unknown-key
    5:51-5:72 error expr::unknown-node
    6:13-6:18 error flow::duplicate-node
    6:52-6:63 error expr::unknown-input
    6:67-6:81 error expr::unclosed
    8:9-8:28 error expr::unknown-output
    "#);
}

#[test]
fn the_part_of_a_string_is_underlined_however_it_is_written() {
    // Escapes, block scalars, folded lines and plain strings over several lines.
    assert_snapshot!(check(
        "nodes:
  - name: A
    type: process
    command:
      - sh
      - -c
      - |
        echo é
        echo ${Gone.output.x} and ${inputs.no}
      - \"tab\\t\\u00e9 ${Gone2.output.x}\"
      - >-
        folded
        ${Gone3.output.x}
      - plain text
        ${Gone4.output.x}
      - 'it''s ${Gone5.output.x}'
"
    ), @r#"
    exit 3
    --- stderr
    error[expr::unknown-node]: unknown node `Gone`
     --> flow.yaml:9:14
      |
    9 |         echo ${Gone.output.x} and ${inputs.no}
      |              ^^^^^^^^^^^^^^^^ no node has this name
      |
      = help: the nodes are `A`

    error[expr::unknown-input]: the flow has no input `no`
     --> flow.yaml:9:35
      |
    9 |         echo ${Gone.output.x} and ${inputs.no}
      |                                   ^^^^^^^^^^^^
      |
      = help: declare it: `inputs: { no: { type: string } }`

    error[expr::unknown-node]: unknown node `Gone2`
      --> flow.yaml:10:22
       |
    10 |       - "tab\t\u00e9 ${Gone2.output.x}"
       |                      ^^^^^^^^^^^^^^^^^ no node has this name
       |
       = help: the nodes are `A`

    error[expr::unknown-node]: unknown node `Gone3`
      --> flow.yaml:13:9
       |
    13 |         ${Gone3.output.x}
       |         ^^^^^^^^^^^^^^^^^ no node has this name
       |
       = help: the nodes are `A`

    error[expr::unknown-node]: unknown node `Gone4`
      --> flow.yaml:15:9
       |
    15 |         ${Gone4.output.x}
       |         ^^^^^^^^^^^^^^^^^ no node has this name
       |
       = help: the nodes are `A`

    error[expr::unknown-node]: unknown node `Gone5`
      --> flow.yaml:16:16
       |
    16 |       - 'it''s ${Gone5.output.x}'
       |                ^^^^^^^^^^^^^^^^^ no node has this name
       |
       = help: the nodes are `A`

    error: 6 errors
    "#);
}

/// The flagship flow with two of its lines swapped.
fn reordered(one: &str, other: &str) -> Test {
    let text = std::fs::read_to_string(repository("flows/infra-product.yaml")).unwrap();
    let line = |name: &str| {
        text.lines()
            .find(|line| line.contains(&format!("name: {name},")))
            .unwrap()
            .to_owned()
    };
    let (one, other) = (line(one), line(other));
    let swapped = text
        .replace(&one, "<other>")
        .replace(&other, &one)
        .replace("<other>", &other);
    Test::new().file("flows/infra-product.yaml", swapped)
}

#[test]
fn a_misordered_persona_is_told_what_to_do() {
    let test = reordered("SecurityCompliance", "IaCEngineer");
    assert_snapshot!(test.run(["validate", "flows/infra-product.yaml"]), @r#"
    exit 3
    --- stderr
    error[port::unfed]: `IaCEngineer` needs `security_profile`; `SecurityCompliance` offers it, but on line 56, after this node
      --> flows/infra-product.yaml:55:13
       |
    55 |   - { name: IaCEngineer, type: persona }
       |             ^^^^^^^^^^^ needs `security_profile`
    56 |   - { name: SecurityCompliance, type: persona }
       |             ------------------ offers `security_profile`, too late
       |
       = help: move `SecurityCompliance` above `IaCEngineer`
    "#);
}

#[test]
fn personas_whose_order_is_free_may_be_moved() {
    let test = reordered("QA", "BackstagePublisher");
    assert_snapshot!(test.run(["validate", "flows/infra-product.yaml"]), @r#"
    exit 0
    --- stderr
    flows/infra-product.yaml: valid
    "#);
    let order = |test: &Test| -> Vec<String> {
        let graph = test
            .output(["graph", "flows/infra-product.yaml"])
            .exits(0)
            .stdout;
        graph
            .lines()
            .filter(|line| line.contains(", line ") || line.trim_start().starts_with("after "))
            .map(str::to_owned)
            .collect()
    };
    assert_snapshot!(order(&test).join("\n"), @r#"
    ProductManager (persona, line 53)
    CloudArchitect (persona, line 54)
      after ProductManager (order)
    SecurityCompliance (persona, line 55)
      after CloudArchitect (order)
    IaCEngineer (persona, line 56)
      after SecurityCompliance (order)
    BackstagePublisher (persona, line 57)
      after IaCEngineer (order)
    QA (persona, line 58)
      after BackstagePublisher (order)
    Approvals (persona, line 59)
      after ProductManager (gate), CloudArchitect (gate), SecurityCompliance (gate), IaCEngineer (gate), BackstagePublisher (gate), QA (gate), QA (order)
    EvidenceSink (persona, line 60)
      after Approvals (gate), Approvals (order)
    "#);
}

#[test]
fn the_older_spelling_of_references_is_accepted_throughout() {
    let test = with_skills(
        "nodes:
  - { name: Count, type: skill }
  - { name: Greet, type: skill, inputs: { total: '${nodes.Count.outputs.total}' }, when: 'nodes.Count.outputs.total > 2' }
  - name: Print
    type: process
    command: [echo, 'n=${nodes.Count.outputs.total}', '{{ nodes.Greet.outputs.text }}', '${nodes.Count.outputs.words[0]}']
    activate: { when: '${nodes.Count.outputs.total}', is: 3 }
outputs:
  text: ${nodes.Print.outputs.stdout}
",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 0
    --- stderr
    flow.yaml: valid
    "#);
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r"]), @r#"
    exit 0
    --- stdout
    {
      "text": "n=3 n=3 a\n"
    }
    --- stderr
    run r of flow
      Count         succeeded in <duration>
      Greet         succeeded in <duration>
      Print         succeeded in <duration>
    succeeded: run r
      evidence artifacts/evidence/bundles/flow
    "#);
    // A wrong one is as wrong as in the newer spelling.
    assert_snapshot!(check("nodes:\n  - { name: A, type: process, command: ['true'] }\noutputs:\n  x: ${nodes.A.outputs.nothing}\n  y: ${nodes.B.outputs.stdout}\n  z: '{{ nodes.C.outputs.stdout }}'\n"), @r#"
    exit 3
    --- stderr
    error[expr::unknown-output]: `A` has no `nothing` here
     --> flow.yaml:4:6
      |
    4 |   x: ${nodes.A.outputs.nothing}
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: there is `stdout` or `exit_code`

    error[expr::unknown-node]: unknown node `B`
     --> flow.yaml:5:6
      |
    5 |   y: ${nodes.B.outputs.stdout}
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^ no node has this name
      |
      = help: the nodes are `A`

    error[expr::unknown-node]: unknown node `C`
     --> flow.yaml:6:6
      |
    6 |   z: '{{ nodes.C.outputs.stdout }}'
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no node has this name
      |
      = help: the nodes are `A`

    error: 3 errors
    "#);
}

#[test]
fn warnings_do_not_stop_a_run() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: approval, approval: { on_timeout: fail } }\n",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 0
    --- stderr
    warning[flow::conflict]: `on_timeout` without `timeout` never happens
     --> flow.yaml:2:56
      |
    2 |   - { name: A, type: approval, approval: { on_timeout: fail } }
      |                                                        ^^^^
      |
      = help: add `timeout: 72h`
    flow.yaml: valid
    "#);
    test.output(["run", "flow.yaml"])
        .exits(5)
        .says("warning[flow::conflict]");
}

#[test]
fn a_broken_template_of_a_skill_is_reported_in_its_own_file() {
    let test = Test::new()
        .file("flow.yaml", "nodes:\n  - { name: Mine, type: skill }\n")
        .file(
            "skills/Mine/skill.yaml",
            "files:\n  - { source: a.txt.tera, target: a.txt }\n",
        )
        .file("skills/Mine/a.txt.tera", "one\ntwo {% if %}\n");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[template::syntax]: found `%}` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
     --> skills/Mine/a.txt.tera:2:11
      |
    2 | two {% if %}
      |           ^^
    "#);
}

// ------------------------------------------------------------------------------------------------
// Connections
// ------------------------------------------------------------------------------------------------

#[test]
fn unknown_connection_type() {
    let test = Test::new().file(
        "connections.yaml",
        "a: { type: openai, api_key: hush }\nb: { type: serp, api_keys: hush }\n",
    );
    assert_snapshot!(test.run(["connection", "list"]), @r#"
    exit 3
    --- stderr
    error[connection::unknown-type]: there is no connection type `openai`
     --> connections.yaml:1:12
      |
    1 | *: { ****: ******, *******: **** }
      |            ^^^^^^
      |
      = help: did you mean `open_ai`?
      = help: write one of `azure_open_ai`, `open_ai`, `serverless`, `serp`, `qdrant`, `weaviate`, `cognitive_search`, `azure_ai_services`, `azure_content_safety`, `form_recognizer`, `custom`, `anthropic`, `openai_compatible`

    error[flow::unknown-key]: a connection of type `serp` has no field `api_keys`
     --> connections.yaml:2:18
      |
    2 | b: { ****: ****, ********: **** }
      |                  ^^^^^^^^
      |
      = help: did you mean `api_key`?

    error: 2 errors
    "#);
}

#[test]
fn duplicate_connection() {
    let test = Test::new()
        .file("connections/a.yaml", "name: c\ntype: serp\n")
        .file("connections/b.yaml", "\nname: c\ntype: serp\n");
    assert_snapshot!(test.run(["connection", "list"]), @r#"
    exit 3
    --- stderr
    error[connection::duplicate]: the connection `c` is here (line 2) and in `connections/a.yaml` (line 1)
    --> connections/b.yaml
     = help: remove one of them, or give it another name
    "#);
}

#[test]
fn exposed_connections() {
    let test = Test::new().file("connections.yaml", "c: { type: serp, api_key: hush }\n");
    assert_snapshot!(test.run(["connection", "list"]), @r#"
    exit 0
    --- stdout
    c  serp  connections.yaml
    --- stderr
    warning[connection::exposed]: the file has a secret in it, and others may read it
    --> connections.yaml
     = help: `chmod 600 connections.yaml`; or write `${env:NAME}` and keep the secret elsewhere
    "#);
}

// ------------------------------------------------------------------------------------------------
// The page
// ------------------------------------------------------------------------------------------------

#[test]
fn tool_bad_code() {
    let flow = "nodes:\n- name: n\n  type: python\n  source: {type: code, path: n.py}\n";
    let test = Test::new()
        .file("f/flow.dag.yaml", flow)
        .file("f/n.py", "import json\n\ndef n():\n    return 1\n");
    let found = test.run(["validate", "f"]);
    let found = test.scrub(&found);
    assert!(found.starts_with("exit 3"), "{found}");
    assert!(
        found.contains("error[tool::bad-code]: `n.py` cannot be loaded: "),
        "{found}"
    );
    assert!(found.contains("--> f/flow.dag.yaml:4:30"), "{found}");
    assert!(found.contains("= help: "), "{found}");
}

#[cfg(feature = "llm")]
#[test]
fn connection_unknown() {
    let flow = "nodes:\n- name: n\n  type: llm\n  source: {type: code, path: p.jinja2}\n  api: chat\n  connection: gone\n";
    let test = Test::new()
        .file("f/flow.dag.yaml", flow)
        .file("f/p.jinja2", "user:\nhi\n");
    let found = test.run(["validate", "f"]);
    assert!(found.starts_with("exit 3"), "{found}");
    assert!(found.contains("error[connection::unknown]: "), "{found}");
    assert!(found.contains("`gone`"), "{found}");
    assert!(found.contains("--> f/flow.dag.yaml:6:15"), "{found}");
}

// ------------------------------------------------------------------------------------------------
// Approvers
// ------------------------------------------------------------------------------------------------

/// What `approvers check` says about one file.
fn approvers(yaml: &str) -> String {
    Test::new()
        .file("approvers.yaml", yaml)
        .run(["approvers", "check"])
}

#[test]
fn approvers_exposed() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = Test::new().file("approvers.yaml", "users: { ada: {} }\n");
    let mode = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(test.path("approvers.yaml"), mode).unwrap();
    assert_snapshot!(test.run(["approvers", "check"]), @r#"
    exit 0
    --- stderr
    warning[approvers::exposed]: everybody on this machine may write the file, and so say who may approve
    --> approvers.yaml
     = help: take the right away: `chmod o-w approvers.yaml`
    approvers.yaml: valid: 1 user, 0 groups, 0 servers
    "#);
}

#[cfg(feature = "sign")]
#[test]
fn approvers_bad_key() {
    assert_snapshot!(approvers("users:\n  ada:\n    ssh_keys:\n      - ssh-ed25519 AAAA ada@laptop\n      - |\n        -----BEGIN OPENSSH PRIVATE KEY-----\n        c2VjcmV0\n"), @r#"
    exit 3
    --- stderr
    error[approvers::bad-key]: this is no OpenSSH public key: length invalid
     --> approvers.yaml:4:9
      |
    4 |       - ssh-ed25519 AAAA ada@laptop
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the line of a `.pub` file: `ssh-ed25519 AAAA… ada@laptop`

    error[approvers::bad-key]: this is a private key, and now known to whoever reads the file
     --> approvers.yaml:6:9
      |
    6 |         ***********************************
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the line of its `.pub` file; and make a new key, for this one is no secret any more

    error: 2 errors
    "#);
}

#[test]
fn approvers_bad_token() {
    assert_snapshot!(approvers("users:\n  ada:\n    tokens:\n      - { id: t1, hash: hunter2 }\n      - { id: t2, hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }\n      - { id: t3, hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }\n"), @r#"
    exit 3
    --- stderr
    error[approvers::bad-token]: this is no Argon2id hash of version 19 in PHC form
     --> approvers.yaml:4:25
      |
    4 |       - { id: t1, hash: ******* }
      |                         ^^^^^^^
      |
      = help: remove it; `flowctl approvers token ada` makes one

    error[approvers::bad-token]: the hash is too cheap: `m=8`, and at least 19456 is needed
     --> approvers.yaml:5:25
      |
    5 |       - { id: t2, hash: *********************************************************************************************** }
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: remove it; `flowctl approvers token ada` makes one

    error[approvers::bad-token]: the id is not the one of this hash
     --> approvers.yaml:6:15
      |
    6 |       - { id: t3, hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }
      |               ^^
      |
      = help: the token of this hash is `5431a756cc3f`; if you do not know who changed the line, remove it

    error: 3 errors
    "#);
}

#[test]
fn approvers_unknown_user() {
    assert_snapshot!(approvers("users: { ada: {}, bob: {} }\ngroups:\n  security: [adda, '@ops']\n"), @r#"
    exit 3
    --- stderr
    error[approvers::unknown-user]: there is no user `adda`
     --> approvers.yaml:3:14
      |
    3 |   security: [adda, '@ops']
      |              ^^^^
      |
      = help: did you mean `ada`?
      = help: there is `ada` or `bob`

    error[approvers::unknown-user]: a group cannot hold a group
     --> approvers.yaml:3:20
      |
    3 |   security: [adda, '@ops']
      |                    ^^^^^^
      |
      = help: name the users of `ops` here

    error: 2 errors
    "#);
}

#[test]
fn approvers_claimed_twice() {
    assert_snapshot!(approvers("users:\n  ada: { accounts: [bob] }\n  bob:\n"), @r#"
    exit 3
    --- stderr
    error[approvers::claimed-twice]: the account `bob` is of `ada` and of `bob`
     --> approvers.yaml:3:3
      |
    2 |   ada: { accounts: [bob] }
      |                     --- first
    3 |   bob:
      |   ^^^ second
      |
      = help: nobody could tell the two apart: remove one of them
    "#);
}

#[test]
fn every_code_has_a_paragraph_and_a_test() {
    let all: BTreeSet<String> = Code::ALL
        .iter()
        .map(|code| code.slug().to_owned())
        .collect();
    let page = std::fs::read_to_string(repository("docs/diagnostics.md")).unwrap();
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| {
            line.strip_prefix("## `")?
                .strip_suffix('`')
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(
        headings.iter().collect::<BTreeSet<_>>().len(),
        headings.len(),
        "a slug has two paragraphs"
    );
    assert_eq!(
        headings.into_iter().collect::<BTreeSet<_>>(),
        all,
        "`docs/diagnostics.md` and `Code::ALL` differ"
    );
    let tests = include_str!("diagnostics.rs");
    let untested: Vec<&String> = all
        .iter()
        .filter(|slug| {
            !["error", "warning"]
                .iter()
                .any(|level| tests.contains(&format!("{level}[{slug}]")))
        })
        .collect();
    assert_eq!(
        untested,
        Vec::<&String>::new(),
        "codes that no snapshot here shows"
    );
}

#[test]
fn an_unknown_filter_is_marked_where_it_stands() {
    let test = Test::new()
        .file("flow.yaml", "nodes:\n  - { name: Mine, type: skill }\n  - { name: A, type: process, command: [echo, 'é {{ run.id | shout }}'] }\n  - { name: B, type: process, command: [echo, b], when: 'run.id is odder' }\n")
        .file("skills/Mine/skill.yaml", "outputs:\n  x: { value: '{{ 1 | louder }}' }\nfiles:\n  - { source: a.tera, target: a.txt }\n  - { source: b.tera, target: b.txt }\n")
        .file("skills/Mine/a.tera", "one\né {{ 1 | shout }} {{ f() }}\n")
        .file("skills/Mine/b.tera", "{% include 'gone.tera' %}\n");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[template::syntax]: unknown filter `shout`
     --> flow.yaml:3:62
      |
    3 |   - { name: A, type: process, command: [echo, 'é {{ run.id | shout }}'] }
      |                                                              ^^^^^

    error[template::syntax]: unknown test `odder`
     --> flow.yaml:4:68
      |
    4 |   - { name: B, type: process, command: [echo, b], when: 'run.id is odder' }
      |                                                                    ^^^^^

    error[template::syntax]: unknown filter `shout`
     --> skills/Mine/a.tera:2:10
      |
    2 | é {{ 1 | shout }} {{ f() }}
      |          ^^^^^

    error[template::syntax]: unknown function `f`
     --> skills/Mine/a.tera:2:22
      |
    2 | é {{ 1 | shout }} {{ f() }}
      |                      ^^^

    error[template::syntax]: unknown template `gone.tera`
     --> skills/Mine/b.tera:1:12
      |
    1 | {% include 'gone.tera' %}
      |            ^^^^^^^^^^^

    error[template::syntax]: unknown filter `louder`
     --> skills/Mine/skill.yaml:2:15
      |
    2 |   x: { value: '{{ 1 | louder }}' }
      |               ^^^^^^^^^^^^^^^^^^

    error: 6 errors
    "#);
}

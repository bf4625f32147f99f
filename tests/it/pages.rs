//! What single pages show, over the real program.

use crate::harness::Test;
use crate::web::Web;

const GIVEN: &str = "inputs: { who: { type: string, default: 'Ada <b>' } }
nodes:
  - { name: Make, type: process, command: [sh, -c, 'yes 123456789 | head -c 9000'] }
  - name: Use
    type: process
    command: ['true']
    inputs: { text: '${Make.output.stdout}', whole: 'for ${inputs.who}', token: '${secrets.token}', fixed: [1, 2] }
  - { name: Gate, type: approval, after: [Use] }
  - name: Later
    type: process
    command: ['true']
    after: [Gate]
    inputs: { said: '${Gate.output.comment}', count: '${Use.output.exit_code}' }
  - { name: Each, type: process, foreach: '${[1, 2]}', after: [Gate], command: ['true'], inputs: { one: '${item}' } }
";

#[test]
fn a_nodes_page_says_what_it_is_given() {
    let flow = GIVEN.replace("'${[1, 2]}'", "[7, 8]");
    let test = Test::new()
        .file("flow.yaml", flow)
        .env("FLOWCTL_SECRET_TOKEN", "s3cret-word-of-ada");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let web = Web::start(&test, &[]);
    let cookie = web.log_in(web.key.as_ref().unwrap());
    let node = |name: &str| web.get(&format!("/runs/r/nodes/{name}"), &cookie).is(200);
    let page = node("Use")
        .says("Make.output.stdout")
        .says("for Ada &lt;b&gt;")
        .says("${secrets.token}")
        .says("<code>[1,2]</code>")
        .says(" bytes</span></summary>");
    assert!(!page.body.contains("s3cret"), "{page:?}");
    // Of what is not there yet it says what is waited for.
    node("Later")
        .says("`Gate` has not ended")
        .says("<code>0</code>");
    node("Each").says("each item has its own");
    let later = test
        .output(["show", "r", "Later", "--json"])
        .exits(0)
        .json();
    assert_eq!(later["inputs"], serde_json::json!({ "count": 0 }));
    assert_eq!(
        later["inputs_missing"],
        serde_json::json!({ "said": "`Gate` has not ended" })
    );
    let shown = test.output(["show", "r", "Use"]).exits(0).stdout;
    assert!(shown.contains("\n  whole = \"for Ada <b>\"\n"), "{shown}");
    assert!(
        shown.contains("\n  token = \"${secrets.token}\"\n"),
        "{shown}"
    );
    assert!(shown.contains("… ("), "{shown}");
    // Once it is answered, what the answer was is there.
    test.output(["approve", "r", "--comment", "well done", "--resume"])
        .exits(0);
    node("Later").says("well done");
    node("Each[1]").says("<code>8</code>");
}

# Tests of the rules that concern every cloud, and the helpers of the tests per cloud beside this file.
package flowctl.secure_storage_test

import rego.v1

import data.flowctl.secure_storage

params := secure_storage.params

plan(resources) := {"resource_changes": [change |
	some r in resources
	change := object.union({"address": concat(".", [r.type, r.name]), "mode": "managed"}, r)
]}

create(kind, name, after) := {
	"type": kind,
	"name": name,
	"change": {"actions": ["create"], "after": after, "after_unknown": {}},
}

tags := {key: "x" | some key in params.required_tags}

broken(resources) := result if {
	result := {breach.rule | some breach in secure_storage.breaches} with input as plan(resources)
}

# The plan with other attributes of the resource of that name.
patched(resources, name, patch) := array.concat(
	[r | some r in resources; r.name != name],
	[object.union(r, {"change": {"after": object.union(r.change.after, patch)}}) | some r in resources; r.name == name],
)

# The plan without the resource of that name.
without(resources, name) := [r | some r in resources; r.name != name]

test_every_rule_belongs_to_a_guardrail if {
	every rule in secure_storage.rules {
		count(rule.guardrails) > 0
		count(rule.controls) > 0
	}
}

test_an_empty_plan_breaks_nothing if count(broken([])) == 0

test_deny_and_warn_share_the_breaches if {
	resources := [create("oci_objectstorage_preauthrequest", "x", {}), create("aws_iam_access_key", "y", {})]
	all := secure_storage.breaches with input as plan(resources)
	denied := secure_storage.deny with input as plan(resources)
	warned := secure_storage.warn with input as plan(resources)
	count(all) == 2
	denied | warned == all
	count(denied & warned) == 0
}

test_deleted_resources_are_not_judged if {
	resource := {"type": "aws_iam_access_key", "name": "x", "change": {"actions": ["delete"], "after": null}}
	count(broken([resource])) == 0
}

test_static_credentials_are_refused if {
	every kind in secure_storage.static_credentials {
		broken([create(kind, "x", {})]) == {"no_static_credentials"}
	}
}

# Tests of the rules for gcp: a good plan, and for each rule one that breaks it.
package flowctl.secure_storage_test

import rego.v1

import data.flowctl.secure_storage

gcp := [
	create("google_storage_bucket", "bucket", {
		"location": secure_storage.params.gcp.locations[0],
		"rpo": secure_storage.params.gcp.rpo,
		"public_access_prevention": "enforced",
		"uniform_bucket_level_access": true,
		"versioning": [{"enabled": true}],
		"retention_policy": [{"retention_period": 86400}],
		"encryption": [{}],
		"logging": [{"log_bucket": "l"}],
		"lifecycle_rule": [{}],
		"ip_filter": [{"mode": "Enabled"}],
		"labels": tags,
	}),
	create("google_storage_notification", "events", {}),
	create("google_kms_key_ring", "ring", {"location": secure_storage.params.gcp.locations[1]}),
	create("google_kms_crypto_key", "key", {
		"rotation_period": sprintf("%ds", [secure_storage.params.gcp.key_rotation_days * 86400]),
		"version_template": [{"protection_level": "HSM"}],
		"labels": tags,
	}),
	create("google_logging_project_bucket_config", "audit", {"retention_days": params.log_retention_days}),
]

member(name) := create("google_storage_bucket_iam_member", "member", {"member": name})

test_gcp_good_plan_breaks_nothing if broken(gcp) == set()

test_gcp_no_prevention if "public_access" in broken(patched(gcp, "bucket", {"public_access_prevention": "inherited"}))

test_gcp_all_users if "public_access" in broken(array.concat(gcp, [member("allUsers")]))

test_gcp_acls if "identity_based_access" in broken(patched(gcp, "bucket", {"uniform_bucket_level_access": false}))

test_gcp_no_logging if "access_logging" in broken(patched(gcp, "bucket", {"logging": []}))

test_gcp_short_logs if "log_retention" in broken(patched(gcp, "audit", {"retention_days": 1}))

test_gcp_no_labels if "required_tags" in broken(patched(gcp, "key", {"labels": null}))

test_gcp_far_away if "approved_regions" in broken(patched(gcp, "bucket", {"location": "US"}))

test_gcp_no_versions if "recoverable_data" in broken(patched(gcp, "bucket", {"versioning": [], "retention_policy": []}))

test_gcp_no_lifecycle if "lifecycle" in broken(patched(gcp, "bucket", {"lifecycle_rule": []}))

test_gcp_platform_key if "customer_managed_key" in broken(patched(gcp, "bucket", {"encryption": []}))

test_gcp_key_without_rotation if "key_rotation" in broken(patched(gcp, "key", {"rotation_period": null}))

test_gcp_slow_rotation if "key_rotation" in broken(patched(gcp, "key", {"rotation_period": "99999999s"}))

test_gcp_any_network if "private_network" in broken(patched(gcp, "bucket", {"ip_filter": []}))

test_gcp_software_key if "hardware_key" in broken(patched(gcp, "key", {"version_template": []}))

test_gcp_mutable if "immutability" in broken(patched(gcp, "bucket", {"retention_policy": []}))

test_gcp_no_events if "change_events" in broken(without(gcp, "events"))

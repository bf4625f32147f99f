# Tests of the rules for oci: a good plan, and for each rule one that breaks it.
package flowctl.secure_storage_test

import rego.v1

import data.flowctl.secure_storage

oci := [
	create("oci_objectstorage_bucket", "bucket", {
		"access_type": "NoPublicAccess",
		"versioning": "Enabled",
		"retention_rules": [{}],
		"kms_key_id": "ocid1.key",
		"object_events_enabled": true,
		"freeform_tags": tags,
	}),
	create("oci_objectstorage_object_lifecycle_policy", "lifecycle", {}),
	create("oci_objectstorage_replication_policy", "replication", {}),
	create("oci_identity_network_source", "networks", {}),
	create("oci_logging_log", "log", {"retention_duration": 180}),
	create("oci_kms_key", "key", {
		"protection_mode": "HSM",
		"auto_key_rotation_details": [{"rotation_interval_in_days": secure_storage.params.oci.key_rotation_days}],
		"freeform_tags": tags,
	}),
]

test_oci_good_plan_breaks_nothing if broken(oci) == set()

test_oci_public if "public_access" in broken(patched(oci, "bucket", {"access_type": "ObjectRead"}))

test_oci_link_without_identity if "identity_based_access" in broken(array.concat(oci, [create("oci_objectstorage_preauthrequest", "par", {})]))

test_oci_no_log if "access_logging" in broken(without(oci, "log"))

test_oci_short_logs if "log_retention" in broken(patched(oci, "log", {"retention_duration": 30}))

test_oci_no_tags if "required_tags" in broken(patched(oci, "bucket", {"freeform_tags": {}}))

test_oci_no_versions if "recoverable_data" in broken(patched(oci, "bucket", {"versioning": "Disabled", "retention_rules": []}))

test_oci_no_lifecycle if "lifecycle" in broken(without(oci, "lifecycle"))

test_oci_oracle_key if "customer_managed_key" in broken(patched(oci, "bucket", {"kms_key_id": null}))

test_oci_slow_rotation if "key_rotation" in broken(patched(oci, "key", {"auto_key_rotation_details": [{"rotation_interval_in_days": 366}]}))

test_oci_any_network if "private_network" in broken(without(oci, "networks"))

test_oci_software_key if "hardware_key" in broken(patched(oci, "key", {"protection_mode": "SOFTWARE"}))

test_oci_mutable if "immutability" in broken(patched(oci, "bucket", {"retention_rules": []}))

test_oci_no_events if "change_events" in broken(patched(oci, "bucket", {"object_events_enabled": false}))

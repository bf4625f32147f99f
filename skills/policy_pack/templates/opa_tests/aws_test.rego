# Tests of the rules for aws: a good plan, and for each rule one that breaks it.
package flowctl.secure_storage_test

import rego.v1

import data.flowctl.secure_storage

aws := [
	create("aws_s3_bucket", "bucket", {"bucket": "b", "tags": tags}),
	create("aws_s3_bucket_public_access_block", "block", {
		"block_public_acls": true,
		"block_public_policy": true,
		"ignore_public_acls": true,
		"restrict_public_buckets": true,
	}),
	create("aws_s3_bucket_ownership_controls", "ownership", {"rule": [{"object_ownership": "BucketOwnerEnforced"}]}),
	create("aws_s3_bucket_versioning", "versioning", {"versioning_configuration": [{"status": "Enabled"}]}),
	create("aws_s3_bucket_server_side_encryption_configuration", "encryption", {"rule": [{
		"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}],
	}]}),
	create("aws_s3_bucket_logging", "logging", {}),
	create("aws_s3_bucket_lifecycle_configuration", "lifecycle", {"rule": [{
		"expiration": [{"days": params.log_retention_days}],
	}]}),
	create("aws_s3_bucket_replication_configuration", "replication", {"rule": [{
		"destination": [{"replication_time": [{"status": "Enabled"}]}],
	}]}),
	create("aws_s3_bucket_object_lock_configuration", "lock", {}),
	create("aws_s3_bucket_notification", "events", {"eventbridge": true}),
	create("aws_s3_bucket_policy", "policy", {"policy": "aws:SecureTransport s3:TlsVersion aws:SourceVpce"}),
	create("aws_kms_key", "key", {
		"enable_key_rotation": true,
		"rotation_period_in_days": secure_storage.params.aws.key_rotation_days,
		"tags": tags,
	}),
]

in_region(resources, region) := object.union(plan(resources), {"configuration": {"provider_config": {"aws": {
	"name": "aws",
	"expressions": {"region": {"constant_value": region}},
}}}})

test_aws_far_away if {
	some breach in secure_storage.breaches with input as in_region(aws, "sa-east-1")
	breach.rule == "approved_regions"
}

test_aws_approved_region if {
	breaches := secure_storage.breaches with input as in_region(aws, secure_storage.params.aws.locations[0])
	count(breaches) == 0
}

test_aws_unknown_policy_is_not_judged if {
	policy := {"type": "aws_s3_bucket_policy", "name": "policy", "change": {
		"actions": ["create"],
		"after": {},
		"after_unknown": {"policy": true},
	}}
	broken(array.concat(without(aws, "policy"), [policy])) == set()
}

test_aws_good_plan_breaks_nothing if broken(aws) == set()

test_aws_no_public_access_block if "public_access" in broken(without(aws, "block"))

test_aws_public_access_block_with_a_gap if "public_access" in broken(patched(aws, "block", {"ignore_public_acls": false}))

test_aws_public_acl if "public_access" in broken(array.concat(aws, [create("aws_s3_bucket_acl", "acl", {"acl": "public-read"})]))

test_aws_acls if "identity_based_access" in broken(patched(aws, "ownership", {"rule": [{"object_ownership": "ObjectWriter"}]}))

test_aws_no_logging if "access_logging" in broken(without(aws, "logging"))

test_aws_short_logs if "log_retention" in broken(patched(aws, "lifecycle", {"rule": [{"expiration": [{"days": 1}]}]}))

test_aws_no_tags if "required_tags" in broken(patched(aws, "bucket", {"tags": {}}))

test_aws_suspended_versioning if "recoverable_data" in broken(patched(aws, "versioning", {"versioning_configuration": [{"status": "Suspended"}]}))

test_aws_one_bucket_too_many if "recoverable_data" in broken(array.concat(aws, [create("aws_s3_bucket", "second", {"tags": tags})]))

test_aws_no_replication if "replication" in broken(without(aws, "replication"))

test_aws_no_lifecycle if "lifecycle" in broken(without(aws, "lifecycle"))

test_aws_sse_s3 if "customer_managed_key" in broken(patched(aws, "encryption", {"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]}))

test_aws_no_encryption if "customer_managed_key" in broken(without(aws, "encryption"))

test_aws_plain_http if "secure_transport" in broken(patched(aws, "policy", {"policy": "s3:TlsVersion"}))

test_aws_old_tls if "tls_floor" in broken(patched(aws, "policy", {"policy": "aws:SecureTransport"}))

test_aws_no_policy if "tls_floor" in broken(without(aws, "policy"))

test_aws_key_without_rotation if "key_rotation" in broken(patched(aws, "key", {"enable_key_rotation": false}))

test_aws_slow_rotation if "key_rotation" in broken(patched(aws, "key", {"rotation_period_in_days": 2000}))

test_aws_any_network if "private_network" in broken(patched(aws, "policy", {"policy": "aws:SecureTransport s3:TlsVersion"}))

test_aws_mutable if "immutability" in broken(without(aws, "lock"))

test_aws_no_events if "change_events" in broken(without(aws, "events"))

# Plans with a mocked provider: no account, no network, no cost.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { id = "eu-central-1", name = "eu-central-1" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
}

mock_provider "aws" {
  alias = "replica"

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock-replica" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-1111-1111-1111-111111111111" }
  }
}

variables {
  name                = "unit-test"
  data_classification = "sensitive"

  names = {
    bucket           = "unit-test-data"
    log_bucket       = "unit-test-logs"
    replica_bucket   = "unit-test-copy"
    key_alias        = "unit-test"
    replication_role = "unit-test-replication"
  }
}

run "defaults_are_secure" {
  # apply, on mocks: only then are the policy documents known.
  command = apply

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.primary.block_public_acls,
      aws_s3_bucket_public_access_block.primary.block_public_policy,
      aws_s3_bucket_public_access_block.primary.ignore_public_acls,
      aws_s3_bucket_public_access_block.primary.restrict_public_buckets,
    ])
    error_message = "the bucket must block every kind of public access"
  }

  assert {
    condition     = aws_s3_bucket_versioning.primary.versioning_configuration[0].status == "Enabled"
    error_message = "versioning must be on"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.primary.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "objects must be encrypted with the customer-managed key"
  }

  assert {
    condition     = aws_kms_key.primary.enable_key_rotation && aws_kms_key.replica[0].enable_key_rotation
    error_message = "both keys must rotate"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.primary[0].rule[0].default_retention[0].mode == "GOVERNANCE"
    error_message = "object lock must be on by default"
  }

  assert {
    condition     = length(aws_s3_bucket_replication_configuration.primary) == 1 && length(aws_cloudwatch_metric_alarm.replication_latency) == 1
    error_message = "replication and its alarm must be on by default"
  }

  assert {
    condition     = aws_s3_bucket_logging.primary.target_bucket == aws_s3_bucket.logs.id
    error_message = "access must be logged into the log bucket"
  }

  assert {
    condition = length(setsubtract(
      ["DenyInsecureTransport", "DenyOldTls", "DenyOtherEncryption", "DenyOtherKeys", "DenyDataOutsidePrivateNetwork"],
      [for statement in jsondecode(aws_s3_bucket_policy.primary.policy).Statement : statement.Sid],
    )) == 0
    error_message = "the bucket policy must deny plain HTTP, old TLS, other encryption, other keys and other networks"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.primary.policy).Statement : statement.Effect == "Deny"
    ])
    error_message = "the bucket policy grants nothing to anybody"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.primary.policy).Statement :
      statement.Condition.StringNotEqualsIfExists["aws:SourceVpce"] if statement.Sid == "DenyDataOutsidePrivateNetwork"
    ]) == ["vpce-none"]
    error_message = "without an endpoint the network rule must fail closed"
  }
}

run "derived_names_are_valid" {
  command = plan

  variables {
    names = {
      bucket           = "a-product-whose-name-is-as-long-as-the-contract-permits-it-data"
      log_bucket       = "a-product-whose-name-is-as-long-as-the-contract-permits-it-logs"
      replica_bucket   = "a-product-whose-name-is-as-long-as-the-contract-permits-it-copy"
      key_alias        = "alias/unit-test"
      replication_role = "unit-test-replication"
    }
  }

  assert {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", aws_s3_bucket.replica_logs[0].bucket))
    error_message = "the derived bucket name must be valid"
  }

  assert {
    condition     = aws_kms_alias.primary.name == "alias/unit-test"
    error_message = "the prefix of an alias may be given or left out"
  }
}

run "replication_can_be_turned_off" {
  command = plan

  variables {
    data_classification = "public"
    immutability        = { enabled = false }
    replication         = { enabled = false }
  }

  assert {
    condition     = length(aws_s3_bucket.replica) == 0 && length(aws_kms_key.replica) == 0 && length(aws_iam_role.replication) == 0
    error_message = "no replica resource may remain"
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.primary) == 0
    error_message = "no default retention may remain"
  }
}

run "restricted_is_locked" {
  command = plan

  variables {
    data_classification = "restricted"
    immutability        = { mode = "COMPLIANCE", days = 365 }
    minimum_tls_version = "1.3"
    lifecycle_rules     = { cool_after_days = 30, archive_after_days = 90, expire_after_days = 2555 }
    network             = { vpc_endpoint_ids = ["vpce-0123456789abcdef0"], organization_id = "o-a1b2c3d4e5" }
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.primary[0].rule[0].default_retention[0].mode == "COMPLIANCE"
    error_message = "the mode must be what was asked for"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.primary[0].rule[0].default_retention[0].days == 365
    error_message = "retention must be what was asked for"
  }
}

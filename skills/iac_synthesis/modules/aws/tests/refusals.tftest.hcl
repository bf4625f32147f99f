# What the module must refuse, each by the validation meant for it.

mock_provider "aws" {}

mock_provider "aws" {
  alias = "replica"
}

variables {
  name                = "unit-test"
  data_classification = "restricted"
  immutability        = { mode = "COMPLIANCE", days = 365 }

  names = {
    bucket           = "unit-test-data"
    log_bucket       = "unit-test-logs"
    replica_bucket   = "unit-test-copy"
    key_alias        = "unit-test"
    replication_role = "unit-test-replication"
  }
}

run "refuses_upper_case_names" {
  command = plan

  variables {
    name = "Not A Slug"
  }

  expect_failures = [var.name]
}

run "refuses_unknown_classification" {
  command = plan

  variables {
    data_classification = "secret"
  }

  expect_failures = [var.data_classification]
}

run "refuses_restricted_without_immutability" {
  command = plan

  variables {
    immutability = { enabled = false }
  }

  expect_failures = [var.immutability]
}

run "refuses_restricted_without_replica" {
  command = plan

  variables {
    replication = { enabled = false }
  }

  expect_failures = [var.replication]
}

run "refuses_short_recovery_of_restricted_data" {
  command = plan

  variables {
    noncurrent_version_days = 7
  }

  expect_failures = [var.noncurrent_version_days]
}

run "refuses_short_log_retention_of_restricted_data" {
  command = plan

  variables {
    log_retention_days = 90
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_old_tls" {
  command = plan

  variables {
    minimum_tls_version = "1.1"
  }

  expect_failures = [var.minimum_tls_version]
}

run "refuses_hasty_key_rotation" {
  command = plan

  variables {
    key_rotation_days = 30
  }

  expect_failures = [var.key_rotation_days]
}

run "refuses_wildcard_key_administrators" {
  command = plan

  variables {
    key_administrator_arns = ["*"]
  }

  expect_failures = [var.key_administrator_arns]
}

run "refuses_malformed_endpoints" {
  command = plan

  variables {
    network = { vpc_endpoint_ids = ["everything"] }
  }

  expect_failures = [var.network]
}

run "refuses_wildcard_network_exemptions" {
  command = plan

  variables {
    network = { exempt_principal_arns = ["*"] }
  }

  expect_failures = [var.network]
}

run "refuses_expiry_before_retention_ends" {
  command = plan

  variables {
    lifecycle_rules = { expire_after_days = 60 }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_archive_before_cool" {
  command = plan

  variables {
    lifecycle_rules = { cool_after_days = 60, archive_after_days = 61 }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_slow_replica_class" {
  command = plan

  variables {
    replication = { storage_class = "DEEP_ARCHIVE" }
  }

  expect_failures = [var.replication]
}

run "refuses_reserved_tag_keys" {
  command = plan

  variables {
    tags = { "aws:owner" = "x" }
  }

  expect_failures = [var.tags]
}

run "refuses_shared_bucket_names" {
  command = plan

  variables {
    names = { bucket = "same", log_bucket = "same", replica_bucket = "other", key_alias = "unit-test", replication_role = "unit-test" }
  }

  expect_failures = [var.names]
}

run "refuses_unversioned_buckets" {
  command = plan

  variables {
    versioning_enabled = false
  }

  expect_failures = [var.versioning_enabled]
}

# What the module must refuse, each by the validation meant for it.

mock_provider "google" {}

variables {
  name                = "unit-test"
  project_id          = "unit-test-000000"
  data_classification = "restricted"
  versioning_enabled  = false
  immutability        = { enabled = true, days = 2555 }

  names = {
    bucket     = "unit-test-data-000000"
    log_bucket = "unit-test-logs-000000"
    key_ring   = "unit-test-ring"
    key        = "storage"
  }

  network = {
    service_perimeter = "accessPolicies/123456789/servicePerimeters/storage"
    vpc_networks      = ["projects/host/global/networks/hub"]
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

run "refuses_names_that_look_like_googles" {
  command = plan

  variables {
    names = { bucket = "my-google-data", log_bucket = "logs-000000", key_ring = "ring", key = "key" }
  }

  expect_failures = [var.names]
}

run "refuses_multi_regions" {
  command = plan

  variables {
    location = "EU"
  }

  expect_failures = [var.location]
}

run "refuses_key_rings_elsewhere" {
  command = plan

  variables {
    kms_location = "europe-west1"
  }

  expect_failures = [var.kms_location]
}

run "refuses_software_keys_for_restricted_data" {
  command = plan

  variables {
    key_protection_level = "SOFTWARE"
  }

  expect_failures = [var.key_protection_level]
}

run "refuses_slow_rotation_for_restricted_data" {
  command = plan

  variables {
    key_rotation_days = 365
  }

  expect_failures = [var.key_rotation_days]
}

run "refuses_short_recovery_of_restricted_data" {
  command = plan

  variables {
    soft_delete_days = 7
  }

  expect_failures = [var.soft_delete_days]
}

run "refuses_short_log_retention_of_restricted_data" {
  command = plan

  variables {
    log_retention_days = 90
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_versions_together_with_retention" {
  command = plan

  variables {
    versioning_enabled = true
  }

  expect_failures = [var.versioning_enabled]
}

run "refuses_malformed_perimeters" {
  command = plan

  variables {
    network = { service_perimeter = "everywhere" }
  }

  expect_failures = [var.network]
}

run "refuses_denying_current_tls" {
  command = plan

  variables {
    denied_tls_versions = ["TLS_VERSION_1_2"]
  }

  expect_failures = [var.denied_tls_versions]
}

run "refuses_expiry_before_retention_ends" {
  command = plan

  variables {
    lifecycle_rules = { expire_after_days = 365 }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_upper_case_labels" {
  command = plan

  variables {
    labels = { Owner = "x" }
  }

  expect_failures = [var.labels]
}

run "refuses_restricted_without_immutability" {
  command = plan

  variables {
    versioning_enabled = true
    immutability       = { enabled = false }
  }

  expect_failures = [var.immutability]
}

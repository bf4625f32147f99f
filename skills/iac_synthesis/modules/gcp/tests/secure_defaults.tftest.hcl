# Plans with a mocked provider: no project, no network, no cost. Nothing is applied: keys refuse to be destroyed.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  name                = "unit-test"
  project_id          = "unit-test-000000"
  data_classification = "sensitive"

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

run "defaults_are_secure" {
  command = plan

  assert {
    condition     = google_storage_bucket.data.public_access_prevention == "enforced" && google_storage_bucket.data.uniform_bucket_level_access
    error_message = "nothing may be public and no ACL may apply"
  }

  assert {
    condition     = google_storage_bucket.logs.public_access_prevention == "enforced" && google_storage_bucket.logs.uniform_bucket_level_access
    error_message = "nor in the log bucket"
  }

  assert {
    condition     = one(google_storage_bucket.data.versioning).enabled && length(google_storage_bucket.data.retention_policy) == 0
    error_message = "versions must be kept by default"
  }

  assert {
    condition     = one(google_storage_bucket.data.soft_delete_policy).retention_duration_seconds == 30 * 86400
    error_message = "deleted objects must be recoverable"
  }

  assert {
    condition     = google_storage_bucket.data.location == "EUR4" && google_storage_bucket.data.rpo == "ASYNC_TURBO"
    error_message = "the bucket must be replicated with a promise by default"
  }

  assert {
    condition     = google_kms_crypto_key.storage.rotation_period == "7776000s" && one(google_kms_crypto_key.storage.version_template).protection_level == "HSM"
    error_message = "the key must rotate and live in an HSM"
  }

  assert {
    condition     = google_kms_crypto_key_iam_member.storage.member == data.google_storage_project_service_account.this.member
    error_message = "only the service agent of Cloud Storage may use the key"
  }

  assert {
    condition     = one(google_storage_bucket.data.logging).log_bucket == var.names.log_bucket
    error_message = "access must be logged into the log bucket"
  }

  assert {
    condition     = toset([for config in google_project_iam_audit_config.storage.audit_log_config : config.log_type]) == toset(["ADMIN_READ", "DATA_READ", "DATA_WRITE"])
    error_message = "reads and writes must be in the audit log"
  }

  assert {
    condition     = google_logging_project_bucket_config.audit.retention_days == 365
    error_message = "audit logs must be kept for a year"
  }

  assert {
    condition     = google_access_context_manager_service_perimeter_resource.project[0].perimeter_name == var.network.service_perimeter
    error_message = "the project must be inside the perimeter"
  }

  assert {
    condition     = toset(google_org_policy_policy.tls[0].spec[0].rules[0].values[0].denied_values) == toset(["TLS_VERSION_1", "TLS_VERSION_1_1"])
    error_message = "TLS below 1.2 must be denied"
  }

  assert {
    condition     = length(google_storage_bucket.data.ip_filter) == 0
    error_message = "dual-regions have no network filter"
  }
}

run "one_region_filters_by_network" {
  command = plan

  variables {
    data_classification = "public"
    location            = "EUROPE-WEST4"
    kms_location        = "europe-west4"
    rpo                 = null
    storage_class       = "NEARLINE"
  }

  assert {
    condition     = one(one(google_storage_bucket.data.ip_filter).vpc_network_sources).network == "projects/host/global/networks/hub"
    error_message = "other networks must be refused"
  }

  assert {
    condition     = one(google_storage_bucket.data.ip_filter).mode == "Enabled"
    error_message = "the filter must be enforced"
  }
}

run "restricted_is_immutable" {
  command = plan

  variables {
    data_classification = "restricted"
    versioning_enabled  = false
    immutability        = { enabled = true, mode = "locked", days = 2555 }
    soft_delete_days    = 90
  }

  assert {
    condition     = one(google_storage_bucket.data.retention_policy).retention_period == 2555 * 86400 && one(google_storage_bucket.data.retention_policy).is_locked
    error_message = "retention must be what was asked for"
  }

  assert {
    condition     = !one(google_storage_bucket.data.versioning).enabled
    error_message = "versioning and retention exclude one another"
  }
}

run "tiering_and_expiry" {
  command = plan

  variables {
    lifecycle_rules = { nearline_after_days = 30, coldline_after_days = 90, expire_after_days = 365 }
  }

  assert {
    condition     = length(google_storage_bucket.data.lifecycle_rule) == 5
    error_message = "every step must be a rule"
  }
}

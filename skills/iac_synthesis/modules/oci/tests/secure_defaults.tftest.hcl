# Plans with mocked providers: no tenancy, no network, no cost.

mock_provider "oci" {
  mock_data "oci_objectstorage_namespace" {
    defaults = { namespace = "unittest" }
  }

  mock_resource "oci_kms_key" {
    defaults = { id = "ocid1.key.oc1.eu-frankfurt-1.unittest" }
  }
}

mock_provider "oci" {
  alias = "replica"

  mock_resource "oci_kms_key" {
    defaults = { id = "ocid1.key.oc1.eu-amsterdam-1.unittest" }
  }
}

mock_provider "oci" {
  alias = "home"
}

variables {
  name                = "unit-test"
  tenancy_id          = "ocid1.tenancy.oc1..unittest"
  compartment_id      = "ocid1.compartment.oc1..unittest"
  region              = "eu-frankfurt-1"
  data_classification = "sensitive"

  names = {
    bucket         = "unit-test-data"
    replica_bucket = "unit-test-copy"
    log_group      = "unit-test-logs"
    vault          = "unit-test-vault"
    key            = "storage"
  }

  network = {
    vcn_ids = ["ocid1.vcn.oc1.eu-frankfurt-1.unittest"]
  }

  replication = {
    region = "eu-amsterdam-1"
  }
}

run "defaults_are_secure" {
  # apply, on mocks: only then are the keys' ids known.
  command = apply

  assert {
    condition     = oci_objectstorage_bucket.data.access_type == "NoPublicAccess" && oci_objectstorage_bucket.replica[0].access_type == "NoPublicAccess"
    error_message = "nothing may be public"
  }

  assert {
    condition     = oci_objectstorage_bucket.data.kms_key_id == oci_kms_key.data.id && oci_objectstorage_bucket.replica[0].kms_key_id == oci_kms_key.replica[0].id
    error_message = "both buckets must use a key of the customer in their own region"
  }

  assert {
    condition     = oci_kms_key.data.is_auto_rotation_enabled && one(oci_kms_key.data.auto_key_rotation_details).rotation_interval_in_days == 90
    error_message = "the key must rotate"
  }

  assert {
    condition     = oci_kms_key.data.protection_mode == "HSM" && oci_kms_vault.data.vault_type == "VIRTUAL_PRIVATE"
    error_message = "the key must live in an HSM"
  }

  assert {
    condition     = oci_objectstorage_bucket.data.versioning == "Enabled" && length(oci_objectstorage_bucket.data.retention_rules) == 0
    error_message = "versions must be kept by default"
  }

  assert {
    condition     = oci_objectstorage_bucket.data.object_events_enabled
    error_message = "changes must raise events"
  }

  assert {
    condition     = toset(keys(oci_logging_log.data)) == toset(["read", "write"]) && alltrue([for log in oci_logging_log.data : log.is_enabled])
    error_message = "reads and writes must be logged"
  }

  assert {
    condition     = alltrue([for log in oci_logging_log.data : log.retention_duration == 180])
    error_message = "logs must be kept as long as OCI Logging can"
  }

  assert {
    condition     = oci_objectstorage_replication_policy.data[0].destination_region_name == "eu-amsterdam-1"
    error_message = "the bucket must be replicated by default"
  }

  assert {
    condition     = length(oci_identity_policy.data) == 0
    error_message = "nobody may reach the data until a group is named"
  }

  assert {
    condition     = alltrue([for statement in oci_identity_policy.service.statements : strcontains(statement, " where ")])
    error_message = "the service may use these keys and buckets only"
  }

  assert {
    condition     = length(oci_identity_policy.service.statements) == 4
    error_message = "keys and objects in both regions"
  }
}

run "groups_come_from_known_networks" {
  command = apply

  variables {
    access = { reader_groups = ["auditors"], writer_groups = ["'Default'/'apps'"] }
  }

  assert {
    condition     = alltrue([for statement in oci_identity_policy.data[0].statements : strcontains(statement, "request.networkSource.name = 'unit-test-data-networks'")])
    error_message = "every grant must name the network source"
  }

  assert {
    condition     = oci_identity_policy.data[0].statements[0] == "Allow group auditors to read objects in compartment id ocid1.compartment.oc1..unittest where all {target.bucket.name = 'unit-test-data', request.networkSource.name = 'unit-test-data-networks'}"
    error_message = "readers may read"
  }
}

run "private_endpoint" {
  command = plan

  variables {
    network = { vcn_ids = ["ocid1.vcn.oc1.eu-frankfurt-1.unittest"], private_endpoint_subnet_id = "ocid1.subnet.oc1.eu-frankfurt-1.unittest" }
  }

  assert {
    condition     = one(oci_objectstorage_private_endpoint.data[0].access_targets).bucket == "unit-test-data"
    error_message = "the endpoint must reach this bucket only"
  }

  assert {
    condition     = length(oci_objectstorage_private_endpoint.data[0].prefix) <= 15
    error_message = "the prefix must be short"
  }
}

run "replication_can_be_turned_off" {
  command = plan

  variables {
    data_classification = "public"
    replication         = { enabled = false, region = "eu-amsterdam-1" }
  }

  assert {
    condition     = length(oci_objectstorage_bucket.replica) == 0 && length(oci_kms_vault.replica) == 0 && length(oci_logging_log.replica) == 0
    error_message = "no replica resource may remain"
  }
}

run "restricted_is_immutable" {
  command = plan

  variables {
    data_classification = "restricted"
    versioning          = "Disabled"
    immutability        = { enabled = true, days = 2555 }
  }

  assert {
    condition     = one(one(oci_objectstorage_bucket.data.retention_rules).duration).time_amount == "2555"
    error_message = "retention must be what was asked for"
  }

  assert {
    condition     = length(oci_objectstorage_object_lifecycle_policy.data.rules) == 1
    error_message = "without versions no rule may expire them"
  }
}

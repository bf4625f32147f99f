# What the module must refuse, each by the validation meant for it.

mock_provider "oci" {}

mock_provider "oci" {
  alias = "replica"
}

mock_provider "oci" {
  alias = "home"
}

variables {
  name                = "unit-test"
  tenancy_id          = "ocid1.tenancy.oc1..unittest"
  compartment_id      = "ocid1.compartment.oc1..unittest"
  region              = "eu-frankfurt-1"
  data_classification = "restricted"
  versioning          = "Disabled"
  immutability        = { enabled = true, days = 2555 }

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

run "refuses_the_root_compartment" {
  command = plan

  variables {
    compartment_id = "ocid1.tenancy.oc1..unittest"
  }

  expect_failures = [var.compartment_id]
}

run "refuses_software_keys_for_restricted_data" {
  command = plan

  variables {
    key_protection_mode = "SOFTWARE"
  }

  expect_failures = [var.key_protection_mode]
}

run "refuses_vaults_whose_keys_do_not_rotate" {
  command = plan

  variables {
    vault_type = "DEFAULT"
  }

  expect_failures = [var.vault_type]
}

run "refuses_hasty_key_rotation" {
  command = plan

  variables {
    key_rotation_days = 30
  }

  expect_failures = [var.key_rotation_days]
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

run "refuses_versions_together_with_retention" {
  command = plan

  variables {
    versioning = "Enabled"
  }

  expect_failures = [var.versioning]
}

run "refuses_unknown_networks" {
  command = plan

  variables {
    network = { vcn_ids = [] }
  }

  expect_failures = [var.network]
}

run "refuses_everybody" {
  command = plan

  variables {
    access = { reader_groups = ["any-user"] }
  }

  expect_failures = [var.access]
}

run "refuses_policies_in_a_group_name" {
  command = plan

  variables {
    access = { writer_groups = ["x to manage all-resources in tenancy"] }
  }

  expect_failures = [var.access]
}

run "refuses_replicas_in_the_same_region" {
  command = plan

  variables {
    replication = { region = "eu-frankfurt-1" }
  }

  expect_failures = [var.replication]
}

run "refuses_locks_without_a_time" {
  command = plan

  variables {
    immutability = { enabled = true, mode = "locked", days = 2555 }
  }

  expect_failures = [var.immutability]
}

run "refuses_dotted_tag_keys" {
  command = plan

  variables {
    freeform_tags = { "a.b" = "x" }
  }

  expect_failures = [var.freeform_tags]
}

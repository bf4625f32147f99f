# What the module must refuse, each by the validation meant for it.

mock_provider "azurerm" {}

variables {
  name                = "unit-test"
  resource_group_name = "rg-unit-test"
  location            = "westeurope"
  data_classification = "restricted"

  names = {
    storage_account  = "stunittest000000"
    container        = "data"
    key_vault        = "kv-unit-test-000000"
    key              = "storage"
    identity         = "id-unit-test"
    log_workspace    = "log-unit-test"
    private_endpoint = "pe-unit-test"
  }

  network = {
    subnet_id = "/subscriptions/0/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints"
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

run "refuses_local_replication" {
  command = plan

  variables {
    replication_type = "LRS"
  }

  expect_failures = [var.replication_type]
}

run "refuses_old_tls" {
  command = plan

  variables {
    minimum_tls_version = "TLS1_0"
  }

  expect_failures = [var.minimum_tls_version]
}

run "refuses_restricted_without_double_encryption" {
  command = plan

  variables {
    infrastructure_encryption_enabled = false
  }

  expect_failures = [var.infrastructure_encryption_enabled]
}

run "refuses_restricted_without_immutability" {
  command = plan

  variables {
    immutability = { enabled = false }
  }

  expect_failures = [var.immutability]
}

run "refuses_software_keys_for_restricted_data" {
  command = plan

  variables {
    key_type = "RSA"
  }

  expect_failures = [var.key_type]
}

run "refuses_keys_that_expire_before_they_rotate" {
  command = plan

  variables {
    key_expiry_days = 90
  }

  expect_failures = [var.key_expiry_days]
}

run "refuses_elliptic_keys" {
  command = plan

  variables {
    key_type = "EC-HSM"
  }

  expect_failures = [var.key_type]
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

run "refuses_restore_together_with_immutability" {
  command = plan

  variables {
    point_in_time_restore_days = 7
  }

  expect_failures = [var.point_in_time_restore_days]
}

run "refuses_malformed_subnets" {
  command = plan

  variables {
    network = { subnet_id = "anywhere" }
  }

  expect_failures = [var.network]
}

run "refuses_expiry_before_retention_ends" {
  command = plan

  variables {
    lifecycle_rules = { expire_after_days = 10 }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_forbidden_tag_keys" {
  command = plan

  variables {
    tags = { "a/b" = "x" }
  }

  expect_failures = [var.tags]
}

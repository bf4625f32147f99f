# Plans with a mocked provider: no subscription, no network, no cost.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { tenant_id = "00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "azurerm_storage_account" {
    defaults = { id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st" }
  }

  mock_resource "azurerm_key_vault" {
    defaults = { id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv" }
  }

  mock_resource "azurerm_key_vault_key" {
    defaults = { versionless_id = "https://kv.vault.azure.net/keys/storage" }
  }
}

variables {
  name                = "unit-test"
  resource_group_name = "rg-unit-test"
  location            = "westeurope"
  data_classification = "sensitive"

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

run "defaults_are_secure" {
  # apply, on mocks: only then are the computed ids known.
  command = apply

  assert {
    condition     = !azurerm_storage_account.this.public_network_access_enabled && !azurerm_storage_account.this.allow_nested_items_to_be_public
    error_message = "nothing may be public"
  }

  assert {
    condition     = azurerm_storage_account.this.https_traffic_only_enabled && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "transport must be encrypted"
  }

  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && !azurerm_storage_account.this.local_user_enabled
    error_message = "only Entra ID may authenticate"
  }

  assert {
    condition     = one(azurerm_storage_account.this.network_rules).default_action == "Deny"
    error_message = "the firewall must deny by default"
  }

  assert {
    condition     = one(azurerm_storage_account.this.customer_managed_key).key_vault_key_id == azurerm_key_vault_key.storage.versionless_id
    error_message = "the account must use the customer-managed key and follow its rotations"
  }

  assert {
    condition     = azurerm_key_vault_key.storage.key_type == "RSA-HSM" && length(azurerm_key_vault_key.storage.rotation_policy) == 1
    error_message = "the key must live in an HSM and rotate"
  }

  assert {
    condition     = azurerm_key_vault.this.purge_protection_enabled && !azurerm_key_vault.this.public_network_access_enabled
    error_message = "the vault must be purge protected and private"
  }

  assert {
    condition     = one(azurerm_storage_account.this.blob_properties).versioning_enabled && one(one(azurerm_storage_account.this.blob_properties).delete_retention_policy).days == 30
    error_message = "versions and deleted blobs must be kept"
  }

  assert {
    condition     = one(azurerm_storage_account.this.immutability_policy).state == "Unlocked"
    error_message = "immutability must be on by default"
  }

  assert {
    condition     = azurerm_storage_account.this.infrastructure_encryption_enabled
    error_message = "double encryption must be on by default"
  }

  assert {
    condition     = azurerm_storage_account.this.account_replication_type == "GZRS"
    error_message = "the account must be zone- and geo-redundant by default"
  }

  assert {
    condition     = azurerm_storage_container.data.container_access_type == "private"
    error_message = "the container must be private"
  }

  assert {
    condition     = toset([for log in azurerm_monitor_diagnostic_setting.blob.enabled_log : log.category]) == toset(["StorageRead", "StorageWrite", "StorageDelete"])
    error_message = "reads, writes and deletes must be logged"
  }

  assert {
    condition     = azurerm_private_endpoint.blob.subnet_id == var.network.subnet_id && azurerm_private_endpoint.vault.subnet_id == var.network.subnet_id
    error_message = "account and vault must be reached privately"
  }

  assert {
    condition     = length(azurerm_management_lock.storage) == 1 && length(azurerm_management_lock.vault) == 1
    error_message = "both must be locked against deletion"
  }
}

run "long_retention_uses_long_term_storage" {
  command = plan

  variables {
    log_retention_days = 2555
  }

  assert {
    condition     = azurerm_log_analytics_workspace.this.retention_in_days == 730
    error_message = "interactive retention ends at 730 days"
  }

  assert {
    condition     = azurerm_log_analytics_workspace_table.long_term["StorageBlobLogs"].total_retention_in_days == 2555
    error_message = "the table must keep the rest"
  }
}

run "point_in_time_restore_without_immutability" {
  command = plan

  variables {
    immutability               = { enabled = false }
    point_in_time_restore_days = 14
  }

  assert {
    condition     = one(one(azurerm_storage_account.this.blob_properties).restore_policy).days == 14
    error_message = "the restore policy must be set"
  }

  assert {
    condition     = length(azurerm_storage_account.this.immutability_policy) == 0
    error_message = "immutability must be off"
  }
}

run "restricted_is_locked" {
  command = plan

  variables {
    data_classification = "restricted"
    replication_type    = "RAGZRS"
    immutability        = { mode = "Locked", days = 365 }
    soft_delete_days    = 90
  }

  assert {
    condition     = one(azurerm_storage_account.this.immutability_policy).state == "Locked" && one(azurerm_storage_account.this.immutability_policy).period_since_creation_in_days == 365
    error_message = "immutability must be what was asked for"
  }
}

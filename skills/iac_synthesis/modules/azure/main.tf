# Secure object storage on Azure: one storage account with one private blob container, encrypted with a key of the customer's.
# Its key and vault are in key_vault.tf, its private endpoints in network.tf, its logs in logging.tf.

data "azurerm_client_config" "current" {}

locals {
  tags = merge(var.tags, {
    data_classification = var.data_classification
    module              = "secure-storage-azure"
  })

  tiering_days = [var.lifecycle_rules.cool_after_days, var.lifecycle_rules.cold_after_days, var.lifecycle_rules.expire_after_days]
}

# Through this identity the account reads its key; it may do nothing else.
resource "azurerm_user_assigned_identity" "storage" {
  name                = var.names.identity
  resource_group_name = var.resource_group_name
  location            = var.location

  tags = local.tags
}

# AZU-0057: Telemetry goes to Log Analytics (logging.tf), which trivy does not know; it looks for queue logging only.
# AZU-0061: The second layer of encryption is on by default and a decision below sensitive, where it may be left out.
#trivy:ignore:AZU-0057
#trivy:ignore:AZU-0061
resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33: Classic queue logging; the account holds blobs only and every access is logged by the diagnostic settings in logging.tf.
  # checkov:skip=CKV2_AZURE_21: The check knows only azurerm_log_analytics_storage_insights; blob reads, writes and deletes are logged by the diagnostic settings in logging.tf.
  name                = var.names.storage_account
  resource_group_name = var.resource_group_name
  location            = var.location

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication_type
  access_tier              = var.access_tier

  # Transport and authentication: TLS only, Entra ID only, no keys, no SFTP users, no copies to other tenants.
  https_traffic_only_enabled       = true
  min_tls_version                  = var.minimum_tls_version
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  sftp_enabled                     = false
  allowed_copy_scope               = "AAD"
  cross_tenant_replication_enabled = false

  # Network: the public endpoint is off; see network.tf.
  public_network_access_enabled   = false
  allow_nested_items_to_be_public = false

  # Encryption: everything in the account under the customer's key.
  infrastructure_encryption_enabled = var.infrastructure_encryption_enabled
  queue_encryption_key_type         = "Account"
  table_encryption_key_type         = "Account"

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.storage.id]
  }

  # Without a version in the key's id the account follows every rotation by itself.
  customer_managed_key {
    key_vault_key_id          = azurerm_key_vault_key.storage.versionless_id
    user_assigned_identity_id = azurerm_user_assigned_identity.storage.id
  }

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }

  # Shared keys are off, so no account or service signature can be made; should they ever be switched on, none lives longer than an hour.
  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Block"
  }

  blob_properties {
    versioning_enabled            = var.versioning_enabled
    change_feed_enabled           = true
    change_feed_retention_in_days = var.log_retention_days
    last_access_time_enabled      = true

    delete_retention_policy {
      days                     = var.soft_delete_days
      permanent_delete_enabled = false
    }

    container_delete_retention_policy {
      days = var.soft_delete_days
    }

    dynamic "restore_policy" {
      for_each = var.point_in_time_restore_days == 0 ? [] : [var.point_in_time_restore_days]

      content {
        days = restore_policy.value
      }
    }
  }

  dynamic "immutability_policy" {
    for_each = var.immutability.enabled ? [var.immutability] : []

    content {
      state                         = immutability_policy.value.mode
      period_since_creation_in_days = immutability_policy.value.days
      allow_protected_append_writes = false
    }
  }

  tags = local.tags

  # The identity must be allowed to use the key before the account is told to.
  depends_on = [azurerm_role_assignment.storage_key]
}

resource "azurerm_storage_container" "data" {
  # checkov:skip=CKV2_AZURE_21: The check knows only azurerm_log_analytics_storage_insights; blob reads, writes and deletes are logged by the diagnostic settings in logging.tf.
  name                  = var.names.container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  dynamic "rule" {
    for_each = anytrue([for days in local.tiering_days : days != null]) ? [var.lifecycle_rules] : []

    content {
      name    = "tiering-and-expiry"
      enabled = true

      filters {
        blob_types = ["blockBlob"]
      }

      actions {
        base_blob {
          tier_to_cool_after_days_since_modification_greater_than = rule.value.cool_after_days
          tier_to_cold_after_days_since_modification_greater_than = rule.value.cold_after_days
          delete_after_days_since_modification_greater_than       = rule.value.expire_after_days
        }
      }
    }
  }

  rule {
    name    = "earlier-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.lifecycle_rules.noncurrent_version_days
      }

      snapshot {
        delete_after_days_since_creation_greater_than = var.lifecycle_rules.noncurrent_version_days
      }
    }
  }
}

resource "azurerm_security_center_storage_defender" "this" {
  count = var.defender.enabled ? 1 : 0

  storage_account_id                          = azurerm_storage_account.this.id
  override_subscription_settings_enabled      = true
  malware_scanning_on_upload_enabled          = true
  malware_scanning_on_upload_cap_gb_per_month = var.defender.malware_scan_cap_gb
  sensitive_data_discovery_enabled            = var.defender.sensitive_data_scans
}

resource "azurerm_management_lock" "storage" {
  count = var.delete_lock ? 1 : 0

  name       = "do-not-delete"
  scope      = azurerm_storage_account.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds the data of ${var.name}; remove this lock only to decommission it."
}

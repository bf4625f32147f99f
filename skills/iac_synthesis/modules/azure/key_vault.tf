# The customer-managed key, in a vault of its own that only the private network and Azure's own services reach.

resource "azurerm_key_vault" "this" {
  name                = var.names.key_vault
  resource_group_name = var.resource_group_name
  location            = var.location
  tenant_id           = data.azurerm_client_config.current.tenant_id

  # Only the premium tier has HSM keys.
  sku_name = var.key_type == "RSA" ? "standard" : "premium"

  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
  }

  tags = local.tags
}

resource "azurerm_key_vault_key" "storage" {
  name         = var.names.key
  key_vault_id = azurerm_key_vault.this.id
  key_type     = var.key_type
  key_size     = var.key_size
  key_opts     = ["wrapKey", "unwrapKey"]

  # Of the first version; the rotation policy dates every later one.
  expiration_date = timeadd(timestamp(), "${var.key_expiry_days * 24}h")

  rotation_policy {
    expire_after         = "P${var.key_expiry_days}D"
    notify_before_expiry = "P7D"

    automatic {
      time_after_creation = "P${var.key_rotation_days}D"
    }
  }

  tags = local.tags

  lifecycle {
    ignore_changes = [expiration_date]
  }

  # Where only the private network reaches the vault, the key is made through it.
  depends_on = [azurerm_private_endpoint.vault]
}

# Least privilege: this one key, wrapping and unwrapping only.
resource "azurerm_role_assignment" "storage_key" {
  scope                = azurerm_key_vault_key.storage.resource_versionless_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.storage.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_management_lock" "vault" {
  count = var.delete_lock ? 1 : 0

  name       = "do-not-delete"
  scope      = azurerm_key_vault.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds the key of ${var.name}; without it the data is lost."
}

# Private endpoints: the only ways in.

resource "azurerm_private_endpoint" "blob" {
  name                = var.names.private_endpoint
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.network.subnet_id

  private_service_connection {
    name                           = "blob"
    private_connection_resource_id = azurerm_storage_account.this.id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }

  dynamic "private_dns_zone_group" {
    for_each = length(var.network.blob_dns_zone_ids) > 0 ? [var.network.blob_dns_zone_ids] : []

    content {
      name                 = "blob"
      private_dns_zone_ids = private_dns_zone_group.value
    }
  }

  tags = local.tags
}

resource "azurerm_private_endpoint" "vault" {
  name                = "${var.names.private_endpoint}-vault"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.network.subnet_id

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  dynamic "private_dns_zone_group" {
    for_each = length(var.network.vault_dns_zone_ids) > 0 ? [var.network.vault_dns_zone_ids] : []

    content {
      name                 = "vault"
      private_dns_zone_ids = private_dns_zone_group.value
    }
  }

  tags = local.tags
}

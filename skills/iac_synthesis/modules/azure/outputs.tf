output "storage_account_id" {
  description = "Resource id of the storage account, for role assignments of the applications."
  value       = azurerm_storage_account.this.id
}

output "storage_account_name" {
  description = "Name of the storage account."
  value       = azurerm_storage_account.this.name
}

output "primary_blob_endpoint" {
  description = "Blob endpoint; it resolves to the private endpoint inside the network."
  value       = azurerm_storage_account.this.primary_blob_endpoint
}

output "secondary_blob_endpoint" {
  description = "Readable endpoint of the copy in the paired region; empty unless replication_type is RAGRS or RAGZRS."
  value       = azurerm_storage_account.this.secondary_blob_endpoint
}

output "container_name" {
  description = "Name of the container that holds the data."
  value       = azurerm_storage_container.data.name
}

output "key_vault_id" {
  description = "Resource id of the vault that holds the customer-managed key."
  value       = azurerm_key_vault.this.id
}

output "key_id" {
  description = "Versionless id of the customer-managed key."
  value       = azurerm_key_vault_key.storage.versionless_id
}

output "identity_principal_id" {
  description = "Object id of the identity through which the account reads its key."
  value       = azurerm_user_assigned_identity.storage.principal_id
}

output "log_workspace_id" {
  description = "Resource id of the Log Analytics workspace that receives the access logs."
  value       = azurerm_log_analytics_workspace.this.id
}

output "private_endpoint_ip_addresses" {
  description = "Private addresses of the account and the vault."
  value = {
    blob  = azurerm_private_endpoint.blob.private_service_connection[0].private_ip_address
    vault = azurerm_private_endpoint.vault.private_service_connection[0].private_ip_address
  }
}

output "effective_settings" {
  description = "What this module really set, for evidence and for policy tests over a plan."
  value = {
    data_classification        = var.data_classification
    minimum_tls_version        = var.minimum_tls_version
    replication_type           = var.replication_type
    key_type                   = var.key_type
    key_rotation_days          = var.key_rotation_days
    versioning                 = var.versioning_enabled
    soft_delete_days           = var.soft_delete_days
    point_in_time_restore_days = var.point_in_time_restore_days
    immutability               = var.immutability
    infrastructure_encryption  = var.infrastructure_encryption_enabled
    log_retention_days         = var.log_retention_days
  }
}

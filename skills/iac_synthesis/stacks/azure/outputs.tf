output "storage_account_id" {
  description = "Resource id of the storage account, for role assignments of the applications."
  value       = module.storage.storage_account_id
}

output "primary_blob_endpoint" {
  description = "Blob endpoint; it resolves to the private endpoint inside the network."
  value       = module.storage.primary_blob_endpoint
}

output "secondary_blob_endpoint" {
  description = "Readable endpoint of the copy in the paired region, where the replication type offers one."
  value       = module.storage.secondary_blob_endpoint
}

output "container_name" {
  description = "Container that holds the data."
  value       = module.storage.container_name
}

output "log_workspace_id" {
  description = "Log Analytics workspace that receives the access logs."
  value       = module.storage.log_workspace_id
}

output "effective_settings" {
  description = "What the module really set, for evidence."
  value       = module.storage.effective_settings
}

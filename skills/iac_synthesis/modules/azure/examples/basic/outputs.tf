output "primary_blob_endpoint" {
  description = "Blob endpoint of the account."
  value       = module.storage.primary_blob_endpoint
}

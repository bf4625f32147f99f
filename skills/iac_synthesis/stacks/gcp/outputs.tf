output "bucket_name" {
  description = "Bucket that holds the data."
  value       = module.storage.bucket_name
}

output "bucket_url" {
  description = "URL of the bucket, gs://…"
  value       = module.storage.bucket_url
}

output "kms_key_id" {
  description = "Customer-managed key."
  value       = module.storage.kms_key_id
}

output "log_bucket_name" {
  description = "Bucket that receives the usage logs."
  value       = module.storage.log_bucket_name
}

output "effective_settings" {
  description = "What the module really set, for evidence."
  value       = module.storage.effective_settings
}

output "bucket_name" {
  description = "Bucket that holds the data."
  value       = module.storage.bucket_name
}

output "bucket_id" {
  description = "OCID of the bucket."
  value       = module.storage.bucket_id
}

output "kms_key_id" {
  description = "OCID of the customer-managed key."
  value       = module.storage.kms_key_id
}

output "network_source_name" {
  description = "Network source; further IAM policies on this bucket must carry it as a condition."
  value       = module.storage.network_source_name
}

output "replica_bucket_name" {
  description = "Copy in the second region; null when there is none."
  value       = module.storage.replica_bucket_name
}

output "effective_settings" {
  description = "What the module really set, for evidence."
  value       = module.storage.effective_settings
}

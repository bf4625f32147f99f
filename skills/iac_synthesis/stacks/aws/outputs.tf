output "bucket_name" {
  description = "Bucket that holds the data."
  value       = module.storage.bucket_name
}

output "bucket_arn" {
  description = "ARN of the bucket, for IAM policies of the applications."
  value       = module.storage.bucket_arn
}

output "kms_key_arn" {
  description = "ARN of the customer-managed key; applications need kms:Decrypt and kms:GenerateDataKey on it."
  value       = module.storage.kms_key_arn
}

output "replica_bucket_name" {
  description = "Copy in the second region."
  value       = module.storage.replica_bucket_name
}

output "log_bucket_name" {
  description = "Bucket that receives the access logs."
  value       = module.storage.log_bucket_name
}

output "effective_settings" {
  description = "What the module really set, for evidence."
  value       = module.storage.effective_settings
}

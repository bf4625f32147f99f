output "bucket_name" {
  description = "Name of the bucket that holds the data."
  value       = aws_s3_bucket.primary.id
}

output "bucket_arn" {
  description = "ARN of the bucket that holds the data, for IAM policies of the applications."
  value       = aws_s3_bucket.primary.arn
}

output "bucket_regional_domain_name" {
  description = "Regional host name of the bucket."
  value       = aws_s3_bucket.primary.bucket_regional_domain_name
}

output "kms_key_arn" {
  description = "ARN of the customer-managed key; applications need kms:Decrypt and kms:GenerateDataKey on it."
  value       = aws_kms_key.primary.arn
}

output "kms_key_alias" {
  description = "Alias of the customer-managed key."
  value       = aws_kms_alias.primary.name
}

output "log_bucket_name" {
  description = "Name of the bucket that receives the server access logs."
  value       = aws_s3_bucket.logs.id
}

output "replica_bucket_name" {
  description = "Name of the copy in the second region; null when replication is off."
  value       = one(aws_s3_bucket.replica[*].id)
}

output "replica_bucket_arn" {
  description = "ARN of the copy in the second region; null when replication is off."
  value       = one(aws_s3_bucket.replica[*].arn)
}

output "replica_kms_key_arn" {
  description = "ARN of the key of the copy; null when replication is off."
  value       = one(aws_kms_key.replica[*].arn)
}

output "replica_log_bucket_name" {
  description = "Name of the bucket that receives the access logs of the copy; null when replication is off."
  value       = one(aws_s3_bucket.replica_logs[*].id)
}

output "effective_settings" {
  description = "What this module really set, for evidence and for policy tests over a plan."
  value = {
    data_classification     = var.data_classification
    minimum_tls_version     = var.minimum_tls_version
    key_rotation_days       = var.key_rotation_days
    versioning              = var.versioning_enabled
    noncurrent_version_days = var.noncurrent_version_days
    immutability            = var.immutability
    replication             = var.replication.enabled
    replication_target_secs = var.replication.time_control ? 900 : null
    log_retention_days      = var.log_retention_days
  }
}

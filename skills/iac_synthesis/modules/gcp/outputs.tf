output "bucket_name" {
  description = "Name of the bucket that holds the data."
  value       = google_storage_bucket.data.name
}

output "bucket_url" {
  description = "URL of the bucket, gs://…"
  value       = google_storage_bucket.data.url
}

output "kms_key_id" {
  description = "Id of the customer-managed key."
  value       = google_kms_crypto_key.storage.id
}

output "log_bucket_name" {
  description = "Name of the bucket that receives the usage logs."
  value       = google_storage_bucket.logs.name
}

output "audit_log_bucket_id" {
  description = "Id of the Cloud Logging bucket that keeps the data access audit logs."
  value       = google_logging_project_bucket_config.audit.id
}

output "effective_settings" {
  description = "What this module really set, for evidence and for policy tests over a plan."
  value = {
    data_classification     = var.data_classification
    denied_tls_versions     = var.denied_tls_versions
    location                = upper(var.location)
    rpo                     = var.rpo
    key_rotation_days       = var.key_rotation_days
    key_protection_level    = var.key_protection_level
    versioning              = var.versioning_enabled
    soft_delete_days        = var.soft_delete_days
    noncurrent_version_days = var.noncurrent_version_days
    immutability            = var.immutability
    service_perimeter       = var.network.service_perimeter
    ip_filter_networks      = local.vpc_networks
    log_retention_days      = var.log_retention_days
  }
}

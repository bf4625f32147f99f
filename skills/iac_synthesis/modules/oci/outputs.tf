output "namespace" {
  description = "Object Storage namespace of the tenancy."
  value       = local.namespace
}

output "bucket_name" {
  description = "Name of the bucket that holds the data."
  value       = oci_objectstorage_bucket.data.name
}

output "bucket_id" {
  description = "OCID of the bucket that holds the data."
  value       = oci_objectstorage_bucket.data.bucket_id
}

output "kms_key_id" {
  description = "OCID of the customer-managed key."
  value       = oci_kms_key.data.id
}

output "network_source_name" {
  description = "Name of the network source; further IAM policies on this bucket must carry it as a condition."
  value       = oci_identity_network_source.data.name
}

output "log_group_id" {
  description = "OCID of the log group that receives the access logs."
  value       = oci_logging_log_group.data.id
}

output "replica_bucket_name" {
  description = "Name of the copy in the second region; null when replication is off."
  value       = one(oci_objectstorage_bucket.replica[*].name)
}

output "replication_policy_id" {
  description = "Id of the replication policy, whose time of last sync shows how far the copy is behind; null when replication is off."
  value       = one(oci_objectstorage_replication_policy.data[*].id)
}

output "effective_settings" {
  description = "What this module really set, for evidence and for policy tests over a plan."
  value = {
    data_classification     = var.data_classification
    minimum_tls_version     = "1.2"
    key_rotation_days       = var.vault_type == "VIRTUAL_PRIVATE" ? var.key_rotation_days : null
    key_protection_mode     = var.key_protection_mode
    versioning              = var.versioning
    noncurrent_version_days = var.noncurrent_version_days
    immutability            = var.immutability
    replication             = var.replication.enabled
    log_retention_days      = local.log_retention_days
  }
}

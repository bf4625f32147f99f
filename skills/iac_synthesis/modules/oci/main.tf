# Secure object storage on OCI: one private bucket under a customer-managed key.
# Its key is in kms.tf, who reaches it in access.tf, its logs in logging.tf, its copy in a second region in replication.tf.

data "oci_objectstorage_namespace" "this" {
  compartment_id = var.compartment_id
}

locals {
  namespace = data.oci_objectstorage_namespace.this.namespace

  freeform_tags = merge(var.freeform_tags, {
    data_classification = var.data_classification
    module              = "secure-storage-oci"
  })

  replicas = var.replication.enabled ? 1 : 0
}

resource "oci_objectstorage_bucket" "data" {
  compartment_id = var.compartment_id
  namespace      = local.namespace
  name           = var.names.bucket

  access_type           = "NoPublicAccess"
  storage_tier          = "Standard"
  auto_tiering          = var.auto_tiering
  versioning            = var.versioning
  object_events_enabled = true
  kms_key_id            = oci_kms_key.data.id

  dynamic "retention_rules" {
    for_each = var.immutability.enabled ? [var.immutability] : []

    content {
      display_name     = "write-once"
      time_rule_locked = retention_rules.value.mode == "locked" ? retention_rules.value.lock_time : null

      duration {
        time_amount = tostring(retention_rules.value.days)
        time_unit   = "DAYS"
      }
    }
  }

  freeform_tags = local.freeform_tags

  # Object Storage must be allowed to use the key before the bucket names it.
  depends_on = [oci_identity_policy.service]
}

resource "oci_objectstorage_object_lifecycle_policy" "data" {
  namespace = local.namespace
  bucket    = oci_objectstorage_bucket.data.name

  rules {
    name        = "abort-incomplete-uploads"
    action      = "ABORT"
    target      = "multipart-uploads"
    time_amount = "7"
    time_unit   = "DAYS"
    is_enabled  = true
  }

  # Without versions there is nothing for this rule to remove, and Object Storage refuses it.
  dynamic "rules" {
    for_each = var.versioning == "Enabled" ? [var.noncurrent_version_days] : []

    content {
      name        = "expire-earlier-versions"
      action      = "DELETE"
      target      = "previous-object-versions"
      time_amount = tostring(rules.value)
      time_unit   = "DAYS"
      is_enabled  = true
    }
  }

  depends_on = [oci_identity_policy.service]
}

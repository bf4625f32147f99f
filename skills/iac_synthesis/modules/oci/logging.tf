# Every read and every write of an object, in both regions.

locals {
  # OCI Logging keeps one to six months of 30 days.
  log_retention_days = min(180, ceil(var.log_retention_days / 30) * 30)
}

resource "oci_logging_log_group" "data" {
  compartment_id = var.compartment_id
  display_name   = var.names.log_group
  description    = "Access to ${var.name}"

  freeform_tags = local.freeform_tags
}

resource "oci_logging_log" "data" {
  for_each = toset(["read", "write"])

  display_name       = "${var.names.bucket}-${each.key}"
  log_group_id       = oci_logging_log_group.data.id
  log_type           = "SERVICE"
  is_enabled         = true
  retention_duration = local.log_retention_days

  configuration {
    compartment_id = var.compartment_id

    source {
      source_type = "OCISERVICE"
      service     = "objectstorage"
      resource    = oci_objectstorage_bucket.data.name
      category    = each.key
    }
  }

  freeform_tags = local.freeform_tags
}

resource "oci_logging_log_group" "replica" {
  count    = local.replicas
  provider = oci.replica

  compartment_id = var.compartment_id
  display_name   = "${var.names.log_group}-replica"
  description    = "Access to ${var.name} (copy)"

  freeform_tags = local.freeform_tags
}

resource "oci_logging_log" "replica" {
  for_each = toset(var.replication.enabled ? ["read", "write"] : [])
  provider = oci.replica

  display_name       = "${var.names.replica_bucket}-${each.key}"
  log_group_id       = oci_logging_log_group.replica[0].id
  log_type           = "SERVICE"
  is_enabled         = true
  retention_duration = local.log_retention_days

  configuration {
    compartment_id = var.compartment_id

    source {
      source_type = "OCISERVICE"
      service     = "objectstorage"
      resource    = oci_objectstorage_bucket.replica[0].name
      category    = each.key
    }
  }

  freeform_tags = local.freeform_tags
}

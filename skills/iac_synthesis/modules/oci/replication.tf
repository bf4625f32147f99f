# The copy in the second region. Object Storage keeps it read-only for everybody else as long as the policy stands.

resource "oci_objectstorage_bucket" "replica" {
  count    = local.replicas
  provider = oci.replica

  compartment_id = var.compartment_id
  namespace      = local.namespace
  name           = var.names.replica_bucket

  access_type           = "NoPublicAccess"
  storage_tier          = "Standard"
  auto_tiering          = var.auto_tiering
  versioning            = "Enabled"
  object_events_enabled = true
  kms_key_id            = oci_kms_key.replica[0].id

  freeform_tags = local.freeform_tags

  depends_on = [oci_identity_policy.service]
}

# What a replication or a deletion leaves behind as an earlier version goes after the same time as in the primary region.
resource "oci_objectstorage_object_lifecycle_policy" "replica" {
  count    = local.replicas
  provider = oci.replica

  namespace = local.namespace
  bucket    = oci_objectstorage_bucket.replica[0].name

  rules {
    name        = "expire-earlier-versions"
    action      = "DELETE"
    target      = "previous-object-versions"
    time_amount = tostring(var.noncurrent_version_days)
    time_unit   = "DAYS"
    is_enabled  = true
  }

  depends_on = [oci_identity_policy.service]
}

resource "oci_objectstorage_replication_policy" "data" {
  count = local.replicas

  namespace               = local.namespace
  bucket                  = oci_objectstorage_bucket.data.name
  name                    = "to-${var.replication.region}"
  destination_bucket_name = oci_objectstorage_bucket.replica[0].name
  destination_region_name = var.replication.region

  # Destroying this configuration must not destroy the copy.
  delete_object_in_destination_bucket = "DECLINE"

  # Lifecycle rules first: afterwards the copy accepts no changes.
  depends_on = [oci_identity_policy.service, oci_objectstorage_object_lifecycle_policy.replica]
}

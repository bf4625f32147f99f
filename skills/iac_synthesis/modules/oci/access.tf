# IAM in OCI only ever allows. What Object Storage itself needs is in `service`; what people and programs get is in `data`, from known networks only.

locals {
  service_regions = concat([var.region], var.replication.enabled ? [var.replication.region] : [])
  key_ids         = concat([oci_kms_key.data.id], oci_kms_key.replica[*].id)
  buckets         = concat([var.names.bucket], var.replication.enabled ? [var.names.replica_bucket] : [])

  # Written before the buckets exist, so by name.
  bucket_condition = "any {${join(", ", [for bucket in local.buckets : "target.bucket.name = '${bucket}'"])}}"
  key_condition    = "any {${join(", ", [for id in local.key_ids : "target.key.id = '${id}'"])}}"

  # OCI nests no conditions, so every bucket gets one of its own.
  network_conditions = [
    for bucket in local.buckets : "all {target.bucket.name = '${bucket}', request.networkSource.name = '${oci_identity_network_source.data.name}'}"
  ]
}

resource "oci_identity_policy" "service" {
  provider = oci.home

  compartment_id = var.compartment_id
  name           = "${var.names.bucket}-service"
  description    = "Lets Object Storage use the key of ${var.name}, run its lifecycle rules and copy it"

  statements = flatten([
    for region in local.service_regions : [
      "Allow service objectstorage-${region} to use keys in compartment id ${var.compartment_id} where ${local.key_condition}",
      "Allow service objectstorage-${region} to manage object-family in compartment id ${var.compartment_id} where ${local.bucket_condition}",
    ]
  ])

  freeform_tags = local.freeform_tags
}

resource "oci_identity_network_source" "data" {
  provider = oci.home

  compartment_id = var.tenancy_id
  name           = "${var.names.bucket}-networks"
  description    = "Networks that may reach ${var.name}"

  dynamic "virtual_source_list" {
    for_each = var.network.vcn_ids

    content {
      vcn_id    = virtual_source_list.value
      ip_ranges = var.network.vcn_cidr_blocks
    }
  }

  freeform_tags = local.freeform_tags
}

resource "oci_identity_policy" "data" {
  count    = length(var.access.reader_groups) + length(var.access.writer_groups) > 0 ? 1 : 0
  provider = oci.home

  compartment_id = var.compartment_id
  name           = "${var.names.bucket}-data"
  description    = "Who may read and write ${var.name}, from its networks only"

  statements = concat(
    [for group in var.access.reader_groups : "Allow group ${group} to read objects in compartment id ${var.compartment_id} where ${local.network_conditions[0]}"],
    [for group in var.access.writer_groups : "Allow group ${group} to manage objects in compartment id ${var.compartment_id} where ${local.network_conditions[0]}"],
    # After the loss of a region the copy is what there is to read.
    [
      for pair in setproduct(distinct(concat(var.access.reader_groups, var.access.writer_groups)), slice(local.network_conditions, 1, length(local.network_conditions))) :
      "Allow group ${pair[0]} to read objects in compartment id ${var.compartment_id} where ${pair[1]}"
    ],
  )

  freeform_tags = local.freeform_tags
}

resource "oci_objectstorage_private_endpoint" "data" {
  count = var.network.private_endpoint_subnet_id == null ? 0 : 1

  compartment_id = var.compartment_id
  namespace      = local.namespace
  name           = "${var.names.bucket}-endpoint"
  prefix         = substr(replace(var.names.bucket, "/[^a-z0-9]/", ""), 0, 15)
  subnet_id      = var.network.private_endpoint_subnet_id

  # It reaches this one bucket and no other.
  access_targets {
    namespace      = local.namespace
    compartment_id = var.compartment_id
    bucket         = oci_objectstorage_bucket.data.name
  }

  freeform_tags = local.freeform_tags
}

# One customer-managed key per region, so that losing a region does not lose the key of the other.

resource "oci_kms_vault" "data" {
  compartment_id = var.compartment_id
  display_name   = var.names.vault
  vault_type     = var.vault_type

  freeform_tags = local.freeform_tags
}

resource "oci_kms_key" "data" {
  compartment_id      = var.compartment_id
  display_name        = var.names.key
  management_endpoint = oci_kms_vault.data.management_endpoint
  protection_mode     = var.key_protection_mode

  key_shape {
    algorithm = "AES"
    length    = 32
  }

  is_auto_rotation_enabled = var.vault_type == "VIRTUAL_PRIVATE"

  dynamic "auto_key_rotation_details" {
    for_each = var.vault_type == "VIRTUAL_PRIVATE" ? [var.key_rotation_days] : []

    content {
      rotation_interval_in_days = auto_key_rotation_details.value
    }
  }

  freeform_tags = local.freeform_tags
}

resource "oci_kms_vault" "replica" {
  count    = local.replicas
  provider = oci.replica

  compartment_id = var.compartment_id
  display_name   = "${var.names.vault}-replica"
  vault_type     = var.vault_type

  freeform_tags = local.freeform_tags
}

resource "oci_kms_key" "replica" {
  count    = local.replicas
  provider = oci.replica

  compartment_id      = var.compartment_id
  display_name        = "${var.names.key}-replica"
  management_endpoint = oci_kms_vault.replica[0].management_endpoint
  protection_mode     = var.key_protection_mode

  key_shape {
    algorithm = "AES"
    length    = 32
  }

  is_auto_rotation_enabled = var.vault_type == "VIRTUAL_PRIVATE"

  dynamic "auto_key_rotation_details" {
    for_each = var.vault_type == "VIRTUAL_PRIVATE" ? [var.key_rotation_days] : []

    content {
      rotation_interval_in_days = auto_key_rotation_details.value
    }
  }

  freeform_tags = local.freeform_tags
}

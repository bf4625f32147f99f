# The customer-managed key. Key rings and keys can never be deleted, so Terraform must not try.

resource "google_kms_key_ring" "this" {
  project  = var.project_id
  name     = var.names.key_ring
  location = lower(var.kms_location)

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "storage" {
  name            = var.names.key
  key_ring        = google_kms_key_ring.this.id
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = format("%ds", var.key_rotation_days * 86400)

  # A version that somebody destroys can be restored for 30 days.
  destroy_scheduled_duration = "${30 * local.seconds_per_day}s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.key_protection_level
  }

  labels = local.labels

  lifecycle {
    prevent_destroy = true
  }
}

# Least privilege: Cloud Storage's own service agent, this one key.
resource "google_kms_crypto_key_iam_member" "storage" {
  crypto_key_id = google_kms_crypto_key.storage.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}

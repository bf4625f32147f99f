# Two records of every access: usage logs in a bucket of their own, and data access audit logs in Cloud Logging.

resource "google_storage_bucket" "logs" {
  # checkov:skip=CKV_GCP_62: A log bucket that logs its own deliveries feeds itself; the audit logs below cover it.
  project       = var.project_id
  name          = var.names.log_bucket
  location      = upper(var.location)
  storage_class = "STANDARD"
  force_destroy = false

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  encryption {
    default_kms_key_name = google_kms_crypto_key.storage.id
  }

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * local.seconds_per_day
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age        = var.log_retention_days
      with_state = "ANY"
    }
  }

  labels = local.labels

  depends_on = [google_kms_crypto_key_iam_member.storage]
}

# Google's log writer, and nobody else, may add to it.
resource "google_storage_bucket_iam_member" "log_writer" {
  bucket = google_storage_bucket.logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}

resource "google_project_iam_audit_config" "storage" {
  project = var.project_id
  service = "storage.googleapis.com"

  audit_log_config {
    log_type = "ADMIN_READ"
  }

  audit_log_config {
    log_type = "DATA_READ"
  }

  audit_log_config {
    log_type = "DATA_WRITE"
  }
}

resource "google_logging_project_bucket_config" "audit" {
  project        = var.project_id
  location       = var.log_location
  bucket_id      = var.names.log_bucket
  description    = "Data access audit logs of ${var.name}"
  retention_days = var.log_retention_days
}

resource "google_logging_project_sink" "audit" {
  project                = var.project_id
  name                   = var.names.log_bucket
  description            = "Keeps the audit logs of ${var.name} for ${var.log_retention_days} days"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.audit.id}"
  unique_writer_identity = true

  filter = join(" AND ", [
    "(log_id(\"cloudaudit.googleapis.com/data_access\") OR log_id(\"cloudaudit.googleapis.com/activity\"))",
    "resource.type=\"gcs_bucket\"",
    "resource.labels.bucket_name=(\"${var.names.bucket}\" OR \"${var.names.log_bucket}\")",
  ])
}

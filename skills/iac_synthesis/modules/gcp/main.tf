# Secure object storage on Google Cloud: one private, uniformly controlled bucket under a customer-managed key.
# Its key is in kms.tf, its perimeter and TLS floor in network.tf, its logs in logging.tf.

data "google_project" "this" {
  project_id = var.project_id
}

# The service agent through which Cloud Storage uses the key.
data "google_storage_project_service_account" "this" {
  project = var.project_id
}

locals {
  labels = merge(var.labels, {
    data_classification = var.data_classification
    module              = "secure-storage-gcp"
  })

  seconds_per_day = 24 * 60 * 60

  # Only buckets in one region can filter by network.
  regional     = strcontains(var.location, "-")
  vpc_networks = local.regional ? var.network.vpc_networks : []
}

# GCP-0078: Versions are on by default; they are off only where a retention policy forbids overwriting and deleting altogether.
#trivy:ignore:GCP-0078
resource "google_storage_bucket" "data" {
  project       = var.project_id
  name          = var.names.bucket
  location      = upper(var.location)
  rpo           = var.rpo
  storage_class = var.storage_class
  force_destroy = false

  # No ACLs, nothing public, whatever IAM says.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  encryption {
    default_kms_key_name = google_kms_crypto_key.storage.id
  }

  versioning {
    enabled = var.versioning_enabled
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * local.seconds_per_day
  }

  dynamic "retention_policy" {
    for_each = var.immutability.enabled ? [var.immutability] : []

    content {
      retention_period = retention_policy.value.days * local.seconds_per_day
      is_locked        = retention_policy.value.mode == "locked"
    }
  }

  logging {
    log_bucket        = google_storage_bucket.logs.name
    log_object_prefix = var.names.bucket
  }

  dynamic "ip_filter" {
    for_each = length(local.vpc_networks) > 0 ? [local.vpc_networks] : []

    content {
      mode                           = "Enabled"
      allow_all_service_agent_access = true
      allow_cross_org_vpcs           = false

      dynamic "vpc_network_sources" {
        for_each = ip_filter.value

        content {
          network                = vpc_network_sources.value
          allowed_ip_cidr_ranges = ["0.0.0.0/0"]
        }
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 7
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = var.noncurrent_version_days
      with_state                 = "ARCHIVED"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = { for class, days in {
      NEARLINE = var.lifecycle_rules.nearline_after_days
      COLDLINE = var.lifecycle_rules.coldline_after_days
    } : class => days if days != null }

    content {
      action {
        type          = "SetStorageClass"
        storage_class = lifecycle_rule.key
      }

      condition {
        age        = lifecycle_rule.value
        with_state = "LIVE"
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.lifecycle_rules.expire_after_days[*]

    content {
      action {
        type = "Delete"
      }

      condition {
        age        = lifecycle_rule.value
        with_state = "LIVE"
      }
    }
  }

  labels = local.labels

  # Cloud Storage must be allowed to use the key before the bucket names it.
  depends_on = [google_kms_crypto_key_iam_member.storage]
}

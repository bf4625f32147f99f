# Secure object storage on AWS: one versioned, KMS-encrypted, private S3 bucket.
# Its access logs are in logging.tf, its copy in a second region in replication.tf, its key in kms.tf.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # A name that is long already is cut, and the digest of the whole keeps the result unique.
  replica_log_bucket = coalesce(
    var.names.replica_log_bucket,
    "${trimsuffix(substr(var.names.replica_bucket, 0, 49), "-")}-${substr(sha256(var.names.replica_bucket), 0, 8)}-logs",
  )

  key_alias = "alias/${trimprefix(var.names.key_alias, "alias/")}"

  tags = merge(var.tags, {
    data_classification = var.data_classification
    module              = "secure-storage-aws"
  })

  replicas = var.replication.enabled ? 1 : 0

  # An identifier that no endpoint has: with an empty list the condition would compare with nothing, with this one it fails closed.
  vpc_endpoint_ids = length(var.network.vpc_endpoint_ids) > 0 ? var.network.vpc_endpoint_ids : ["vpce-none"]

  # Principals that the network rule spares: those named by the caller, and S3's own replication role.
  network_exempt_arns = concat(var.network.exempt_principal_arns, aws_iam_role.replication[*].arn)
}

resource "aws_s3_bucket" "primary" {
  bucket        = var.names.bucket
  force_destroy = false

  # Always on: it cannot be added later without replacing the bucket. Alone it retains nothing; the rule below does.
  object_lock_enabled = true

  tags = local.tags
}

resource "aws_s3_bucket_ownership_controls" "primary" {
  bucket = aws_s3_bucket.primary.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "primary" {
  bucket = aws_s3_bucket.primary.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "primary" {
  bucket = aws_s3_bucket.primary.id

  versioning_configuration {
    status = var.versioning_enabled ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "primary" {
  bucket = aws_s3_bucket.primary.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.primary.arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "primary" {
  count = var.immutability.enabled ? 1 : 0

  bucket = aws_s3_bucket.primary.id

  rule {
    default_retention {
      mode = var.immutability.mode
      days = var.immutability.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.primary]
}

resource "aws_s3_bucket_lifecycle_configuration" "primary" {
  bucket = aws_s3_bucket.primary.id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "current-versions"
    status = "Enabled"

    filter {}

    dynamic "transition" {
      for_each = var.lifecycle_rules.cool_after_days[*]

      content {
        days          = transition.value
        storage_class = "STANDARD_IA"
      }
    }

    dynamic "transition" {
      for_each = var.lifecycle_rules.archive_after_days[*]

      content {
        days          = transition.value
        storage_class = var.lifecycle_rules.archive_storage_class
      }
    }

    # Without an expiry the rule removes delete markers that hide nothing, so that it is never without an action.
    expiration {
      days                         = var.lifecycle_rules.expire_after_days
      expired_object_delete_marker = var.lifecycle_rules.expire_after_days == null ? true : null
    }
  }

  rule {
    id     = "noncurrent-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.primary]
}

# Every object event reaches EventBridge, for whatever the security team listens with.
resource "aws_s3_bucket_notification" "primary" {
  bucket      = aws_s3_bucket.primary.id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "primary" {
  bucket = aws_s3_bucket.primary.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "DenyInsecureTransport"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [aws_s3_bucket.primary.arn, "${aws_s3_bucket.primary.arn}/*"]
          Condition = {
            Bool = { "aws:SecureTransport" = "false" }
          }
        },
        {
          Sid       = "DenyOldTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [aws_s3_bucket.primary.arn, "${aws_s3_bucket.primary.arn}/*"]
          Condition = {
            NumericLessThan = { "s3:TlsVersion" = var.minimum_tls_version }
          }
        },
        {
          Sid       = "DenyOtherEncryption"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${aws_s3_bucket.primary.arn}/*"
          Condition = {
            StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption" = "aws:kms" }
          }
        },
        {
          Sid       = "DenyOtherKeys"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${aws_s3_bucket.primary.arn}/*"
          Condition = {
            StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = aws_kms_key.primary.arn }
          }
        },
        {
          Sid       = "DenyDataOutsidePrivateNetwork"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:RestoreObject", "s3:ListBucket*"]
          Resource  = [aws_s3_bucket.primary.arn, "${aws_s3_bucket.primary.arn}/*"]
          Condition = merge(
            {
              StringNotEqualsIfExists = { "aws:SourceVpce" = local.vpc_endpoint_ids }
              BoolIfExists            = { "aws:PrincipalIsAWSService" = "false", "aws:ViaAWSService" = "false" }
            },
            length(local.network_exempt_arns) == 0 ? {} : {
              ArnNotLikeIfExists = { "aws:PrincipalArn" = local.network_exempt_arns }
            },
          )
        },
      ],
      [
        for organization_id in var.network.organization_id[*] : {
          Sid       = "DenyOtherOrganizations"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [aws_s3_bucket.primary.arn, "${aws_s3_bucket.primary.arn}/*"]
          Condition = {
            StringNotEqualsIfExists = { "aws:PrincipalOrgID" = organization_id }
            BoolIfExists            = { "aws:PrincipalIsAWSService" = "false" }
          }
        }
      ],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.primary]
}

# Server access logs of the replica: reading the copy is reading the data, so it is logged as well.

# A log bucket that logs its own deliveries feeds itself.
#trivy:ignore:AWS-0089
resource "aws_s3_bucket" "replica_logs" {
  # checkov:skip=CKV_AWS_18: A log bucket that logs its own deliveries feeds itself; CloudTrail data events cover it.
  # checkov:skip=CKV_AWS_144: Access logs are kept per region; the primary region writes its own.
  # checkov:skip=CKV_AWS_145: S3 delivers access logs only to buckets whose default encryption is SSE-S3.
  count    = local.replicas
  provider = aws.replica

  bucket        = local.replica_log_bucket
  force_destroy = false

  tags = local.tags
}

resource "aws_s3_bucket_ownership_controls" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

# S3 delivers access logs only to buckets whose default encryption is SSE-S3.
#trivy:ignore:AWS-0132
resource "aws_s3_bucket_server_side_encryption_configuration" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = local.log_sse_algorithm
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  rule {
    id     = "log-retention"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      days = var.log_retention_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica_logs]
}

resource "aws_s3_bucket_notification" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket      = aws_s3_bucket.replica_logs[0].id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "replica_logs" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica_logs[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AllowLogDelivery"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.replica_logs[0].arn}/*"
        Condition = {
          ArnLike      = { "aws:SourceArn" = aws_s3_bucket.replica[0].arn }
          StringEquals = { "aws:SourceAccount" = local.account_id }
        }
      },
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.replica_logs[0].arn, "${aws_s3_bucket.replica_logs[0].arn}/*"]
        Condition = {
          Bool = { "aws:SecureTransport" = "false" }
        }
      },
      {
        Sid       = "DenyOldTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.replica_logs[0].arn, "${aws_s3_bucket.replica_logs[0].arn}/*"]
        Condition = {
          NumericLessThan = { "s3:TlsVersion" = var.minimum_tls_version }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.replica_logs]
}

resource "aws_s3_bucket_logging" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket        = aws_s3_bucket.replica[0].id
  target_bucket = aws_s3_bucket.replica_logs[0].id
  target_prefix = "s3/replica/"

  # S3 tries the delivery when logging is switched on, so the log bucket must already allow it.
  depends_on = [aws_s3_bucket_policy.replica_logs, aws_s3_bucket_ownership_controls.replica_logs]
}

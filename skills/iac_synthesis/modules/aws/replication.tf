# The copy in the second region: same protection as the primary bucket, written by S3 itself through the role below.

resource "aws_s3_bucket" "replica" {
  # checkov:skip=CKV_AWS_144: This bucket is the cross-region copy.
  count    = local.replicas
  provider = aws.replica

  bucket        = var.names.replica_bucket
  force_destroy = false

  # Locked versions replicate only into a bucket that has Object Lock too.
  object_lock_enabled = true

  tags = local.tags
}

resource "aws_s3_bucket_ownership_controls" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.replica[0].arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "replica" {
  count    = var.immutability.enabled ? local.replicas : 0
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    default_retention {
      mode = var.immutability.mode
      days = var.immutability.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

# Lifecycle actions do not replicate: without rules of its own the copy would keep what the primary deletes.
resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      days                         = var.lifecycle_rules.expire_after_days
      expired_object_delete_marker = var.lifecycle_rules.expire_after_days == null ? true : null
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_notification" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket      = aws_s3_bucket.replica[0].id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "replica" {
  count    = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.replica[0].arn, "${aws_s3_bucket.replica[0].arn}/*"]
        Condition = {
          Bool = { "aws:SecureTransport" = "false" }
        }
      },
      {
        Sid       = "DenyOldTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.replica[0].arn, "${aws_s3_bucket.replica[0].arn}/*"]
        Condition = {
          NumericLessThan = { "s3:TlsVersion" = var.minimum_tls_version }
        }
      },
      {
        Sid       = "DenyDataOutsidePrivateNetwork"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:RestoreObject", "s3:ListBucket*"]
        Resource  = [aws_s3_bucket.replica[0].arn, "${aws_s3_bucket.replica[0].arn}/*"]
        Condition = {
          StringNotEqualsIfExists = { "aws:SourceVpce" = local.vpc_endpoint_ids }
          BoolIfExists            = { "aws:PrincipalIsAWSService" = "false", "aws:ViaAWSService" = "false" }
          ArnNotLikeIfExists      = { "aws:PrincipalArn" = local.network_exempt_arns }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_iam_role" "replication" {
  count = local.replicas

  name        = var.names.replication_role
  description = "Lets S3 copy ${var.name} to the replica region"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "S3Replication"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
      }
    }]
  })

  tags = local.tags
}

resource "aws_iam_role_policy" "replication" {
  count = local.replicas

  name = "replication"
  role = aws_iam_role.replication[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadConfiguration"
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = aws_s3_bucket.primary.arn
      },
      {
        Sid    = "ReadVersions"
        Effect = "Allow"
        Action = [
          "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging",
          "s3:GetObjectRetention", "s3:GetObjectLegalHold",
        ]
        Resource = "${aws_s3_bucket.primary.arn}/*"
      },
      {
        Sid      = "WriteReplicas"
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource = "${aws_s3_bucket.replica[0].arn}/*"
      },
      {
        Sid      = "DecryptSource"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = aws_kms_key.primary.arn
      },
      {
        Sid      = "EncryptReplica"
        Effect   = "Allow"
        Action   = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource = aws_kms_key.replica[0].arn
      },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "primary" {
  count = local.replicas

  bucket = aws_s3_bucket.primary.id
  role   = aws_iam_role.replication[0].arn

  rule {
    id       = "all-objects"
    status   = "Enabled"
    priority = 0

    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = aws_s3_bucket.replica[0].arn
      storage_class = var.replication.storage_class

      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica[0].arn
      }

      # Metrics are what the alarm below watches; the 15-minute threshold belongs to Replication Time Control.
      metrics {
        status = "Enabled"

        dynamic "event_threshold" {
          for_each = var.replication.time_control ? [15] : []

          content {
            minutes = event_threshold.value
          }
        }
      }

      dynamic "replication_time" {
        for_each = var.replication.time_control ? [15] : []

        content {
          status = "Enabled"

          time {
            minutes = replication_time.value
          }
        }
      }
    }
  }

  depends_on = [
    aws_s3_bucket_versioning.primary,
    aws_s3_bucket_versioning.replica,
    aws_iam_role_policy.replication,
  ]
}

resource "aws_cloudwatch_metric_alarm" "replication_latency" {
  count = local.replicas

  alarm_name        = "${var.names.bucket}-replication-latency"
  alarm_description = "Replication of ${var.name} is more than ${var.replication.latency_alarm_seconds} seconds behind: the recovery point objective is at risk."

  namespace           = "AWS/S3"
  metric_name         = "ReplicationLatency"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.replication.latency_alarm_seconds
  treat_missing_data  = "notBreaching"

  dimensions = {
    SourceBucket      = aws_s3_bucket.primary.id
    DestinationBucket = aws_s3_bucket.replica[0].id
    RuleId            = "all-objects"
  }

  alarm_actions = var.alarm_topic_arns
  ok_actions    = var.alarm_topic_arns

  tags = local.tags
}

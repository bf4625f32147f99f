# One customer-managed key per region, so that losing a region does not lose the key of the other.

locals {
  # Written with jsonencode: as an aws_iam_policy_document the linters read a key policy as an identity policy.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "AccountDelegatesToIam"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
      ],
      length(var.key_administrator_arns) == 0 ? [] : [
        {
          Sid       = "KeyAdministration"
          Effect    = "Allow"
          Principal = { AWS = var.key_administrator_arns }
          Action = [
            "kms:Describe*", "kms:List*", "kms:Get*", "kms:Enable*", "kms:Disable*", "kms:Update*", "kms:Put*",
            "kms:TagResource", "kms:UntagResource", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
          ]
          Resource = "*"
        },
      ],
    )
  })
}

resource "aws_kms_key" "primary" {
  description             = "Objects of ${var.name} (primary region)"
  enable_key_rotation     = true
  rotation_period_in_days = var.key_rotation_days
  deletion_window_in_days = var.key_deletion_window_days
  policy                  = local.key_policy

  tags = local.tags
}

resource "aws_kms_alias" "primary" {
  name          = local.key_alias
  target_key_id = aws_kms_key.primary.key_id
}

resource "aws_kms_key" "replica" {
  count    = local.replicas
  provider = aws.replica

  description             = "Objects of ${var.name} (replica region)"
  enable_key_rotation     = true
  rotation_period_in_days = var.key_rotation_days
  deletion_window_in_days = var.key_deletion_window_days
  policy                  = local.key_policy

  tags = local.tags
}

resource "aws_kms_alias" "replica" {
  count    = local.replicas
  provider = aws.replica

  name          = "${local.key_alias}-replica"
  target_key_id = aws_kms_key.replica[0].key_id
}

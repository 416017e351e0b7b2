data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

data "aws_region" "here" {}

locals {
  # EveryUse: * because a key's policy speaks of that one key; without the account as its
  # administrator nobody could ever change the key again.
  administration = {
    Sid       = "EveryUse"
    Effect    = "Allow"
    Action    = "kms:*"
    Resource  = "*"
    Principal = { AWS = "arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.here.account_id}:root" }
  }

  uses = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]

  # LogGroups: * because a key's policy speaks of that one key, and data keys come in several calls.
  log_groups = var.for_logs_and_alarms ? [{
    Sid       = "LogGroups"
    Effect    = "Allow"
    Action    = local.uses
    Resource  = "*"
    Principal = { Service = "logs.${data.aws_region.here.id}.amazonaws.com" }
    Condition = { ArnLike = {
      "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.here.partition}:logs:${data.aws_region.here.id}:${data.aws_caller_identity.here.account_id}:log-group:*"
    } }
  }] : []

  # Alarms: * because a key's policy speaks of that one key, and data keys come in several calls.
  alarms = var.for_logs_and_alarms ? [{
    Sid       = "Alarms"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
    Resource  = "*"
    Principal = { Service = "cloudwatch.amazonaws.com" }
  }] : []
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.administration], local.log_groups, local.alarms)
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

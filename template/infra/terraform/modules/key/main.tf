data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

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

  # AwsServices: * because a key's policy speaks of that one key, and data keys come in several calls.
  services = length(var.aws_services) == 0 ? [] : [{
    Sid       = "AwsServices"
    Effect    = "Allow"
    Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    Resource  = "*"
    Principal = { Service = sort(var.aws_services) }
    Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.here.account_id } }
  }]
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.administration], local.services)
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

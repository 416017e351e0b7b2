# The places only. What they hold is put in by `cloud.py fill`, so that no state and no plan ever
# holds a password or a key.
resource "aws_secretsmanager_secret" "this" {
  for_each = var.settings

  name                    = "${var.product}/${var.environment}/${each.key}"
  description             = "Settings of ${each.key}: ${join(", ", sort(each.value))}"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days

  tags = { Service = each.key }
}

# The operator of the namespace reads these secrets, and no pod of the product does.
module "reader" {
  source = "../cloud_role"

  name              = "${var.product}-${var.environment}-secrets"
  identity_provider = var.identity_provider
  namespace         = var.namespace
  service_account   = "secrets-reader"

  statements = [
    {
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = [for secret in aws_secretsmanager_secret.this : secret.arn]
    },
    {
      Sid      = "OpenThem"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.key_arn]
    },
  ]
}

# What lies in a tenant's own account besides its database: the role by which the product is let in,
# and the place of the secret that it may read there. The secret itself never passes through here.
resource "aws_secretsmanager_secret" "database" {
  for_each = var.services

  name                    = "${var.name}/${each.key}"
  description             = "host, port, password and owner_password of the database of ${each.key}"
  kms_key_id              = var.secrets_key_arn
  recovery_window_in_days = var.recovery_days

  tags = { Service = each.key }
}

# Each service's role is trusted with its own secret only.
resource "aws_iam_role" "operator" {
  for_each = var.services

  name                 = "${var.name}-${each.key}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheProduct"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = var.trusted_role_arns[each.key] }
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })

  tags = { Service = each.key }
}

resource "aws_iam_role_policy" "operator" {
  for_each = var.services

  name = "may"
  role = aws_iam_role.operator[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindTheDatabase"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [aws_secretsmanager_secret.database[each.key].arn]
      },
      {
        Sid      = "OpenIt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.secrets_key_arn]
      },
    ]
  })
}

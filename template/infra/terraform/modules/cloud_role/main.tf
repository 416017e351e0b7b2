resource "aws_iam_role" "this" {
  name                 = var.name
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ServiceAccount"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.identity_provider.arn }
      Condition = { StringEquals = {
        "${var.identity_provider.issuer}:aud" = "sts.amazonaws.com"
        "${var.identity_provider.issuer}:sub" = "system:serviceaccount:${var.namespace}:${var.service_account}"
      } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "this" {
  count = length(var.statements) > 0 ? 1 : 0

  name   = "may"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = var.statements })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = var.managed_policies

  role       = aws_iam_role.this.name
  policy_arn = each.value
}

# Once for each AWS account, before the environments: see docs/terraform.md.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Stage       = "services"
      Service     = "shared"
      Tenant      = "shared"
      Environment = "shared"
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "here" {}

module "key" {
  source = "../modules/key"

  name        = "${var.name}-account"
  description = "States and images of ${var.name}"
}

module "state" {
  source = "../modules/state"

  name    = "${var.name}-state-${data.aws_caller_identity.here.account_id}"
  key_arn = module.key.arn
}

module "registry" {
  source = "../modules/registry"

  name            = var.name
  key_arn         = module.key.arn
  keep_images     = var.keep_images
  reader_accounts = var.reader_accounts
}

resource "aws_route53_zone" "this" {
  for_each = var.zones

  name = each.key
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# Pushes images: jobs of this repository in the GitHub environment `build`, and nobody else.
resource "aws_iam_role" "build" {
  name                 = "${var.name}-build"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "GitHubEnvironment"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:${var.repository}:environment:build"
      } }
    }]
  })
}

resource "aws_iam_role_policy" "build" {
  name = "push"
  role = aws_iam_role.build.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # LogIn: * because the call asks for no repository; it gives a token for what the rest allows.
        Sid      = "LogIn"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*"
      },
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:CompleteLayerUpload",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = module.registry.arn
      },
    ]
  })
}

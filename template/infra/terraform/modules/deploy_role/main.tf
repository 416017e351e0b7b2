# GitHub vouches for a workflow: no key is kept anywhere. Only a job of this repository that
# GitHub lets into this environment (with its reviewers and its branches) gets the role.
resource "aws_iam_role" "this" {
  name                 = "${var.name}-deploy"
  description          = "Deploys ${var.environment} from ${var.repository}"
  max_session_duration = 21600 # As long as a rollout in waves may take.

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "GitHubEnvironment"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.github_provider_arn }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:${var.repository}:environment:${var.environment}"
      } }
    }]
  })
}

# What it may do in the cluster is the cluster's access entry; here it finds it, and looks whether
# the image is signed.
resource "aws_iam_role_policy" "this" {
  name = "may"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindTheCluster"
        Effect   = "Allow"
        Action   = ["eks:DescribeCluster"]
        Resource = var.cluster_arn
      },
      {
        # LogIn: * because the call asks for no repository; it gives a token for what the rest allows.
        Sid      = "LogIn"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*"
      },
      {
        Sid    = "ReadImages"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
        ]
        Resource = var.image_repository_arn
      },
    ]
  })
}

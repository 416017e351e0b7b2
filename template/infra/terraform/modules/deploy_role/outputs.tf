output "arn" {
  description = "The role, for aws-actions/configure-aws-credentials."
  value       = aws_iam_role.this.arn
}

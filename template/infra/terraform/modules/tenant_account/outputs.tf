output "role_arns" {
  description = "By service: the role to take."
  value       = { for service, role in aws_iam_role.operator : service => role.arn }
}

output "secret_arns" {
  description = "By service: where the database's address and passwords go."
  value       = { for service, secret in aws_secretsmanager_secret.database : service => secret.arn }
}

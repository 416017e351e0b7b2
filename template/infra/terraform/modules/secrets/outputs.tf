output "names" {
  description = "For each service the name of its secret."
  value       = { for service, secret in aws_secretsmanager_secret.this : service => secret.name }
}

output "reader_role_arn" {
  description = "The role of the service account secrets-reader, which external-secrets uses."
  value       = module.reader.arn
}

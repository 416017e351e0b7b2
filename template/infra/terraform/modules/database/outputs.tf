output "identifier" {
  description = "The server's name."
  value       = aws_db_instance.this.identifier
}

output "host" {
  description = "Where it listens."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "At which port."
  value       = aws_db_instance.this.port
}

output "administrator_secret_arn" {
  description = "Where RDS keeps the administrator's name and password."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "host" {
  description = "Where it listens."
  value       = module.server.host
}

output "port" {
  description = "At which port."
  value       = module.server.port
}

output "administrator_secret_arn" {
  description = "Where RDS keeps the administrator's name and password."
  value       = module.server.administrator_secret_arn
}

output "targets" {
  description = "By service: what the catalog has to know of the place."
  value = {
    for service in var.services : service => {
      kind       = var.placement
      host       = module.database.host
      port       = module.database.port
      database   = local.databases[service]
      role       = local.databases[service]
      owner_role = "${local.databases[service]}_owner"
      secret_ref = local.in_account ? "aws-secretsmanager:${module.account[0].secret_arns[service]}" : ""
      details = local.in_account ? {
        role_arn    = module.account[0].role_arns[service]
        external_id = var.external_id
      } : {}
    }
  }
}

output "administrator_secret_arn" {
  description = "Where RDS keeps the administrator's name and password, for SILO_ADMIN_DATABASE_URL."
  value       = module.database.administrator_secret_arn
}

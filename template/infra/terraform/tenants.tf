# What tenant/ has to know of this environment: a pipeline hands it on, so nobody copies it.
output "tenants" {
  description = "What infra/terraform/tenant wants to know of the environment."
  value = {
    name                     = var.name
    environment              = var.environment
    vpc_id                   = module.network.vpc_id
    subnet_ids               = module.network.data_subnet_ids
    client_security_group_id = module.cluster.security_group_id
    trusted_role_arns        = { for service, role in module.service_role : service => [role.arn] }
    postgres_version         = var.postgres_version
    backup_days              = var.backup_days
    deletion_protection      = var.deletion_protection
    log_days                 = var.log_days
  }
}

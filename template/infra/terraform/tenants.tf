locals {
  # A service reads its tenants' rows. Whoever moves and migrates them runs as auth.
  trusted_role_arns = {
    for service in ["features", "billing", "analytics"] : service => [
      for one in [service, "auth"] : module.service_role[one].arn if contains(keys(var.service_permissions), one)
    ] if contains(keys(var.service_permissions), service)
  }
}

# What tenant/ has to know of this environment: a pipeline hands it on, so nobody copies it.
output "tenants" {
  description = "What infra/terraform/tenant wants to know of the environment."
  value = {
    name                     = var.name
    environment              = var.environment
    vpc_id                   = module.network.vpc_id
    subnet_ids               = module.network.data_subnet_ids
    client_security_group_id = module.cluster.security_group_id
    trusted_role_arns        = local.trusted_role_arns
    postgres_version         = var.postgres_version
    backup_days              = var.backup_days
    deletion_protection      = var.deletion_protection
    log_days                 = var.log_days
  }
}

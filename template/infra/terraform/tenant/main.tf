locals {
  full_name  = "${var.name}-${var.environment}-${substr(var.tenant_id, 24, 12)}"
  in_account = var.placement == "account"

  tags = {
    Stage       = "hardened"
    Service     = "shared"
    Tenant      = var.tenant_id
    Environment = var.environment
    ManagedBy   = "terraform"
  }

  # As `app.stages.hardened.silos.names` calls them: a test compares the two.
  databases = { for service in var.services : service => "silo_${service}_${replace(var.tenant_id, "-", "")}" }
}

module "secrets_key" {
  source = "../modules/key"

  name        = "${local.full_name}-secrets"
  description = "Secrets of the workspace ${var.tenant_slug}"
}

module "database" {
  source = "../modules/silo_database"

  name                     = local.full_name
  tenant_slug              = var.tenant_slug
  vpc_id                   = var.vpc_id
  subnet_ids               = var.subnet_ids
  client_security_group_id = var.client_security_group_id
  postgres_version         = var.postgres_version
  database                 = var.database
  backup_days              = var.backup_days
  deletion_protection      = var.deletion_protection
  secrets_key_arn          = module.secrets_key.arn
  log_days                 = var.log_days
}

module "account" {
  source = "../modules/tenant_account"
  count  = local.in_account ? 1 : 0

  name              = local.full_name
  services          = var.services
  trusted_role_arns = var.trusted_role_arns
  external_id       = var.external_id
  secrets_key_arn   = module.secrets_key.arn
  recovery_days     = var.deletion_protection ? 30 : 0
}

# One tenant's server. Its databases and roles are made afterwards, as its administrator.
module "server" {
  source = "../database"

  name                     = var.name
  vpc_id                   = var.vpc_id
  subnet_ids               = var.subnet_ids
  client_security_group_id = var.client_security_group_id
  postgres_version         = var.postgres_version
  instance_class           = var.database.instance_class
  multi_az                 = var.database.multi_az
  storage_gib              = var.database.storage_gib
  max_storage_gib          = var.database.max_storage_gib
  backup_days              = var.backup_days
  deletion_protection      = var.deletion_protection
  data_key_arn             = module.data_key.arn
  secrets_key_arn          = var.secrets_key_arn
  logs_key_arn             = module.logs_key.arn
  log_days                 = var.log_days
}

# A key of the tenant's own: without it neither the disk nor a backup can be read.
module "data_key" {
  source = "../key"

  name        = "${var.name}-data"
  description = "Database and backups of the workspace ${var.tenant_slug}"
}

module "logs_key" {
  source = "../key"

  name                = "${var.name}-logs"
  description         = "Logs of the database of the workspace ${var.tenant_slug}"
  for_logs_and_alarms = true
}

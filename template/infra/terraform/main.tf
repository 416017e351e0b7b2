data "aws_region" "here" {}

locals {
  full_name = "${var.name}-${var.environment}"
  services  = ["auth", "billing", "analytics", "features"]

  tags = {
    Stage       = "services"
    Service     = "shared"
    Tenant      = "shared"
    Environment = var.environment
    ManagedBy   = "terraform"
  }

  # Names that the application reads: a test compares them with its settings. What everybody may
  # know is an output, and goes into the chart's values; the rest lies in Secrets Manager.
  settings = {
    PUBLIC_URL    = "https://${var.domain}"
    TENANT_DOMAIN = var.tenant_subdomains ? var.domain : ""
    MAIL_FROM     = var.mail_from
  }
  secret_settings = {
    for service in local.services : service => toset(concat(
      ["DATABASE_URL", "MIGRATIONS_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "SIGNING_KEYS", "SMTP_URL"],
      var.stripe ? ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] : [],
      flatten([for stage in local.stages : lookup(stage, service, [])]),
      tolist(lookup(var.further_secrets, service, [])),
    ))
  }
  # What later stages add, by service.
  stages = [for file in sort(fileset("${path.module}/stages", "*.json")) : jsondecode(file("${path.module}/stages/${file}"))]
}

# --- Keys: one for what is stored, one for secrets, one that AWS' own services use ---------------

module "data_key" {
  source = "./modules/key"

  name        = "${local.full_name}-data"
  description = "Databases, cache and backups of ${local.full_name}"
}

module "secrets_key" {
  source = "./modules/key"

  name        = "${local.full_name}-secrets"
  description = "Secrets of ${local.full_name}, in Secrets Manager and in Kubernetes"
}

module "logs_key" {
  source = "./modules/key"

  name                = "${local.full_name}-logs"
  description         = "Logs and alarms of ${local.full_name}"
  for_logs_and_alarms = true
}

# --- Where it runs -------------------------------------------------------------------------------

module "network" {
  source = "./modules/network"

  name                = local.full_name
  cidr                = var.vpc_cidr
  zones               = var.zones
  nat_for_each_zone   = var.nat_for_each_zone
  interface_endpoints = var.interface_endpoints
  flow_log_traffic    = var.flow_log_traffic
  log_days            = var.log_days
  logs_key_arn        = module.logs_key.arn
}

module "cluster" {
  source = "./modules/cluster"

  name                = local.full_name
  kubernetes_version  = var.kubernetes_version
  namespace           = var.namespace
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.private_subnet_ids
  public_access_cidrs = var.cluster_public_access_cidrs
  nodes               = var.nodes
  secrets_key_arn     = module.secrets_key.arn
  logs_key_arn        = module.logs_key.arn
  log_days            = var.log_days
  administrators      = var.administrators
  deployers           = { github = module.deploy_role.arn }
  addons              = !contains(var.leave_out, "addons")
  access_entries      = !contains(var.leave_out, "access_entries")
  tags                = local.tags
}

# Only what a service's own code asks of AWS; without permissions of its own it gets no role.
module "service_role" {
  source   = "./modules/cloud_role"
  for_each = var.service_permissions

  name              = "${local.full_name}-${each.key}"
  identity_provider = module.cluster.identity_provider
  namespace         = var.namespace
  service_account   = each.key

  statements = [for number, permission in each.value : {
    Sid      = "Permission${number + 1}"
    Effect   = "Allow"
    Action   = permission.actions
    Resource = permission.resources
  }]
  tags = { Service = each.key }
}

module "deploy_role" {
  source = "./modules/deploy_role"

  name                 = local.full_name
  environment          = var.environment
  repository           = var.repository
  github_provider_arn  = var.github_provider_arn
  image_repository_arn = var.image_repository_arn
  # Put together: the cluster lets this role in, so it can't wait for the cluster.
  cluster_arn = "arn:${data.aws_partition.here.partition}:eks:${data.aws_region.here.id}:${data.aws_caller_identity.here.account_id}:cluster/${local.full_name}"
}

data "aws_partition" "here" {}

data "aws_caller_identity" "here" {}

# --- What it keeps -------------------------------------------------------------------------------

module "database" {
  source = "./modules/database"

  name                     = local.full_name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.data_subnet_ids
  client_security_group_id = module.cluster.security_group_id
  postgres_version         = var.postgres_version
  instance_class           = var.database.instance_class
  multi_az                 = var.database.multi_az
  storage_gib              = var.database.storage_gib
  max_storage_gib          = var.database.max_storage_gib
  backup_days              = var.backup_days
  deletion_protection      = var.deletion_protection
  data_key_arn             = module.data_key.arn
  secrets_key_arn          = module.secrets_key.arn
  logs_key_arn             = module.logs_key.arn
  log_days                 = var.log_days
}

module "cache" {
  source = "./modules/cache"
  count  = contains(var.leave_out, "cache") ? 0 : 1

  name                     = local.full_name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.data_subnet_ids
  client_security_group_id = module.cluster.security_group_id
  node_type                = var.cache.node_type
  replicas                 = var.cache.replicas
  backup_days              = var.backup_days
  data_key_arn             = module.data_key.arn
  logs_key_arn             = module.logs_key.arn
  log_days                 = var.log_days
}

module "secrets" {
  source = "./modules/secrets"

  product           = var.name
  environment       = var.environment
  settings          = local.secret_settings
  key_arn           = module.secrets_key.arn
  recovery_days     = var.deletion_protection ? 30 : 0
  identity_provider = module.cluster.identity_provider
  namespace         = var.namespace
}

# --- The way in, and who is told when something is wrong -----------------------------------------

module "entrance" {
  source = "./modules/entrance"

  name                   = local.full_name
  domain                 = var.domain
  zone                   = var.zone
  tenant_subdomains      = var.tenant_subdomains
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.public_subnet_ids
  allowed_cidrs          = var.allowed_cidrs
  node_security_group_id = module.cluster.security_group_id
  node_port              = var.gateway_node_port
  health_path            = "/healthz"
  autoscaling_group      = module.cluster.autoscaling_group
  attach_nodes           = !contains(var.leave_out, "node_attachment")
  deletion_protection    = var.deletion_protection
  log_days               = var.log_days
}

module "alarms" {
  source = "./modules/alarms"

  name                 = local.full_name
  emails               = var.alarm_emails
  key_arn              = module.logs_key.arn
  database             = module.database.identifier
  database_disk_bytes  = floor(var.database.storage_gib * 1024 * 1024 * 1024 / 10)
  database_connections = var.database.alarm_connections
  # ElastiCache numbers them by itself: plainly, so that the plan knows them.
  cache_nodes   = contains(var.leave_out, "cache") ? [] : [for number in range(1 + var.cache.replicas) : format("%s-%03d", local.full_name, number + 1)]
  load_balancer = module.entrance.load_balancer
  target_group  = module.entrance.target_group
}

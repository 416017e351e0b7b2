# Plans with a provider that asks nobody: what the modules make, and what they refuse.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_route53_zone" {
    defaults = { zone_id = "Z0123456789" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mocked/0123456789abcdef" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mocked/0123456789abcdef" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mocked"
      domain_validation_options = [{
        domain_name           = "app.example.com"
        resource_record_name  = "_proof.app.example.com"
        resource_record_type  = "CNAME"
        resource_record_value = "_proof.acm-validations.aws"
      }]
    }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      identity = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/MOCKED" }] }]
    }
  }
  mock_resource "aws_eks_node_group" {
    defaults = {
      arn       = "arn:aws:eks:eu-central-1:123456789012:nodegroup/mocked"
      resources = [{ autoscaling_groups = [{ name = "mocked" }] }]
    }
  }
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "acme-prod.mocked.eu-central-1.rds.amazonaws.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds" }]
    }
  }
  mock_resource "aws_elasticache_replication_group" {
    defaults = { primary_endpoint_address = "master.acme-prod.mocked.cache.amazonaws.com" }
  }
}

variables {
  name                 = "acme"
  environment          = "prod"
  region               = "eu-central-1"
  domain               = "app.example.com"
  zone                 = "example.com"
  mail_from            = "hello@example.com"
  repository           = "acme/app"
  github_provider_arn  = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  image_repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/acme"
  vpc_cidr             = "10.40.0.0/16"
  nodes                = { instance_type = "m7i.large", min = 3, max = 12 }
  database             = { instance_class = "db.m7g.large", multi_az = true, storage_gib = 100, max_storage_gib = 1000 }
  cache                = { node_type = "cache.m7g.large", replicas = 1 }
}

run "everything_is_made" {
  command = apply

  assert {
    condition     = output.cluster == "acme-prod" && output.cache.host != null
    error_message = "The cluster and the cache must be among what is made."
  }

  assert {
    condition     = alltrue([for service in ["auth", "billing", "analytics", "features"] : output.secrets[service] == "acme/prod/${service}"])
    error_message = "Each service has a secret of its own, named <name>/<environment>/<service>."
  }

  assert {
    condition     = output.settings.PUBLIC_URL == "https://app.example.com" && output.settings.TENANT_DOMAIN == ""
    error_message = "The address of the product follows from the domain."
  }

  assert {
    condition     = length(output.service_role_arns) == 0
    error_message = "A service whose code asks nothing of AWS has no role."
  }
}

run "a_service_gets_a_role_with_what_it_names" {
  command = plan

  variables {
    service_permissions = {
      features = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::acme-files/reports/*"] }]
    }
  }

  assert {
    condition     = join(",", keys(output.service_role_arns)) == "features"
    error_message = "The features, and only they, get a role."
  }
}

run "what_is_wished_for_is_there" {
  command = plan

  variables {
    tenant_subdomains = true
    stripe            = true
    further_secrets   = { features = ["MAPS_KEY"] }
    leave_out         = ["addons", "access_entries", "cache", "node_attachment"]
  }

  assert {
    condition     = output.settings.TENANT_DOMAIN == "app.example.com"
    error_message = "TENANT_DOMAIN follows from the domain."
  }

  assert {
    condition     = contains(output.secret_settings.billing, "STRIPE_WEBHOOK_SECRET")
    error_message = "With Stripe, its keys are secrets."
  }

  assert {
    condition     = contains(output.secret_settings.features, "MAPS_KEY") && !contains(output.secret_settings.auth, "MAPS_KEY")
    error_message = "A service's further settings are in its secret alone."
  }

  assert {
    condition     = output.cache == null
    error_message = "What is left out isn't an output."
  }
}

# --- What is refused, each by the variable that is wrong -----------------------------------------

run "no_name" {
  command = plan

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "a_network_that_is_none" {
  command = plan

  variables {
    vpc_cidr = "10.40.0.0/33"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_network_and_a_zone_of_somebody_else" {
  command = plan

  variables {
    vpc_cidr = "8.8.0.0/16"
    zone     = "example.org"
  }

  expect_failures = [var.vpc_cidr, var.zone]
}

run "further_secrets_of_nobody" {
  command = plan

  variables {
    further_secrets = { mail = ["MAPS_KEY"] }
  }

  expect_failures = [var.further_secrets]
}

run "further_secrets_with_a_value" {
  command = plan

  variables {
    further_secrets = { auth = ["MAPS_KEY=0123"] }
  }

  expect_failures = [var.further_secrets]
}

run "everything_else_that_is_wrong" {
  command = plan

  variables {
    environment                 = "Production"
    region                      = "Frankfurt"
    domain                      = "https://app.example.com"
    mail_from                   = "nobody"
    repository                  = "acme/*"
    github_provider_arn         = "arn:aws:iam::1:oidc-provider/somebody.example"
    image_repository_arn        = "acme"
    vpc_cidr                    = "10.40.0.0/24"
    zones                       = 1
    flow_log_traffic            = "NONE"
    allowed_cidrs               = ["everybody"]
    kubernetes_version          = "latest"
    cluster_public_access_cidrs = ["0.0.0.0/0"]
    namespace                   = "default"
    gateway_node_port           = 80
    nodes                       = { instance_type = "m7i.large", min = 1, max = 1, disk_gib = 8 }
    administrators              = ["me"]
    service_permissions         = { features = [{ actions = ["s3:*"], resources = ["*"] }] }
    postgres_version            = "12"
    database                    = { instance_class = "m7g.large", multi_az = true, storage_gib = 100, max_storage_gib = 50 }
    cache                       = { node_type = "m7g.large", replicas = 9 }
    backup_days                 = 0
    log_days                    = 8
    alarm_emails                = ["nobody"]
    leave_out                   = ["database"]
  }

  expect_failures = [
    var.environment, var.region, var.domain, var.mail_from, var.repository, var.github_provider_arn,
    var.image_repository_arn, var.vpc_cidr, var.zones, var.flow_log_traffic, var.allowed_cidrs, var.kubernetes_version,
    var.cluster_public_access_cidrs, var.namespace, var.gateway_node_port, var.nodes, var.administrators,
    var.service_permissions, var.postgres_version, var.database, var.cache, var.backup_days, var.log_days,
    var.alarm_emails, var.leave_out,
  ]
}

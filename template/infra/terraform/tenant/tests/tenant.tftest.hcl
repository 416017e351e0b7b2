# Plans with a provider that asks nobody: what a tenant gets, and what is refused.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "210987654321" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::210987654321:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:210987654321:key/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:210987654321:log-group:mocked" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:210987654321:secret:mocked" }
  }
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "acme-prod.mocked.eu-central-1.rds.amazonaws.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:210987654321:secret:rds" }]
    }
  }
}

variables {
  tenant_id                = "019ac0de-0000-7000-8000-00000000beef"
  tenant_slug              = "initech"
  placement                = "account"
  services                 = ["features", "billing"]
  region                   = "eu-central-1"
  account_id               = "210987654321"
  external_id              = "a-long-and-random-external-id"
  name                     = "acme"
  environment              = "prod"
  vpc_id                   = "vpc-0123456789abcdef0"
  subnet_ids               = ["subnet-1", "subnet-2"]
  client_security_group_id = "sg-0123456789abcdef0"
  trusted_role_arns = {
    features = ["arn:aws:iam::123456789012:role/acme-prod-features"]
    billing  = ["arn:aws:iam::123456789012:role/acme-prod-billing"]
  }
}

run "an_account_lets_each_service_in_for_its_own_secret" {
  command = apply

  assert {
    condition     = join(",", sort(keys(output.targets))) == "billing,features"
    error_message = "There is a target for each service."
  }

  assert {
    condition     = output.targets.features.database == "silo_features_019ac0de00007000800000000000beef"
    error_message = "A silo's database is called by its service and the tenant's id."
  }

  assert {
    condition     = startswith(output.targets.features.secret_ref, "aws-secretsmanager:arn:aws:secretsmanager:")
    error_message = "The catalog is told where the passwords are, not what they are."
  }

  assert {
    condition     = output.targets.features.details.external_id == "a-long-and-random-external-id"
    error_message = "The catalog is told what to say when the role is taken."
  }
}

run "a_silo_needs_no_account" {
  command = apply

  variables {
    placement         = "silo"
    account_id        = ""
    external_id       = ""
    trusted_role_arns = {}
  }

  assert {
    condition     = output.targets.features.kind == "silo" && output.targets.features.secret_ref == ""
    error_message = "A silo's passwords are derived by the product: nothing holds them."
  }

  assert {
    condition     = length(module.account) == 0
    error_message = "Nobody is let into an account where there is none."
  }
}

# --- What is refused, each by the variable that is wrong -----------------------------------------

run "the_pool_needs_nothing" {
  command = plan

  variables {
    placement         = "pool"
    account_id        = ""
    trusted_role_arns = {}
  }

  expect_failures = [var.placement]
}

run "an_account_without_its_number" {
  command = plan

  variables {
    account_id = ""
  }

  expect_failures = [var.account_id]
}

run "what_can_be_guessed" {
  command = plan

  variables {
    external_id = "acme"
  }

  expect_failures = [var.external_id]
}

run "everything_else_that_is_wrong" {
  command = plan

  variables {
    tenant_id        = "initech"
    tenant_slug      = "Initech Ltd"
    services         = ["auth"]
    region           = "Frankfurt"
    name             = "A"
    environment      = "Production"
    subnet_ids       = ["subnet-1"]
    postgres_version = "12"
    database         = { instance_class = "big", multi_az = true, storage_gib = 5, max_storage_gib = 1 }
  }

  expect_failures = [
    var.tenant_id, var.tenant_slug, var.services, var.region, var.name, var.environment,
    var.subnet_ids, var.postgres_version, var.database,
  ]
}

run "trust_in_everybody" {
  command = plan

  variables {
    trusted_role_arns = {
      features = ["arn:aws:iam::123456789012:role/*"]
      billing  = ["arn:aws:iam::123456789012:role/acme-prod-billing"]
    }
  }

  expect_failures = [var.trusted_role_arns]
}

run "a_service_that_nobody_may_come_for" {
  command = plan

  variables {
    trusted_role_arns = { features = ["arn:aws:iam::123456789012:role/acme-prod-features"] }
  }

  expect_failures = [var.trusted_role_arns]
}

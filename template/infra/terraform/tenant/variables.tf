# --- What app/stages/hardened/silos/tfvars.py writes, for one tenant -----------------------------

variable "tenant_id" {
  description = "The workspace's id."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.tenant_id))
    error_message = "tenant_id must be a UUID in lower case, as flask tenant show prints it."
  }
}

variable "tenant_slug" {
  description = "The workspace, as its address says."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.tenant_slug))
    error_message = "tenant_slug must be the workspace's slug, such as acme."
  }
}

variable "placement" {
  description = "silo: a server of its own beside the pool's. account: the same in a cloud account of its own."
  type        = string

  validation {
    condition     = contains(["silo", "account"], var.placement)
    error_message = "placement must be silo or account: for the pool nothing is made."
  }
}

variable "services" {
  description = "The services whose rows lie there."
  type        = set(string)

  validation {
    condition     = length(var.services) > 0 && length(setsubtract(var.services, ["features", "billing", "analytics"])) == 0
    error_message = "services must be some of features, billing and analytics: who somebody is, auth, is in one place for all."
  }
}

variable "region" {
  description = "The AWS region, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-central-1."
  }
}

variable "account_id" {
  description = "With placement account: the tenant's AWS account."
  type        = string
  default     = ""

  validation {
    condition     = (var.placement == "account") == can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits with placement account, and empty otherwise."
  }
}

variable "external_id" {
  description = "With placement account: what the product must say to be let in; random, of this tenant alone."
  type        = string
  default     = ""

  validation {
    condition     = var.placement != "account" || length(var.external_id) >= 16
    error_message = "external_id must have 16 characters or more, so that nobody guesses it."
  }
}

# --- What is the same for all tenants of an environment ------------------------------------------

variable "name" {
  description = "The product's name, the same as in the environment, such as acme."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 16 lower-case letters, digits and dashes, such as acme."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, such as prod."
  }
}

variable "vpc_id" {
  description = "The product's VPC. For accounts, its data subnets are shared with them through AWS RAM."
  type        = string
}

variable "subnet_ids" {
  description = "Its data subnets, in two zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be two or more, in two zones: RDS asks for that."
  }
}

variable "client_security_group_id" {
  description = "The group of the product's nodes, which may connect."
  type        = string
}

variable "trusted_role_arns" {
  description = "With placement account: the product's roles that may take one in the account, by service."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = var.placement != "account" || alltrue([for service in var.services : length(lookup(var.trusted_role_arns, service, [])) > 0])
    error_message = "trusted_role_arns must name a role for each of services: the one that the service runs as."
  }

  validation {
    condition     = alltrue([for arn in flatten(values(var.trusted_role_arns)) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "trusted_role_arns must be ARNs of IAM roles, none with a *."
  }
}

variable "postgres_version" {
  description = "PostgreSQL's major version, the same as the pool's: a tenant is moved by replication."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[6-9](\\.[0-9]+)?$", var.postgres_version))
    error_message = "postgres_version must be 16 or later, such as 17."
  }
}

variable "database" {
  description = "The tenant's server."
  type = object({
    instance_class  = string
    multi_az        = bool
    storage_gib     = number
    max_storage_gib = number
  })
  default = {
    instance_class  = "db.t4g.medium"
    multi_az        = true
    storage_gib     = 20
    max_storage_gib = 200
  }

  validation {
    condition     = startswith(var.database.instance_class, "db.")
    error_message = "database.instance_class must be an RDS class such as db.t4g.medium."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.max_storage_gib >= var.database.storage_gib
    error_message = "database.storage_gib must be 20 or more, and database.max_storage_gib not below it."
  }
}

variable "backup_days" {
  description = "How far back any moment can be restored."
  type        = number
  default     = 14
}

variable "deletion_protection" {
  description = "Refuse to be deleted."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365
}

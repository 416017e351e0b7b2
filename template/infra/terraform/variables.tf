# --- Without these nothing can be planned --------------------------------------------------------

variable "name" {
  description = "The product's name, such as acme. It goes before every name in AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 16 lower-case letters, digits and dashes, such as acme: it goes before every name in AWS."
  }
}

variable "environment" {
  description = "dev, staging or prod. Other names are fine: give each its own file in environments/."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, such as prod."
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

variable "domain" {
  description = "The address of the product, such as app.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a bare host in lower case, such as app.example.com."
  }
}

variable "zone" {
  description = "The Route 53 zone that the address lies in, such as example.com. `account` makes it."
  type        = string

  validation {
    condition     = var.domain == var.zone || endswith(var.domain, ".${var.zone}")
    error_message = "domain must lie in the zone: app.example.com in example.com."
  }
}

variable "mail_from" {
  description = "The sender of every e-mail, such as hello@example.com."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.mail_from))
    error_message = "mail_from must be an address such as hello@example.com."
  }
}

variable "repository" {
  description = "The GitHub repository that deploys, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, as GitHub spells it: no wildcard, no address."
  }
}

variable "github_provider_arn" {
  description = "GitHub's OIDC provider: an output of `account`."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_provider_arn))
    error_message = "github_provider_arn must be the output github_provider_arn of account/."
  }
}

variable "image_repository_arn" {
  description = "The registry's repository: an output of `account`."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9/._-]+$", var.image_repository_arn))
    error_message = "image_repository_arn must be the output image_repository_arn of account/."
  }
}

# --- The network ---------------------------------------------------------------------------------

variable "vpc_cidr" {
  description = "The VPC's addresses: a /16 that no neighbour of yours uses."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(split("/", var.vpc_cidr)[1] == "16", false)
    error_message = "vpc_cidr must be an IPv4 /16 such as 10.20.0.0/16."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.vpc_cidr))
    error_message = "vpc_cidr must be private: within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }

  validation {
    condition     = try(cidrhost(var.vpc_cidr, 0) == split("/", var.vpc_cidr)[0], false)
    error_message = "vpc_cidr must begin at its first address: 10.20.0.0/16, not 10.20.1.0/16."
  }
}

variable "zones" {
  description = "In how many availability zones everything lies."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones must be 2 or 3: one alone survives no outage."
  }
}

variable "nat_for_each_zone" {
  description = "A NAT gateway in each zone, so that the outage of one takes no other along; or one for all."
  type        = bool
  default     = true
}

variable "interface_endpoints" {
  description = "AWS APIs that are reached without leaving the VPC, such as ecr.dkr. Each costs by the hour and zone."
  type        = set(string)
  default     = []
}

variable "flow_log_traffic" {
  description = "Which traffic is logged: ALL or REJECT."
  type        = string
  default     = "ALL"

  validation {
    condition     = contains(["ALL", "REJECT"], var.flow_log_traffic)
    error_message = "flow_log_traffic must be ALL or REJECT."
  }
}

variable "allowed_cidrs" {
  description = "Who may reach the product; before it's open, your office."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must be IPv4 networks such as 203.0.113.0/24."
  }
}

variable "tenant_subdomains" {
  description = "Tenants are reached at <slug>.<domain> as well: a wildcard certificate and record."
  type        = bool
  default     = false
}

# --- The cluster ---------------------------------------------------------------------------------

variable "kubernetes_version" {
  description = "Kubernetes' version. A step at a time."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version such as 1.34."
  }
}

variable "cluster_public_access_cidrs" {
  description = "Who may reach the cluster's API from outside the VPC. Empty: nobody, and whatever deploys runs within."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.cluster_public_access_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "cluster_public_access_cidrs must be IPv4 networks such as 203.0.113.7/32, and not the whole internet."
  }
}

variable "namespace" {
  description = "The Kubernetes namespace of the product."
  type        = string
  default     = "app"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace)) && !startswith(var.namespace, "kube-") && var.namespace != "default"
    error_message = "namespace must be the product's own: not default, and not kube-something."
  }
}

variable "gateway_node_port" {
  description = "The port of every node at which the gateway listens."
  type        = number
  default     = 30080

  validation {
    condition     = var.gateway_node_port >= 30000 && var.gateway_node_port <= 32767
    error_message = "gateway_node_port must be 30000 to 32767, which Kubernetes gives out."
  }
}

variable "nodes" {
  description = "The machines: their type, how many at least and at most, and their disk."
  type = object({
    instance_type = string
    min           = number
    max           = number
    disk_gib      = optional(number, 50)
  })

  validation {
    condition     = var.nodes.min >= 2 && var.nodes.max >= var.nodes.min
    error_message = "nodes.min must be 2 or more, so that one can be replaced, and nodes.max not below it."
  }

  validation {
    condition     = var.nodes.disk_gib >= 20
    error_message = "nodes.disk_gib must be 20 or more: images lie there."
  }
}

variable "administrators" {
  description = "ARNs of IAM roles that may do everything in the cluster."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.administrators : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "administrators must be ARNs of IAM roles, such as arn:aws:iam::123456789012:role/platform."
  }
}

variable "service_permissions" {
  description = "What a service's own code may do in AWS, by service. Nothing by default."
  type        = map(list(object({ actions = list(string), resources = list(string) })))
  default     = {}

  validation {
    condition     = alltrue([for service in keys(var.service_permissions) : contains(["auth", "billing", "analytics", "features"], service)])
    error_message = "service_permissions knows auth, billing, analytics and features."
  }

  validation {
    condition     = alltrue([for permission in flatten(values(var.service_permissions)) : !contains(permission.resources, "*") && alltrue([for action in permission.actions : !strcontains(action, "*")])])
    error_message = "service_permissions must name actions and resources: no * among the actions, none alone as a resource."
  }
}

# --- Databases and the cache ---------------------------------------------------------------------

variable "postgres_version" {
  description = "PostgreSQL's major version."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[6-9](\\.[0-9]+)?$", var.postgres_version))
    error_message = "postgres_version must be 16 or later, such as 17."
  }
}

variable "database" {
  description = "The server of the four databases."
  type = object({
    instance_class    = string
    multi_az          = bool
    storage_gib       = number
    max_storage_gib   = number
    alarm_connections = optional(number, 200)
  })

  validation {
    condition     = startswith(var.database.instance_class, "db.")
    error_message = "database.instance_class must be an RDS class such as db.t4g.medium."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.max_storage_gib >= var.database.storage_gib
    error_message = "database.storage_gib must be 20 or more, and database.max_storage_gib not below it."
  }
}

variable "cache" {
  description = "Valkey: queue, events and rate limits."
  type = object({
    node_type = string
    replicas  = number
  })

  validation {
    condition     = startswith(var.cache.node_type, "cache.")
    error_message = "cache.node_type must be an ElastiCache type such as cache.t4g.small."
  }

  validation {
    condition     = var.cache.replicas >= 0 && var.cache.replicas <= 5
    error_message = "cache.replicas must be 0 to 5."
  }
}

variable "backup_days" {
  description = "How far back any moment of the databases can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be 1 to 35: 0 would switch backups off."
  }
}

variable "deletion_protection" {
  description = "Databases, load balancer and secrets refuse to be deleted, or can be brought back."
  type        = bool
  default     = true
}

# --- The rest ------------------------------------------------------------------------------------

variable "stripe" {
  description = "Payments go through Stripe, so its two keys are among the secrets."
  type        = bool
  default     = false
}

variable "further_secrets" {
  description = "Further settings that a service's secret holds, by service: those of your own code, too."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for service in keys(var.further_secrets) : contains(["auth", "billing", "analytics", "features"], service)])
    error_message = "further_secrets names services: auth, billing, analytics, features."
  }

  validation {
    condition     = alltrue(flatten([for names in values(var.further_secrets) : [for name in names : can(regex("^[A-Z][A-Z0-9_]*$", name))]]))
    error_message = "further_secrets holds names of settings, such as MAPS_KEY, and no values."
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365, 400, 731], var.log_days)
    error_message = "log_days must be a number of days that CloudWatch knows: 7, 14, 30, 60, 90, 180, 365, 400 or 731."
  }
}

variable "alarm_emails" {
  description = "Who is told when something is wrong."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "alarm_emails must be addresses such as ops@example.com."
  }
}

variable "leave_out" {
  description = "For emulators of AWS, which can't make everything: addons, access_entries, cache, node_attachment. Empty in AWS."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.leave_out, ["addons", "access_entries", "cache", "node_attachment"])) == 0
    error_message = "leave_out knows addons, access_entries, cache and node_attachment."
  }
}

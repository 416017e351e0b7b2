variable "name" {
  description = "Goes before every name."
  type        = string
}

variable "emails" {
  description = "Who is told. Each gets a mail to confirm first."
  type        = list(string)
}

variable "key_arn" {
  description = "The key that messages are encrypted with."
  type        = string
}

variable "database" {
  description = "The database server."
  type        = string
}

variable "database_disk_bytes" {
  description = "With less than this left of its disk, somebody is told."
  type        = number
}

variable "database_connections" {
  description = "With more connections than this, somebody is told."
  type        = number
}

variable "cache_nodes" {
  description = "The cache's machines."
  type        = set(string)
}

variable "load_balancer" {
  description = "The load balancer, as CloudWatch calls it."
  type        = string
}

variable "target_group" {
  description = "The gateway, as CloudWatch calls it."
  type        = string
}

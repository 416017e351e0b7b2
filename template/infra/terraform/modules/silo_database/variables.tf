variable "name" {
  description = "The server's name."
  type        = string
}

variable "tenant_slug" {
  description = "The workspace, as people call it."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out, in two zones or more."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "Who may connect: the group of the product's nodes."
  type        = string
}

variable "postgres_version" {
  description = "PostgreSQL's major version, the same as the pool's."
  type        = string
}

variable "database" {
  description = "The server: its machine, whether a second one takes over, and its disk."
  type = object({
    instance_class  = string
    multi_az        = bool
    storage_gib     = number
    max_storage_gib = number
  })
}

variable "backup_days" {
  description = "How far back any moment can be restored."
  type        = number
}

variable "deletion_protection" {
  description = "Refuse to be deleted; and when that is switched off, leave a last snapshot."
  type        = bool
}

variable "secrets_key_arn" {
  description = "The key of the administrator's password."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
}

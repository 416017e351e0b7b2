variable "name" {
  description = "The server's name."
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
  description = "Who may connect: the group of the nodes."
  type        = string
}

variable "postgres_version" {
  description = "PostgreSQL's major version, such as 17."
  type        = string
}

variable "instance_class" {
  description = "The machine, such as db.t4g.medium."
  type        = string
}

variable "multi_az" {
  description = "A second machine in another zone that takes over."
  type        = bool
}

variable "storage_gib" {
  description = "The disk to begin with."
  type        = number
}

variable "max_storage_gib" {
  description = "How far it grows by itself."
  type        = number
}

variable "backup_days" {
  description = "How far back any moment can be restored."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be 1 to 35: 0 would switch backups off."
  }
}

variable "deletion_protection" {
  description = "Refuse to be deleted; and when that is switched off, leave a last snapshot."
  type        = bool
}

variable "data_key_arn" {
  description = "The key of the disk."
  type        = string
}

variable "secrets_key_arn" {
  description = "The key of the administrator's password."
  type        = string
}

variable "logs_key_arn" {
  description = "The key that encrypts log groups."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
}

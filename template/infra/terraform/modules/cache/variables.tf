variable "name" {
  description = "The cache's name."
  type        = string

  validation {
    condition     = length(var.name) <= 40
    error_message = "name is longer than the 40 characters that ElastiCache allows: shorten the product's name."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "Who may connect: the group of the nodes."
  type        = string
}

variable "node_type" {
  description = "The machine, such as cache.t4g.small."
  type        = string
}

variable "replicas" {
  description = "Machines in other zones that take over."
  type        = number

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5
    error_message = "replicas must be 0 to 5."
  }
}

variable "backup_days" {
  description = "How long daily snapshots are kept."
  type        = number
}

variable "data_key_arn" {
  description = "The key of what is stored."
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

variable "name" {
  description = "The key's alias, without alias/."
  type        = string
}

variable "description" {
  description = "What it encrypts."
  type        = string
}

variable "deletion_days" {
  description = "How long a deleted key can be brought back."
  type        = number
  default     = 30
}

variable "for_logs_and_alarms" {
  description = "CloudWatch uses it by itself, for this account's log groups and to tell alarms."
  type        = bool
  default     = false
}

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

variable "aws_services" {
  description = "AWS services that use it by themselves, such as logs.eu-central-1.amazonaws.com."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "The role's name."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "name is longer than the 64 characters that IAM allows: shorten the product's name."
  }
}

variable "identity_provider" {
  description = "Who vouches for service accounts: the cluster's OIDC provider."
  type        = object({ arn = string, issuer = string })
}

variable "namespace" {
  description = "The Kubernetes namespace of the service account."
  type        = string
}

variable "service_account" {
  description = "The one service account that may take the role."
  type        = string
}

variable "statements" {
  description = "What the role may do: statements of an IAM policy."
  type        = any
  default     = []
}

variable "managed_policies" {
  description = "Policies of AWS that it gets besides, by a name of ours."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags beside those of the provider, such as Service."
  type        = map(string)
  default     = {}
}

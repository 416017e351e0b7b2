variable "product" {
  description = "The product's name: the first part of a secret's name."
  type        = string
}

variable "environment" {
  description = "dev, staging or prod: the second part."
  type        = string
}

variable "settings" {
  description = "For each service the settings that its secret holds."
  type        = map(set(string))
}

variable "key_arn" {
  description = "The key that encrypts them."
  type        = string
}

variable "recovery_days" {
  description = "How long a deleted secret can be brought back: 7 to 30 days, or 0 for not at all."
  type        = number
}

variable "identity_provider" {
  description = "Who vouches for service accounts: the cluster's OIDC provider."
  type        = object({ arn = string, issuer = string })
}

variable "namespace" {
  description = "The Kubernetes namespace of the product."
  type        = string
}

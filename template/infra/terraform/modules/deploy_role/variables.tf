variable "name" {
  description = "Goes before the role's name."
  type        = string
}

variable "environment" {
  description = "The GitHub environment, such as prod."
  type        = string
}

variable "repository" {
  description = "The repository, as owner/name."
  type        = string
}

variable "github_provider_arn" {
  description = "GitHub's OIDC provider in this AWS account."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster that is deployed to."
  type        = string
}

variable "image_repository_arn" {
  description = "The registry's repository."
  type        = string
}

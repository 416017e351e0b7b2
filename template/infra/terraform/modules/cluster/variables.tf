variable "name" {
  description = "The cluster's name."
  type        = string
}

variable "kubernetes_version" {
  description = "Its version, such as 1.34."
  type        = string
}

variable "namespace" {
  description = "The namespace of the product."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the nodes."
  type        = list(string)
}

variable "public_access_cidrs" {
  description = "Who may reach the API from outside; empty: only the VPC."
  type        = list(string)
}

variable "nodes" {
  description = "The machines: their type, how many at least and at most, and their disk."
  type = object({
    instance_type = string
    min           = number
    max           = number
    disk_gib      = number
  })
}

variable "secrets_key_arn" {
  description = "The key that Kubernetes' secrets are encrypted with."
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

variable "administrators" {
  description = "IAM roles that may do everything in the cluster."
  type        = list(string)
}

variable "deployers" {
  description = "IAM roles that may do everything in the namespace, by a name of ours."
  type        = map(string)
}

variable "addons" {
  description = "Install the cluster's own add-ons."
  type        = bool
}

variable "access_entries" {
  description = "Let administrators and deployers in."
  type        = bool
}

variable "tags" {
  description = "Tags of machines and disks, which the provider's don't reach."
  type        = map(string)
}

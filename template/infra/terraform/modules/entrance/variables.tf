variable "name" {
  description = "The load balancer's name."
  type        = string

  validation {
    condition     = length(var.name) <= 32
    error_message = "name is longer than the 32 characters that load balancers allow: shorten the product's name."
  }
}

variable "domain" {
  description = "The address of the product."
  type        = string
}

variable "zone" {
  description = "The Route 53 zone that the address lies in."
  type        = string
}

variable "tenant_subdomains" {
  description = "Tenants are reached at <slug>.<domain> as well."
  type        = bool
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in two zones or more."
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Who may come: 0.0.0.0/0 for everybody."
  type        = list(string)
}

variable "node_security_group_id" {
  description = "The group of the nodes."
  type        = string
}

variable "node_port" {
  description = "The gateway's port on every node."
  type        = number
}

variable "health_path" {
  description = "What the load balancer asks the gateway to see whether it lives."
  type        = string
}

variable "autoscaling_group" {
  description = "The group that the nodes are in."
  type        = string
}

variable "attach_nodes" {
  description = "Send requests to the nodes of that group."
  type        = bool
}

variable "deletion_protection" {
  description = "Refuse to be deleted, and keep the log."
  type        = bool
}

variable "log_days" {
  description = "How long the log of requests is kept."
  type        = number
}

variable "name" {
  description = "Goes before every name."
  type        = string
}

variable "cidr" {
  description = "The VPC's addresses: a /16."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(split("/", var.cidr)[1] == "16", false)
    error_message = "cidr must be an IPv4 /16 such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "In how many availability zones it lies."
  type        = number

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones must be 2 or 3: one alone survives no outage."
  }
}

variable "nat_for_each_zone" {
  description = "A NAT gateway in each zone, so that the outage of one takes no other along; or one for all."
  type        = bool
}

variable "interface_endpoints" {
  description = "AWS APIs that are reached without leaving the VPC. Each costs by the hour and zone."
  type        = set(string)
}

variable "flow_log_traffic" {
  description = "Which traffic is logged: ALL or REJECT."
  type        = string
}

variable "log_days" {
  description = "How long flow logs are kept."
  type        = number
}

variable "logs_key_arn" {
  description = "The key that encrypts log groups."
  type        = string
}

variable "name" {
  description = "The product's name, the same as in the environments, such as acme."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 16 lower-case letters, digits and dashes, such as acme: it goes before every name in AWS."
  }
}

variable "region" {
  description = "The AWS region, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-central-1."
  }
}

variable "repository" {
  description = "The GitHub repository whose workflows build, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, as GitHub spells it: no wildcard, no address."
  }
}

variable "zones" {
  description = "Domains whose DNS lies here, such as [\"example.com\"]."
  type        = set(string)
  default     = []
}

variable "keep_images" {
  description = "How many images are kept. Signatures and SBOMs count, too."
  type        = number
  default     = 200

  validation {
    condition     = var.keep_images >= 20
    error_message = "keep_images must be 20 or more: a roll-back needs the releases before."
  }
}

variable "reader_accounts" {
  description = "Ids of other AWS accounts whose environments run the images."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for account in var.reader_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "reader_accounts must be ids of 12 digits."
  }
}
